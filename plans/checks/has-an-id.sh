#!/bin/sh
# A check to copy from: says the id of what came back. A real one would read data.
set -eu
id="${1##*[:/]}"
test -n "$id"
echo "$id"
