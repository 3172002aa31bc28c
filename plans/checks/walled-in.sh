#!/bin/sh
# That an instance in the VPC of a drill reaches none of these: asked through Systems Manager, which needs no way in.
#   walled-in.sh INSTANCE HOST:PORT…
# An instance that does not answer proves nothing, and fails.
set -eu
instance="$1"
shift
if [ "${REDRILL_REHEARSAL:-}" = true ]; then
  echo "a rehearsal: $instance was not asked"
  exit 0
fi
if [ $# = 0 ]; then
  echo "no HOST:PORT to try"
  exit 2
fi
list=""
for place in "$@"; do
  case "$place" in
  *[!A-Za-z0-9.:-]* | *:*:* | :* | *: | [!A-Za-z0-9]*)
    echo "not HOST:PORT: $place"
    exit 2
    ;;
  *:*) list="$list $place" ;;
  *)
    echo "not HOST:PORT: $place"
    exit 2
    ;;
  esac
done
# Only letters, digits, `.`, `:` and `-` are in the list.
script="reached=0; for place in$list; do if timeout 5 bash -c \\\"</dev/tcp/\${place%:*}/\${place##*:}\\\" 2>/dev/null; then echo reaches \$place; reached=1; fi; done; test \$reached = 0 && echo walled in"
id=$(aws ssm send-command --instance-ids "$instance" --document-name AWS-RunShellScript \
  --parameters "{\"commands\":[\"$script\"]}" --query Command.CommandId --output text)
aws ssm wait command-executed --command-id "$id" --instance-id "$instance" || true
said=$(aws ssm get-command-invocation --command-id "$id" --instance-id "$instance" --query StandardOutputContent --output text)
echo "$said"
case "$said" in
"walled in"*) exit 0 ;;
*) exit 1 ;;
esac
