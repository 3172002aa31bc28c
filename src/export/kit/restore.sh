#!/usr/bin/env bash
# Restores what a redrill plan asks for, with bash 3.2 or later, the AWS CLI (v1 or v2) and the tools that every Unix has.
#
# Each restore is sent once. Before a request leaves, a file says so (state/NAME.1.intent); what AWS answers is in another
# (state/NAME.1.job). Where the second is missing, the script looks at AWS for the job before it sends anything. So it can be
# stopped at any moment and started again: it continues.
#
# `./restore.sh --help` says more; RUNBOOK.md and runbook.html have a page for each restore.

# Where `sh` is another shell, `sh restore.sh` would end at the first array.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"

# What the plan asks for. `redrill export kit` writes these lines; everything below them is the same in every kit.
# BEGIN PLAN
PLAN='example'
RUN='main'
ON_FAILURE='continue'
# By target.
ACCOUNT=('123456789012')
REGION=('us-west-2')
ASSUME=('')
PLACE=('{"account":"123456789012","region":"us-west-2"}')
# By limit: how many restores may run at once.
MAX=()
# By restore, each after those that it needs.
NAME=('files')
FILE=('files')
TYPE=('EFS')
TARGET=(0)
POINT=('arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-4000-8000-000000000000')
NEEDS=('')
LIMITS_OF=('')
TOKEN=('rd1-0000000000000000000000000000000000000000')
MARKED=(1)
FOLLOW=(0)
BY_HAND=(0)
# END PLAN

set -u
COUNT=${#NAME[@]}
KIT=$(cd "$(dirname "$0")" && pwd) || exit 1
STATE=${KIT_STATE:-$KIT/state}
AWS=${KIT_AWS:-aws}
POLL=${KIT_POLL_SECONDS:-15}
# AWS lists a new restore job within this time.
VISIBLE=${KIT_VISIBLE_SECONDS:-120}
ENDPOINT=${KIT_ENDPOINT_URL:-${AWS_ENDPOINT_URL_BACKUP:-${AWS_ENDPOINT_URL:-AWS}}}
# Older jobs are not listed.
LISTED=2592000
# How old the first look at the jobs of a target may get.
LOOK_AGE=600
export AWS_PAGER=''

DONE=0 UNEXPECTED=1 INVALID=4 UNFINISHED=5 FAILED=6 HELD=10 USAGE=64

usage() {
  cat <<END
Restores the $COUNT restores of plan $PLAN, run $RUN, with the AWS CLI.

Usage: ./restore.sh [OPTIONS]

  --list               Print every restore, and exit
  --status             Print what this kit has done, from its files, and exit
  --only NAME          Start only this restore; may be given again
  --yes                Do not ask before starting
  --retry-failed       Start again what has failed: a new attempt, with a new token
  --adopt NAME=JOB     Take this restore job for that restore
  --start-anyway NAME  Start this restore although a job that asked for the same exists
  --help               Print this

Run it again to continue after an interruption; nothing is started twice.

Environment:
  PROFILE_1, …          AWS CLI profile of each target; the AWS CLI's default otherwise
  REDRILL_VAR_<NAME>    A secret of the plan; it is asked for otherwise, and is never written down
  KIT_STATE             Directory for what this kit records (default: state/ next to this script)
  KIT_POLL_SECONDS      Seconds between looks at running jobs (default: 15)
  KIT_ENDPOINT_URL      Another endpoint than AWS's, such as an emulator

Exit codes:
  0  done: every restore has completed
  1  AWS, the network or the disk failed; run it again
  4  the kit was changed, or conflicts with what was started
  5  not finished: interrupted, or it needs an answer; run it again to continue
  6  a restore has failed
 10  another copy of this script is running
 64  the command line is wrong
END
}

say() {
  printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2
}

# Ends with a code; what is wrong, and what to do about it.
stop() {
  local code=$1
  shift
  printf 'error: %s\n' "$1" >&2
  shift
  while [ $# -gt 0 ]; do
    printf 'help: %s\n' "$1" >&2
    shift
  done
  unlock
  exit "$code"
}

now() {
  date +%s
}

pause() {
  [ "$1" = 0 ] || sleep "$1"
}

# ---------------------------------------------------------------------------------------------------------------------
# Files of the state. A file is created whole or not at all, by a hard link, and is never overwritten.

# Returns 1 where the file is there already.
put() {
  local draft="$STATE/.draft.$$"
  printf '%s\n' "$2" >|"$draft" || stop $UNEXPECTED "cannot write to $STATE" "make room, or check its permissions"
  if ln "$draft" "$1" 2>/dev/null; then
    rm -f "$draft"
    return 0
  fi
  rm -f "$draft"
  [ -e "$1" ] && return 1
  stop $UNEXPECTED "cannot create $1" "set KIT_STATE to a directory on a file system with hard links"
}

# Writes when a request was last sent; the only file that is replaced.
note_sent() {
  local draft="$STATE/.draft.$$"
  if ! { printf '%s\n' "$2" >|"$draft" && mv -f "$draft" "$1"; }; then
    stop $UNEXPECTED "cannot write $1" "make room, or check its permissions"
  fi
}

LOCKED=''

lock() {
  local owner mine pid host
  mine="$$ $(uname -n)"
  until put "$STATE/lock" "$mine"; do
    owner=$(cat "$STATE/lock" 2>/dev/null) || continue
    pid=${owner%% *}
    host=${owner#* }
    if [ "$host" != "$(uname -n)" ]; then
      stop $HELD "another copy of this script works on $STATE: process $pid on $host" \
        "where that machine is gone for good: rm '$STATE/lock'"
    fi
    # Another user's process cannot be signalled, and is listed.
    if kill -0 "$pid" 2>/dev/null || ps -p "$pid" >/dev/null 2>&1; then
      stop $HELD "another copy of this script works on $STATE: process $pid" \
        "wait for it; if 'ps -p $pid' shows another program: rm '$STATE/lock'"
    fi
    # Only one of several that find it can move it away, and what was moved has to be what was read.
    if mv "$STATE/lock" "$STATE/.stale.$$" 2>/dev/null; then
      if [ "$(cat "$STATE/.stale.$$")" = "$owner" ]; then
        say "a copy of this script, process $pid, ended without a word; continuing after it"
      else
        ln "$STATE/.stale.$$" "$STATE/lock" 2>/dev/null
      fi
      rm -f "$STATE/.stale.$$"
    fi
  done
  LOCKED=1
  rm -f "$STATE"/.draft.*
}

unlock() {
  [ -z "$LOCKED" ] || rm -f "$STATE/lock"
  LOCKED=''
}

# ---------------------------------------------------------------------------------------------------------------------
# Requests: docs/tokens.md of redrill, in shell.

# The SHA-1 or SHA-256 of standard input, in hexadecimal.
digest() {
  local sum
  if command -v "sha$1sum" >/dev/null 2>&1; then
    sum=$("sha$1sum")
  elif command -v shasum >/dev/null 2>&1; then
    sum=$(shasum -a "$1")
  else
    sum=$(openssl dgst "-sha$1" -r)
  fi
  printf '%s' "${sum%% *}"
}

# A text as it is written in a JSON string: ESCAPED.
escape() {
  local rest=$1 c code
  case $rest in
    *[\"\\[:cntrl:]]*) ESCAPED='' ;;
    *)
      ESCAPED=$rest
      return
      ;;
  esac
  while [ -n "$rest" ]; do
    c=${rest:0:1}
    rest=${rest:1}
    case $c in
      [\"\\]) c="\\$c" ;;
      [[:cntrl:]])
        printf -v code '%d' "'$c"
        case $code in
          8) c='\b' ;;
          9) c='\t' ;;
          10) c='\n' ;;
          12) c='\f' ;;
          13) c='\r' ;;
          [0-9] | [12][0-9] | 3[01]) printf -v c '\\u%04x' "$code" ;;
        esac
        ;;
    esac
    ESCAPED=$ESCAPED$c
  done
}

# A text with each of one part replaced by another: REPLACED.
replace() {
  local rest=$1
  REPLACED=''
  while :; do
    case $rest in
      *"$2"*) ;;
      *) break ;;
    esac
    REPLACED=$REPLACED${rest%%"$2"*}$3
    rest=${rest#*"$2"}
  done
  REPLACED=$REPLACED$rest
}

# The UUID, version 5 in the URL namespace, that marks the job of a token: MARK.
mark_of() {
  local hash
  hash=$({
    printf '\153\247\270\021\235\255\021\321\200\264\000\300\117\324\060\310'
    printf 'urn:redrill:token:%s' "$1"
  } | digest 1)
  printf -v MARK '%s-%s-5%s-%x%s-%s' "${hash:0:8}" "${hash:8:4}" "${hash:13:3}" \
    $(((16#${hash:16:1} & 3) | 8)) "${hash:17:3}" "${hash:20:12}"
}

SECRET_NAMES=()
SECRET_VALUES=()

# The value of a secret: SECRET. Asked for once, and passed to no other program by its environment.
secret() {
  local i=0 variable
  while [ "$i" -lt "${#SECRET_NAMES[@]}" ]; do
    if [ "${SECRET_NAMES[i]}" = "$1" ]; then
      SECRET=${SECRET_VALUES[i]}
      return
    fi
    i=$((i + 1))
  done
  variable=REDRILL_VAR_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')
  SECRET=${!variable-}
  if [ -n "$SECRET" ]; then
    unset "$variable"
  elif { true </dev/tty; } 2>/dev/null; then
    printf 'Value of the secret %s (not shown): ' "$1" >/dev/tty
    IFS= read -rs SECRET </dev/tty
    printf '\n' >/dev/tty
  fi
  [ -n "$SECRET" ] || stop $USAGE "the secret $1 has no value" "set $variable, or run this in a terminal, which asks for it"
  SECRET_NAMES[i]=$1
  SECRET_VALUES[i]=$SECRET
}

# A text on one line, without a secret: LINE.
one_line() {
  local i=0
  LINE=$(printf '%s' "$1" | tr '\n\r\t' '   ')
  while [ "$i" -lt "${#SECRET_NAMES[@]}" ]; do
    replace "$LINE" "${SECRET_VALUES[i]}" '«redacted»'
    LINE=$REPLACED
    i=$((i + 1))
  done
}

# The restore whose files have a name: FOUND.
by_file() {
  FOUND=0
  while [ "$FOUND" -lt "$COUNT" ]; do
    [ "${FILE[FOUND]}" = "$1" ] && return
    FOUND=$((FOUND + 1))
  done
  return 1
}

# A request with what is known only now in place of @@KIND:LEVEL:WHOSE@@: FILLED. LEVEL is how often it is escaped, once more
# for each string of JSON that it is within.
fill() {
  local rest=$1 hole kind level who value
  FILLED=''
  while :; do
    case $rest in
      *@@*@@*) ;;
      *) break ;;
    esac
    FILLED=$FILLED${rest%%@@*}
    rest=${rest#*@@}
    hole=${rest%%@@*}
    rest=${rest#*@@}
    kind=${hole%%:*}
    level=${hole#*:}
    who=${level#*:}
    level=${level%%:*}
    if [ "$kind" = secret ]; then
      secret "$who"
      value=$SECRET
    else
      by_file "$who" || return 1
      value=${ARN[FOUND]}
      case $kind in
        job) value=${JOB[FOUND]} ;;
        arn-after-slash) value=${value##*/} ;;
        arn-after-colon) value=${value##*:} ;;
      esac
      if [ -z "$value" ]; then
        LACKS="AWS has not said what ${NAME[FOUND]} has created"
        return 1
      fi
    fi
    while [ "$level" -gt 0 ]; do
      escape "$value"
      value=$ESCAPED
      level=$((level - 1))
    done
    FILLED=$FILLED$value
  done
  FILLED=$FILLED$rest
}

# The request of a restore in its attempt: BODY, with BODY_TOKEN in it. Returns 1 where something is not known: LACKS.
build() {
  local i=$1 attempt=${ATTEMPT[$1]} text plain token mark='' hash name
  text=$(cat "$KIT/requests/${FILE[i]}.json") || stop $UNEXPECTED "cannot read requests/${FILE[i]}.json"
  token=${TOKEN[i]}
  BODY=$text
  BODY_TOKEN=$token
  if [ -n "$token" ] && [ "$attempt" = 1 ]; then
    return
  fi
  # The token is that of the request without token and mark.
  if [ -z "$token" ]; then
    token='@@token@@'
    mark='@@mark@@'
  elif [ "${MARKED[i]}" = 1 ]; then
    mark_of "$token"
    mark=$MARK
  fi
  replace "$text" "\"IdempotencyToken\":\"$token\"," ''
  plain=$REPLACED
  if [ "${MARKED[i]}" = 1 ]; then
    mark="\"aws:backup:request-id\":\"$mark\""
    case $plain in
      *",$mark"*) replace "$plain" ",$mark" '' ;;
      *"$mark,"*) replace "$plain" "$mark," '' ;;
      *) replace "$plain" "$mark" '' ;;
    esac
    plain=$REPLACED
  fi
  if [ -z "${TOKEN[i]}" ]; then
    fill "$plain" || return 1
    plain=$FILLED
  fi
  escape "$PLAN"
  hash="{\"attempt\":$attempt,\"plan\":\"$ESCAPED\",\"request\":$plain"
  escape "${NAME[i]}"
  name=$ESCAPED
  escape "$RUN"
  hash="$hash,\"restore\":\"$name\",\"run\":\"$ESCAPED\",\"target\":${PLACE[TARGET[i]]}}"
  hash=$(printf '%s' "$hash" | digest 256)
  BODY_TOKEN=rd1-${hash:0:40}
  replace "$text" "\"IdempotencyToken\":\"$token\"" "\"IdempotencyToken\":\"$BODY_TOKEN\""
  text=$REPLACED
  if [ "${MARKED[i]}" = 1 ]; then
    mark_of "$BODY_TOKEN"
    replace "$text" "$mark" "\"aws:backup:request-id\":\"$MARK\""
    text=$REPLACED
  fi
  BODY=$text
  if [ -z "${TOKEN[i]}" ]; then
    fill "$text" || return 1
    BODY=$FILLED
  fi
}

# ---------------------------------------------------------------------------------------------------------------------
# Calls

INPUT='' FORMAT=text PLACE_OF_CALL=.

# Calls AWS for a target: OUT is what the AWS CLI printed.
call() {
  local target=$1 profile
  shift
  profile=PROFILE_$((target + 1))
  profile=${!profile-}
  set -- "$@" --region "${REGION[target]}" --output "$FORMAT" --cli-connect-timeout 10 --cli-read-timeout 60
  [ -z "$profile" ] || set -- "$@" --profile "$profile"
  [ -z "${KIT_ENDPOINT_URL-}" ] || set -- "$@" --endpoint-url "$KIT_ENDPOINT_URL"
  OUT=$(cd "$PLACE_OF_CALL" && printf '%s' "$INPUT" | "$AWS" "$@" 2>&1)
}

# What a call that failed says: ERROR is AWS's code, empty where AWS has not answered, and LINE its message.
failure() {
  local rest
  ERROR=''
  rest=$OUT
  case $OUT in
    *'An error occurred ('*')'*)
      rest=${OUT#*An error occurred (}
      ERROR=${rest%%)*}
      rest=${rest#*operation*: }
      ;;
  esac
  # A page of a proxy has a status and no code.
  case $ERROR in
    '' | *[!A-Za-z.]*) ERROR='' ;;
  esac
  one_line "$rest"
}

# Whether the caller has to sign in again, or has no credentials at all.
is_signed_out() {
  case $ERROR in
    ExpiredToken* | UnrecognizedClient* | InvalidClientTokenId | InvalidSignature* | SignatureDoesNotMatch | RequestExpired | \
      IncompleteSignature | MissingAuthenticationToken* | InvalidAccessKeyId) return ;;
    '') ;;
    *) return 1 ;;
  esac
  case $LINE in
    *'locate credentials'* | *'could not be found'* | *'SSO'* | *'sso'* | *'oken has expired'* | *'artial credentials'* | *'redentials'*)
      return
      ;;
  esac
  return 1
}

# Makes a call that only reads, until AWS answers; returns 1 where AWS refuses it.
ask() {
  local wait=2
  INPUT=''
  until call "$@"; do
    failure
    if is_signed_out; then
      stop $UNEXPECTED "AWS does not know the caller: $LINE" \
        "sign in, or set PROFILE_$(($1 + 1)), and run this again: jobs that were started continue at AWS, and are found again"
    fi
    case $ERROR in
      '' | Throttl* | TooManyRequests* | RequestLimitExceeded | SlowDown | ServiceUnavailable* | Internal* | DependencyFailure* | \
        RequestTimeout*) ;;
      *) return 1 ;;
    esac
    say "AWS does not answer (${ERROR:-$LINE}); asking again in $wait s. Jobs that were started continue."
    sleep $wait
    [ $wait -ge 60 ] || wait=$((wait * 2))
  done
}

# The restore jobs of a target, a line each: job|ID|STATUS|POINT. Those since a moment, where one is given.
list_jobs() {
  local target=$1
  set -- "$target" backup list-restore-jobs --by-account-id "${ACCOUNT[target]}" \
    --query "RestoreJobs[].[join('|',['job',RestoreJobId,Status,RecoveryPointArn || ''])]" ${2:+--by-created-after "$2"}
  ask "$@" || stop $UNEXPECTED "AWS refuses to list restore jobs: $LINE" \
    "the caller needs backup:ListRestoreJobs; nothing was sent meanwhile"
  JOBS=$OUT
}

# ---------------------------------------------------------------------------------------------------------------------
# Restores: ST is what each is doing; waiting, intended (sent, without an answer), running, completed, failed, skipped, asking,
# overdue (followed for as long as the plan says).

ST=() JOB=() ARN=() SAYS=() ATTEMPT=() CHOSEN=() SENT=() ANYWAY=() BUSY=() SECRETIVE=()
# The jobs that are known to be this kit's.
OURS=' '

become() {
  local i=$1 limit
  case ${ST[i]} in
    running | intended) for limit in ${LIMITS_OF[i]}; do BUSY[limit]=$((BUSY[limit] - 1)); done ;;
  esac
  ST[i]=$2
  case $2 in
    running | intended) for limit in ${LIMITS_OF[i]}; do BUSY[limit]=$((BUSY[limit] + 1)); done ;;
  esac
}

# The files of a restore's attempt begin with this: BASE.
base() {
  BASE="$STATE/${FILE[$1]}.${ATTEMPT[$1]}"
}

# What the files say of every restore.
load() {
  local i=0 token job sent arn says
  while [ "$i" -lt "${#MAX[@]}" ]; do
    BUSY[i]=0
    i=$((i + 1))
  done
  i=0
  while [ "$i" -lt "$COUNT" ]; do
    ST[i]=waiting JOB[i]='' ARN[i]='' SAYS[i]='' ATTEMPT[i]=1 CHOSEN[i]=1 SENT[i]=0 ANYWAY[i]='' SECRETIVE[i]=''
    base "$i"
    while [ -e "$BASE.retry" ]; do
      if [ -e "$BASE.job" ]; then
        OURS="$OURS$(cat "$BASE.job") "
      fi
      ATTEMPT[i]=$((ATTEMPT[i] + 1))
      base "$i"
    done
    if [ -e "$BASE.intent" ]; then
      read -r token sent <"$BASE.intent"
      [ ! -e "$BASE.sent" ] || read -r sent <"$BASE.sent"
      SENT[i]=$sent
      if [ -n "${TOKEN[i]}" ] && [ "${ATTEMPT[i]}" = 1 ] && [ "$token" != "${TOKEN[i]}" ]; then
        stop $INVALID "${NAME[i]} was started by another export of this plan, with another request" \
          "use that export, or export with another --run-id for another run"
      fi
      become "$i" intended
    fi
    if [ -e "$BASE.job" ]; then
      read -r job <"$BASE.job"
      JOB[i]=$job
      OURS="$OURS$job "
      become "$i" running
    fi
    if [ -e "$BASE.end" ]; then
      {
        read -r token
        read -r arn
        read -r says
      } <"$BASE.end"
      ARN[i]=$arn SAYS[i]=$says
      case $token in
        COMPLETED) become "$i" completed ;;
        *) become "$i" failed ;;
      esac
    fi
    i=$((i + 1))
  done
}

# The restore of a name: FOUND.
by_name() {
  FOUND=0
  while [ "$FOUND" -lt "$COUNT" ]; do
    [ "${NAME[FOUND]}" = "$1" ] && return
    FOUND=$((FOUND + 1))
  done
  stop $USAGE "this kit has no restore $1" "./restore.sh --list prints them"
}

# Records how a restore has ended.
ended() {
  local i=$1 status=$2
  ARN[i]=$3
  one_line "$4"
  SAYS[i]=$LINE
  base "$i"
  put "$BASE.end" "$status
${ARN[i]}
${SAYS[i]}"
  if [ "$status" = COMPLETED ]; then
    become "$i" completed
    say "${NAME[i]}: completed${ARN[i]:+, ${ARN[i]}}${SAYS[i]:+ (AWS says: ${SAYS[i]})}"
  else
    become "$i" failed
    say "${NAME[i]}: FAILED: ${SAYS[i]:-$status, without a message}. See its page in RUNBOOK.md"
  fi
}

# Records which job is a restore's.
has_job() {
  local i=$1 job=$2
  case $OURS in
    *" $job "*)
      stop $FAILED "AWS names job $job for ${NAME[i]}, and it is that of another restore" \
        "nothing more was started; look at the job in AWS Backup"
      ;;
  esac
  base "$i"
  put "$BASE.job" "$job"
  JOB[i]=$job
  OURS="$OURS$job "
  become "$i" running
}

# Whether a job asked for what BODY asks for: by the mark, else by the whole of its metadata.
is_same() {
  local i=$1 job=$2 line ours length=0
  if [ "${MARKED[i]}" = 1 ]; then
    ask "${TARGET[i]}" backup get-restore-job-metadata --restore-job-id "$job" \
      --query "join('|',['mark',Metadata.\"aws:backup:request-id\" || ''])" || stop_unread "$job"
    mark_of "$BODY_TOKEN"
    line=$(printf '%s\n' "$OUT" | grep '^mark|' | tr 'A-F' 'a-f')
    [ "$line" = "mark|$MARK" ]
    return
  fi
  ask_metadata "${TARGET[i]}" "$job"
  metadata_of_body
  ours=$METADATA
  while IFS= read -r line; do
    line=${line#"${line%%[! ]*}"}
    case $line in
      '"'*) ;;
      *) continue ;;
    esac
    line=${line%,}
    # The first `": "` is behind the key, which holds no quote of its own that is not escaped.
    line=${line%%'": "'*}'":"'${line#*'": "'}
    case ",$ours," in
      *",$line,"*) length=$((length + ${#line} + 1)) ;;
      *) return 1 ;;
    esac
  done <<END
$OUT
END
  [ "$length" = $((${#ours} + 1)) ] || { [ -z "$ours" ] && [ "$length" = 0 ]; }
}

stop_unread() {
  stop $UNEXPECTED "AWS refuses to show the metadata of job $1: $LINE" \
    "the caller needs backup:GetRestoreJobMetadata; nothing was sent meanwhile"
}

# The metadata of a job as JSON, one key a line: OUT.
ask_metadata() {
  FORMAT=json
  ask "$1" backup get-restore-job-metadata --restore-job-id "$2" --query Metadata || stop_unread "$2"
  FORMAT=text
}

# The jobs of a restore's recovery point that are not known to be this kit's: SAME asked for the very same, OTHERS did not.
find_jobs() {
  local i=$1 tag job status point
  SAME='' OTHERS=''
  point_of_body
  case $JOBS in
    *"|$BODY_POINT"*) ;;
    *) return 0 ;;
  esac
  while IFS='|' read -r tag job status point <&3; do
    [ "$tag|$point" = "job|$BODY_POINT" ] || continue
    case $OURS in
      *" $job "*) continue ;;
    esac
    if is_same "$i" "$job"; then
      SAME="$SAME$job "
    else
      OTHERS="$OTHERS$job ($status) "
    fi
  done 3<<END
$JOBS
END
}

# The recovery point that BODY asks for: BODY_POINT.
point_of_body() {
  BODY_POINT=${BODY##*\"RecoveryPointArn\":\"}
  BODY_POINT=${BODY_POINT%%\"*}
}

# Adopts the one job in SAME; returns 1 where there is none.
adopt() {
  local i=$1
  [ -n "$SAME" ] || return 1
  case ${SAME% } in
    *' '*)
      stop $FAILED "SECOND JOB: several restore jobs are ${NAME[i]}'s: $SAME" \
        "nothing more was started; look at them in AWS Backup, and take one with --adopt '${NAME[i]}=JOB'"
      ;;
  esac
  base "$i"
  put "$BASE.intent" "$BODY_TOKEN $(now)"
  has_job "$i" "${SAME% }"
  say "${NAME[i]}: found its job ${JOB[i]}; following it"
}

# The request cannot be completed: nothing is sent.
cannot() {
  SAYS[$1]=$LACKS
  become "$1" failed
  say "${NAME[$1]}: not started: $LACKS"
}

LOOKED=() LOOKED_AT=()

# Jobs of a target as they were at most some minutes ago: JOBS.
look() {
  local target=$1
  if [ $(($(now) - ${LOOKED_AT[target]:-0})) -ge $LOOK_AGE ]; then
    list_jobs "$target"
    LOOKED[target]=$JOBS
    LOOKED_AT[target]=$(now)
  fi
  JOBS=${LOOKED[target]}
}

# Starts a restore, unless it has a job already.
begin() {
  local i=$1
  build "$i" || {
    cannot "$i"
    return
  }
  look "${TARGET[i]}"
  find_jobs "$i"
  if [ -n "$SAME" ] && [ -z "${ANYWAY[i]}" ]; then
    if [ "${MARKED[i]}" = 1 ]; then
      adopt "$i"
      return
    fi
    SAYS[i]="job ${SAME% } asked for exactly the same, and nothing says whether it is this run's; run again with --adopt '${NAME[i]}=JOB' to take it, or with --start-anyway '${NAME[i]}'"
    become "$i" asking
    say "${NAME[i]}: ${SAYS[i]}"
    return
  fi
  base "$i"
  SENT[i]=$(now)
  put "$BASE.intent" "$BODY_TOKEN ${SENT[i]}" || stop $UNEXPECTED "$BASE.intent appeared while this script had the lock"
  become "$i" intended
  send "$i"
}

# Has the AWS CLI send BODY. It reads the file of a request twice, so that it cannot be given one by standard input. Metadata alone
# it reads once: so a secret is neither in a file nor in the list of processes.
call_start() {
  local i=$1 role code
  if [ -n "${TOKEN[i]}" ] && [ "${ATTEMPT[i]}" = 1 ]; then
    PLACE_OF_CALL=$KIT
    set -- --cli-input-json "file://requests/${FILE[i]}.json"
  elif [ -z "${SECRETIVE[i]}" ]; then
    put "$BASE.request" "$BODY"
    PLACE_OF_CALL=$STATE
    set -- --cli-input-json "file://${FILE[i]}.${ATTEMPT[i]}.request"
  else
    metadata_of_body
    INPUT="{$METADATA}"
    set -- --recovery-point-arn "${POINT[i]}" --idempotency-token "$BODY_TOKEN" --resource-type "${TYPE[i]}" \
      --metadata file:///dev/stdin
    case $BODY in
      *'"IamRoleArn":"'*'"Metadata":{'*)
        role=${BODY#*\"IamRoleArn\":\"}
        set -- "$@" --iam-role-arn "${role%%\"*}"
        ;;
    esac
    case $BODY in
      '{"CopySourceTagsToRestoredResource":true,'*) set -- "$@" --copy-source-tags-to-restored-resource ;;
      '{"CopySourceTagsToRestoredResource":false,'*) set -- "$@" --no-copy-source-tags-to-restored-resource ;;
    esac
  fi
  call "${TARGET[i]}" backup start-restore-job "$@" --query "join('|',['started',RestoreJobId])"
  code=$?
  INPUT='' PLACE_OF_CALL=.
  return $code
}

# The members of BODY's metadata: METADATA.
metadata_of_body() {
  METADATA=${BODY#*\"Metadata\":\{}
  METADATA=${METADATA%\},\"RecoveryPointArn\":*}
}

# Sends a request whose intent is on disk.
send() {
  local i=$1 job
  if call_start "$i"; then
    job=$(printf '%s\n' "$OUT" | sed -n 's/^started|\([0-9A-Za-z-]*\)$/\1/p')
    if [ -n "$job" ]; then
      has_job "$i" "$job"
      say "${NAME[i]}: started, job $job"
      return
    fi
    one_line "$OUT"
    ERROR=''
  else
    failure
  fi
  case $ERROR$LINE in
    *'rror parsing parameter'* | *'arameter validation failed'* | *'usage: aws'* | *'nknown options'* | *'nvalid choice'* | \
      *'ommand not found'* | *'o such file or directory'*)
      stop $UNEXPECTED "the AWS CLI did not send the request of ${NAME[i]}: $LINE" \
        "nothing was started for it; correct that, or use another version of the AWS CLI (KIT_AWS), and run this again"
      ;;
  esac
  if is_signed_out; then
    stop $UNEXPECTED "AWS does not know the caller: $LINE" \
      "sign in, or set PROFILE_$((TARGET[i] + 1)), and run this again: it finds what was started"
  fi
  case $ERROR in
    '' | ServiceUnavailable* | Internal* | DependencyFailure* | RequestTimeout* | RequestAborted*)
      say "${NAME[i]}: no answer (${ERROR:-$LINE}); its job is looked for before anything is sent again"
      ;;
    Throttl* | TooManyRequests* | RequestLimitExceeded | SlowDown | PriorRequestNotComplete)
      # AWS has not done anything; the next round sends it again.
      SENT[i]=0
      say "${NAME[i]}: AWS is busy; it is sent again"
      ;;
    *)
      case $LINE in
        *'estore job '*' already finished'*)
          job=${LINE#*estore job }
          has_job "$i" "${job%% *}"
          say "${NAME[i]}: AWS says that its job ${JOB[i]} has finished"
          ;;
        *) ended "$i" REJECTED '' "$ERROR: $LINE" ;;
      esac
      ;;
  esac
}

# Settles a request without an answer: its job is found, or AWS has none and it is sent again with the same token.
settle() {
  local i=$1 token age
  build "$i" || {
    cannot "$i"
    return
  }
  base "$i"
  read -r token _ <"$BASE.intent"
  if [ "$token" != "$BODY_TOKEN" ]; then
    stop $INVALID "${NAME[i]} was sent without an answer, and what would be sent now differs" \
      "give the same secrets as before; else look for its job in AWS Backup, and take it with --adopt '${NAME[i]}=JOB'"
  fi
  age=$(($(now) - SENT[i]))
  # A request that AWS was too busy for was not carried out.
  if [ "${SENT[i]}" != 0 ]; then
    if [ $age -gt $LISTED ]; then
      SAYS[i]="sent more than 30 days ago without an answer, and AWS lists no older jobs; look for what it would have created, then use --adopt '${NAME[i]}=JOB', or --start-anyway '${NAME[i]}'"
      [ -n "${ANYWAY[i]}" ] || {
        become "$i" asking
        return
      }
    fi
    list_jobs "${TARGET[i]}" "$((SENT[i] - 86400))"
    find_jobs "$i"
    adopt "$i" && return
    if [ -n "$OTHERS" ] && [ "${MARKED[i]}" != 1 ] && [ -z "${ANYWAY[i]}" ]; then
      SAYS[i]="sent without an answer; other jobs of its recovery point: $OTHERS. Look at them in AWS Backup; take one with --adopt '${NAME[i]}=JOB', or use --start-anyway '${NAME[i]}' where none is its"
      become "$i" asking
      say "${NAME[i]}: ${SAYS[i]}"
      return
    fi
    # A new job may not be listed yet.
    [ $age -ge "$VISIBLE" ] || return
  fi
  SENT[i]=$(now)
  note_sent "$BASE.sent" "${SENT[i]}"
  send "$i"
}

# Looks at a running job.
poll() {
  local i=$1 tag status point arn says
  ask "${TARGET[i]}" backup describe-restore-job --restore-job-id "${JOB[i]}" \
    --query "join('|',['job',Status,RecoveryPointArn || '',CreatedResourceArn || '',StatusMessage || ''])" || {
    SAYS[i]="AWS does not show job ${JOB[i]}: $LINE"
    become "$i" asking
    say "${NAME[i]}: ${SAYS[i]}"
    return
  }
  IFS='|' read -r tag status point arn says <<END
$(printf '%s\n' "$OUT" | sed -n '/^job|/,$p' | tr '\n' ' ')
END
  if [ "$tag" != job ] || { [ -n "${POINT[i]}" ] && [ "$point" != "${POINT[i]}" ]; }; then
    stop $UNEXPECTED "job ${JOB[i]} of ${NAME[i]} is one of another recovery point: $point" "check account, Region and endpoint"
  fi
  says=${says% }
  case $status in
    COMPLETED) ended "$i" COMPLETED "${arn% }" "$says" ;;
    FAILED | ABORTED) ended "$i" "$status" "${arn% }" "${says:-$status}" ;;
    *)
      if [ "${FOLLOW[i]}" -gt 0 ] && [ $(($(now) - SENT[i])) -gt "${FOLLOW[i]}" ]; then
        SAYS[i]="not over after ${FOLLOW[i]} seconds, as long as the plan follows it; its job ${JOB[i]} continues at AWS"
        become "$i" overdue
        say "${NAME[i]}: ${SAYS[i]}"
      fi
      ;;
  esac
}

# Looks at every running job of a target: one by one where they are few, by a list otherwise.
poll_target() {
  local target=$1 i=0 running=' ' count=0 tag job status point
  while [ "$i" -lt "$COUNT" ]; do
    if [ "${ST[i]}" = running ] && [ "${TARGET[i]}" = "$target" ]; then
      count=$((count + 1))
      running="$running${JOB[i]}=$i "
    fi
    i=$((i + 1))
  done
  [ $count -gt 0 ] || return
  if [ $count -le 3 ]; then
    for i in $running; do poll "${i#*=}"; done
    return
  fi
  list_jobs "$target"
  while IFS='|' read -r tag job status point <&4; do
    [ "$tag" = job ] || continue
    case $status in
      PENDING | RUNNING) continue ;;
    esac
    case $running in
      *" $job="*)
        i=${running#*" $job="}
        poll "${i%% *}"
        ;;
    esac
  done 4<<END
$JOBS
END
}

# Whether a restore may start: READY. What it needs has completed, and no limit is reached.
may_start() {
  local i=$1 need limit
  READY=''
  [ "${ST[i]}" = waiting ] && [ "${CHOSEN[i]}" = 1 ] || return
  for need in ${NEEDS[i]}; do
    case ${ST[need]} in
      completed) ;;
      failed | skipped | overdue)
        SAYS[i]="${NAME[need]}, which it needs, has not completed"
        become "$i" skipped
        say "${NAME[i]}: not started, because ${SAYS[i]}"
        return
        ;;
      *) return ;;
    esac
  done
  for limit in ${LIMITS_OF[i]}; do
    [ "${BUSY[limit]}" -lt "${MAX[limit]}" ] || return
  done
  READY=1
}

# How many of the chosen are doing something: HOW_MANY.
count_of() {
  local i=0
  HOW_MANY=0
  while [ "$i" -lt "$COUNT" ]; do
    if [ "${ST[i]}" = "$1" ] && [ "${CHOSEN[i]}" = 1 ]; then
      HOW_MANY=$((HOW_MANY + 1))
    fi
    i=$((i + 1))
  done
}

# Starts, settles and follows until nothing more happens.
work() {
  local i target started open
  while :; do
    target=0
    while [ "$target" -lt "${#ACCOUNT[@]}" ]; do
      poll_target "$target"
      target=$((target + 1))
    done
    i=0 started=0
    while [ "$i" -lt "$COUNT" ]; do
      case ${ST[i]} in
        intended) settle "$i" ;;
        waiting)
          HOW_MANY=0
          [ "$ON_FAILURE" = continue ] || count_of failed
          if [ "$HOW_MANY" = 0 ]; then
            may_start "$i"
            if [ -n "$READY" ]; then
              begin "$i"
              started=1
            fi
          fi
          ;;
      esac
      i=$((i + 1))
    done
    count_of running
    open=$HOW_MANY
    count_of intended
    open=$((open + HOW_MANY))
    [ "$open" -gt 0 ] || [ $started = 1 ] || return 0
    [ "$open" = 0 ] || pause "$POLL"
  done
}

# ---------------------------------------------------------------------------------------------------------------------
# What was asked for

list() {
  local i=0 need needs
  while [ "$i" -lt "$COUNT" ]; do
    needs=''
    for need in ${NEEDS[i]}; do needs="$needs ${NAME[need]}"; done
    printf '%s  %s  %s %s  requests/%s.json%s\n' "${NAME[i]}" "${TYPE[i]}" "${ACCOUNT[TARGET[i]]}" "${REGION[TARGET[i]]}" \
      "${FILE[i]}" "${needs:+  needs$needs}"
    i=$((i + 1))
  done
}

summary() {
  local i=0 word all by_hand=0
  printf 'plan %s, run %s, at %s\n' "$PLAN" "$RUN" "$ENDPOINT"
  while [ "$i" -lt "$COUNT" ]; do
    word=${ST[i]}
    case $word in
      waiting | skipped) word='not started' ;;
      intended) word='sent, no answer' ;;
      failed) word=FAILED ;;
      asking) word='needs an answer' ;;
      overdue) word='still running' ;;
      completed) by_hand=$((by_hand + BY_HAND[i])) ;;
    esac
    all="${JOB[i]:+  job ${JOB[i]}}${ARN[i]:+  ${ARN[i]}}${SAYS[i]:+  ${SAYS[i]}}"
    printf '  %-16s %s%s\n' "$word" "${NAME[i]}" "$all"
    i=$((i + 1))
  done
  for word in completed running intended overdue failed waiting skipped asking; do
    i=0 all=0
    while [ "$i" -lt "$COUNT" ]; do
      [ "${ST[i]}" != "$word" ] || all=$((all + 1))
      i=$((i + 1))
    done
    [ $all = 0 ] || printf '%s %s; ' "$all" "$word"
  done
  printf '%s in all\n' "$COUNT"
  [ $by_hand = 0 ] || printf '%s checks are to be run by hand: RUNBOOK.md has them\n' "$by_hand"
}

# shellcheck disable=SC2329 # A trap calls it.
interrupted() {
  trap '' INT TERM HUP
  printf '\n' >&2
  say "interrupted; nothing more is started"
  summary
  printf 'Jobs that run at AWS continue there and cannot be recalled. Run the same command again to continue.\n'
  unlock
  exit $UNFINISHED
}

# The requests have to be what was exported: a token belongs to one request.
check_sums() {
  [ -z "${KIT_UNCHECKED-}" ] || return
  [ -e "$KIT/SHA256SUMS" ] || stop $INVALID "SHA256SUMS is missing" "take the whole directory that was exported"
  if command -v sha256sum >/dev/null 2>&1; then
    set -- sha256sum -c -
  elif command -v shasum >/dev/null 2>&1; then
    set -- shasum -a 256 -c -
  else
    say "this machine has neither sha256sum nor shasum; the requests of the kit were not checked"
    return
  fi
  OUT=$(cd "$KIT" && grep '  requests/' SHA256SUMS | LC_ALL=C "$@" 2>&1) || stop $INVALID \
    "requests of this kit differ from what was exported: $(printf '%s\n' "$OUT" | sed -n 's/: FAILED.*//p' | tr '\n' ' ')" \
    "export again, or get the files back; nothing was sent"
}

# The caller has to be in each target's account before anything starts.
check_callers() {
  local target=0 i wanted account
  while [ "$target" -lt "${#ACCOUNT[@]}" ]; do
    wanted='' i=0
    while [ "$i" -lt "$COUNT" ]; do
      if [ "${TARGET[i]}" = "$target" ] && [ "${CHOSEN[i]}" = 1 ]; then
        case ${ST[i]} in
          waiting | intended | running) wanted=1 ;;
        esac
      fi
      i=$((i + 1))
    done
    if [ -n "$wanted" ]; then
      account=PROFILE_$((target + 1))
      if [ -n "${ASSUME[target]}" ] && [ -z "${!account-}" ]; then
        stop $USAGE "target $((target + 1)), ${ACCOUNT[target]} ${REGION[target]}, is reached by the role ${ASSUME[target]}" \
          "make an AWS CLI profile that assumes this role, and set $account to its name"
      fi
      INPUT=''
      call "$target" sts get-caller-identity --query "join('|',['account',Account])" || {
        failure
        stop $UNEXPECTED "AWS does not say who the caller is: $LINE" "nothing was sent; sign in, or set $account to a profile"
      }
      account=$(printf '%s\n' "$OUT" | sed -n 's/^account|//p')
      if [ "$account" != "${ACCOUNT[target]}" ]; then
        stop $UNEXPECTED "the credentials belong to account $account, and target $((target + 1)) is ${ACCOUNT[target]}" \
          "nothing was sent; set PROFILE_$((target + 1)) to a profile of that account"
      fi
    fi
    target=$((target + 1))
  done
}

# Asks for every secret that is needed before anything starts.
ask_secrets() {
  local i=0 rest
  while [ "$i" -lt "$COUNT" ]; do
    if [ -z "${TOKEN[i]}" ] && grep -q '@@secret:' "$KIT/requests/${FILE[i]}.json"; then
      SECRETIVE[i]=1
    fi
    if [ -n "${SECRETIVE[i]}" ] && [ "${CHOSEN[i]}" = 1 ]; then
      case ${ST[i]} in
        waiting | intended)
          rest=$(cat "$KIT/requests/${FILE[i]}.json")
          while :; do
            case $rest in
              *@@secret:*) ;;
              *) break ;;
            esac
            rest=${rest#*@@secret:*:}
            secret "${rest%%@@*}"
          done
          ;;
      esac
    fi
    i=$((i + 1))
  done
}

confirm() {
  local answer
  count_of waiting
  [ "$HOW_MANY" -gt 0 ] && [ -z "$YES" ] || return 0
  if ! { true </dev/tty; } 2>/dev/null; then
    stop $USAGE "nobody can be asked whether to start $HOW_MANY restores" "add --yes"
  fi
  printf 'Start %s restores of plan %s, run %s, at %s? A restore that was started cannot be recalled. Type yes: ' \
    "$HOW_MANY" "$PLAN" "$RUN" "$ENDPOINT" >/dev/tty
  read -r answer </dev/tty
  [ "$answer" = yes ] || stop $USAGE "not started"
}

# Takes a job for a restore because somebody says so.
adopt_given() {
  local i job=$2
  by_name "$1"
  i=$FOUND
  case ${ST[i]} in
    waiting | intended) ;;
    *) stop $USAGE "$1 has a job, or has ended: ./restore.sh --status shows it" ;;
  esac
  build "$i" || stop $USAGE "$1 cannot take a job yet: $LACKS"
  point_of_body
  ask "${TARGET[i]}" backup describe-restore-job --restore-job-id "$job" \
    --query "join('|',['point',RecoveryPointArn || ''])" || stop $USAGE "AWS does not show job $job: $LINE"
  [ "$(printf '%s\n' "$OUT" | sed -n 's/^point|//p')" = "$BODY_POINT" ] ||
    stop $USAGE "job $job restores another recovery point than $1"
  base "$i"
  put "$BASE.intent" "$BODY_TOKEN $(now)"
  has_job "$i" "$job"
  say "$1: takes job $job"
}

retry_failed() {
  local i=0 status
  while [ "$i" -lt "$COUNT" ]; do
    if [ "${ST[i]}" = failed ] && [ "${CHOSEN[i]}" = 1 ]; then
      base "$i"
      if [ -e "$BASE.end" ]; then
        read -r status <"$BASE.end"
        put "$BASE.retry" "$status"
        ATTEMPT[i]=$((ATTEMPT[i] + 1)) JOB[i]='' ARN[i]='' SAYS[i]='' SENT[i]=0
        become "$i" waiting
      fi
    fi
    i=$((i + 1))
  done
}

# Files of another plan, run or endpoint are not taken up.
check_state() {
  local mine theirs
  mine="$PLAN
$RUN
$ENDPOINT"
  put "$STATE/kit" "$mine" && return
  theirs=$(cat "$STATE/kit")
  [ "$theirs" = "$mine" ] ||
    stop $INVALID "$STATE belongs to another plan, run or endpoint: $(printf '%s' "$theirs" | tr '\n' ' ')" \
      "set KIT_STATE to another directory"
}

verdict() {
  local unfinished=0 word
  summary
  count_of failed
  if [ "$HOW_MANY" -gt 0 ]; then
    printf 'Each page of RUNBOOK.md says what a message means. After the cause is gone: ./restore.sh --retry-failed\n'
    return $FAILED
  fi
  for word in waiting skipped asking intended running overdue; do
    count_of $word
    unfinished=$((unfinished + HOW_MANY))
  done
  if [ $unfinished -gt 0 ]; then
    printf 'Not finished. Run ./restore.sh again to continue.\n'
    return $UNFINISHED
  fi
  return $DONE
}

main() {
  local mode=run only=0 retry='' i adopts='' anyway='' line
  YES='' LACKS='' JOBS=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) mode=help ;;
      --list) mode=list ;;
      --status) mode=status ;;
      --yes) YES=1 ;;
      --retry-failed) retry=1 ;;
      --only | --adopt | --start-anyway)
        [ $# -ge 2 ] || stop $USAGE "$1 needs a value" "./restore.sh --help"
        case $1 in
          --only) only="$only
$2" ;;
          --adopt) adopts="$adopts$2
" ;;
          *) anyway="$anyway$2
" ;;
        esac
        shift
        ;;
      *) stop $USAGE "unknown option $1" "./restore.sh --help" ;;
    esac
    shift
  done
  case $mode in
    help)
      usage
      return $DONE
      ;;
    list)
      list
      return $DONE
      ;;
    status)
      [ -d "$STATE" ] || {
        printf 'Nothing was started with this kit: %s is not there.\n' "$STATE"
        return $DONE
      }
      load
      summary
      return $DONE
      ;;
  esac
  check_sums
  # A token can be guessed from, where a request holds a secret.
  umask 077
  mkdir -p "$STATE" || stop $UNEXPECTED "cannot create $STATE" "set KIT_STATE to another directory"
  lock
  trap interrupted INT TERM HUP
  check_state
  load
  if [ "$only" != 0 ]; then
    i=0
    while [ "$i" -lt "$COUNT" ]; do
      CHOSEN[i]=0
      i=$((i + 1))
    done
    while IFS= read -r line <&5; do
      by_name "$line"
      CHOSEN[FOUND]=1
    done 5<<END
${only#0
}
END
  fi
  [ -z "$retry" ] || retry_failed
  check_callers
  ask_secrets
  while IFS= read -r line <&5; do
    [ -n "$line" ] || continue
    by_name "$line"
    ANYWAY[FOUND]=1
  done 5<<END
$anyway
END
  while IFS= read -r line <&5; do
    [ -n "$line" ] || continue
    case $line in
      *=*) adopt_given "${line%=*}" "${line##*=}" ;;
      *) stop $USAGE "--adopt takes NAME=JOB" ;;
    esac
  done 5<<END
$adopts
END
  confirm
  work
  verdict
  i=$?
  unlock
  return $i
}

main "$@"
