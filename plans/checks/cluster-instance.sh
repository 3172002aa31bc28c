#!/bin/sh
# The instance of a restored cluster of Aurora, DocumentDB or Neptune, which comes back without one.
#   cluster-instance.sh make SERVICE CLUSTER_ARN ENGINE CLASS   makes it, and waits until it can be connected to
#   cluster-instance.sh delete SERVICE CLUSTER                  deletes it; do so before `redrill cleanup`
# SERVICE is the command of the AWS CLI: rds, docdb or neptune.
set -eu
service="$2"
cluster="${3##*:}"
instance="$cluster-1"
if [ "${REDRILL_REHEARSAL:-}" = true ]; then
  echo "a rehearsal: no instance of $cluster was made"
  exit 0
fi
case "$1" in
make)
  # What is there already was made by an earlier try.
  if ! aws "$service" describe-db-instances --db-instance-identifier "$instance" >/dev/null 2>&1; then
    aws "$service" create-db-instance --db-instance-identifier "$instance" --db-cluster-identifier "$cluster" \
      --engine "$4" --db-instance-class "$5" >/dev/null
  fi
  aws "$service" wait db-instance-available --db-instance-identifier "$instance"
  echo "$instance is available"
  ;;
delete)
  if [ "$service" = docdb ]; then
    aws "$service" delete-db-instance --db-instance-identifier "$instance" >/dev/null
  else
    aws "$service" delete-db-instance --db-instance-identifier "$instance" --skip-final-snapshot >/dev/null
  fi
  aws "$service" wait db-instance-deleted --db-instance-identifier "$instance"
  echo "$instance is deleted"
  ;;
esac
