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
unset CDPATH
KIT=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
STATE=${KIT_STATE:-$KIT/state}
AWS=${KIT_AWS:-aws}
POLL=${KIT_POLL_SECONDS:-15}
# How long the first wait is after which a call is made again.
RETRY=${KIT_RETRY_SECONDS:-2}
# AWS lists a new restore job within this time.
VISIBLE=${KIT_VISIBLE_SECONDS:-120}
ENDPOINT=${KIT_ENDPOINT_URL:-${AWS_ENDPOINT_URL_BACKUP:-${AWS_ENDPOINT_URL:-AWS}}}
# Older jobs are not listed.
LISTED=2592000
# How old the first look at the jobs of a target may get.
LOOK_AGE=600
# What a second look goes back before the first one: for a clock that is five minutes off, and for a listing that lags.
LOOK_LAG=900
# So many attempts before and after its own a restore's job may be found of.
MOST_ATTEMPTS=20
export AWS_PAGER=''
# The AWS CLI is started in other directories.
for NAME_OF_PATH in AWS AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_CA_BUNDLE AWS_WEB_IDENTITY_TOKEN_FILE; do
  case ${!NAME_OF_PATH-} in
    '' | /* | '~'*) ;;
    */*) printf -v "$NAME_OF_PATH" '%s/%s' "$PWD" "${!NAME_OF_PATH}" ;;
    *) [ "$NAME_OF_PATH" = AWS ] || printf -v "$NAME_OF_PATH" '%s/%s' "$PWD" "${!NAME_OF_PATH}" ;;
  esac
done

DONE=0 UNEXPECTED=1 INVALID=4 UNFINISHED=5 FAILED=6 HELD=10 USAGE=64

usage() {
  cat <<END
Restores what plan $PLAN asks for in run $RUN, with the AWS CLI. Number of restores: $COUNT.

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
  KIT_AWS               The AWS CLI (default: aws)
  KIT_ENDPOINT_URL      Another endpoint than AWS's, such as an emulator
  KIT_POLL_SECONDS      Seconds between looks at running jobs (default: 15)
  KIT_RETRY_SECONDS     Seconds before a call without an answer is made again; twice as long each time (default: 2)
  KIT_VISIBLE_SECONDS   Seconds within which AWS lists a new job; shorter is not safe at AWS (default: 120)
  KIT_UNCHECKED         Where it is set, requests are not compared with SHA256SUMS

Exit codes:
  0  done: every restore has completed
  1  AWS, the network or the disk failed, or the caller may not; run it again
  4  the kit was changed, or conflicts with what was started
  5  not finished: interrupted, or it needs an answer; run it again to continue
  6  a restore has failed, or did not bring everything back
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

# Writes a file that may be there: when a request was last sent, and what was asked.
put_over() {
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
  [ -z "$LOCKED" ] || rm -f "$STATE/.draft.$$" "$STATE/lock"
  LOCKED=''
}

# A word of the shell, whatever is in it: QUOTED.
quote() {
  replace "$1" "'" "'\\''"
  QUOTED="'$REPLACED'"
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
  [ -n "$SECRET" ] || stop $USAGE "the secret $1 has no value. Nothing was sent." \
    "set $variable, or run this in a terminal, which asks for it"
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

# The request of a restore without token and mark, with what is known by now: PLAIN; and what stands for them: TOKEN_PLACE,
# MARK_PLACE. Returns 1 where something is not known: LACKS.
plain_of() {
  local i=$1
  TEXT=$(cat "$KIT/requests/${FILE[i]}.json") || stop $UNEXPECTED "cannot read requests/${FILE[i]}.json"
  TOKEN_PLACE=${TOKEN[i]}
  MARK_PLACE=''
  if [ -z "$TOKEN_PLACE" ]; then
    TOKEN_PLACE='@@token@@'
    MARK_PLACE='@@mark@@'
  elif [ "${MARKED[i]}" = 1 ]; then
    mark_of "$TOKEN_PLACE"
    MARK_PLACE=$MARK
  fi
  replace "$TEXT" "\"IdempotencyToken\":\"$TOKEN_PLACE\"," ''
  PLAIN=$REPLACED
  if [ "${MARKED[i]}" = 1 ]; then
    MARK_PLACE="\"aws:backup:request-id\":\"$MARK_PLACE\""
    case $PLAIN in
      *",$MARK_PLACE"*) replace "$PLAIN" ",$MARK_PLACE" '' ;;
      *"$MARK_PLACE,"*) replace "$PLAIN" "$MARK_PLACE," '' ;;
      *) replace "$PLAIN" "$MARK_PLACE" '' ;;
    esac
    PLAIN=$REPLACED
  fi
  [ -z "${TOKEN[i]}" ] || return 0
  fill "$PLAIN" || return 1
  PLAIN=$FILLED
}

# The token of PLAIN in an attempt of a restore: ATTEMPT_TOKEN.
token_of() {
  local i=$1 attempt=$2 hash name
  if [ -n "${TOKEN[i]}" ] && [ "$attempt" = 1 ]; then
    ATTEMPT_TOKEN=${TOKEN[i]}
    return
  fi
  escape "$PLAN"
  hash="{\"attempt\":$attempt,\"plan\":\"$ESCAPED\",\"request\":$PLAIN"
  escape "${NAME[i]}"
  name=$ESCAPED
  escape "$RUN"
  hash="$hash,\"restore\":\"$name\",\"run\":\"$ESCAPED\",\"target\":${PLACE[TARGET[i]]}}"
  hash=$(printf '%s' "$hash" | digest 256)
  ATTEMPT_TOKEN=rd1-${hash:0:40}
}

# The request of a restore in its attempt: BODY, with BODY_TOKEN in it. Returns 1 where something is not known: LACKS.
build() {
  local i=$1 attempt=${ATTEMPT[$1]} text
  if [ -n "${TOKEN[i]}" ] && [ "$attempt" = 1 ]; then
    BODY=$(cat "$KIT/requests/${FILE[i]}.json") || stop $UNEXPECTED "cannot read requests/${FILE[i]}.json"
    BODY_TOKEN=${TOKEN[i]}
    return 0
  fi
  plain_of "$i" || return 1
  token_of "$i" "$attempt"
  BODY_TOKEN=$ATTEMPT_TOKEN
  replace "$TEXT" "\"IdempotencyToken\":\"$TOKEN_PLACE\"" "\"IdempotencyToken\":\"$BODY_TOKEN\""
  text=$REPLACED
  if [ "${MARKED[i]}" = 1 ]; then
    mark_of "$BODY_TOKEN"
    replace "$text" "$MARK_PLACE" "\"aws:backup:request-id\":\"$MARK\""
    text=$REPLACED
  fi
  BODY=$text
  if [ -z "${TOKEN[i]}" ]; then
    fill "$text" || return 1
    BODY=$FILLED
  fi
}

# What a request that is filled in later was exported as, for a token that only what was filled in can tell: TEMPLATE.
template_of() {
  TEMPLATE=$({
    printf '%s\n' "${PLACE[TARGET[$1]]}"
    cat "$KIT/requests/${FILE[$1]}.json"
  } | digest 256)
}

# ---------------------------------------------------------------------------------------------------------------------
# Calls

INPUT='' FORMAT=text PLACE_OF_CALL=. ONCE=''

# Calls AWS for a target: OUT is what the AWS CLI printed. Where ONCE is set, the AWS CLI does not repeat it by itself: it does
# not tell what became of the copy before.
call() {
  local target=$1 profile
  shift
  profile=PROFILE_$((target + 1))
  profile=${!profile-}
  set -- "$@" --region "${REGION[target]}" --output "$FORMAT" --cli-connect-timeout 10 --cli-read-timeout 60
  [ -z "$profile" ] || set -- "$@" --profile "$profile"
  [ -z "${KIT_ENDPOINT_URL-}" ] || set -- "$@" --endpoint-url "$KIT_ENDPOINT_URL"
  OUT=$(
    [ -z "$ONCE" ] || export AWS_MAX_ATTEMPTS=1
    cd -- "$PLACE_OF_CALL" && printf '%s' "$INPUT" | "$AWS" "$@" 2>&1
  )
}

# What a call that failed says: ERROR is AWS's code, empty where AWS has not answered, OPERATION what AWS was asked for, and LINE
# its message.
failure() {
  local rest
  ERROR='' OPERATION=''
  rest=$OUT
  case $OUT in
    *'An error occurred ('*')'*)
      rest=${OUT#*An error occurred (}
      ERROR=${rest%%)*}
      OPERATION=${rest#*"when calling the "}
      OPERATION=${OPERATION%%" operation"*}
      rest=${rest#*" operation"}
      case $rest in
        ' (reached max retries: '*) rest=${rest#*\)} ;;
      esac
      rest=${rest#: }
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

# Whether AWS was too busy, and has done nothing.
is_throttled() {
  case $ERROR in
    Throttl* | RequestThrottled* | TooManyRequests* | RequestLimitExceeded | LimitExceededException | BandwidthLimitExceeded | \
      SlowDown | PriorRequestNotComplete | TransactionInProgress*) ;;
    *) return 1 ;;
  esac
}

# Whether nothing is known of what AWS has done.
is_no_answer() {
  case $ERROR in
    '' | ServiceUnavailable* | Internal* | DependencyFailure* | RequestTimeout* | RequestAborted*) ;;
    *) return 1 ;;
  esac
}

# Whether the AWS CLI has not even called.
is_not_called() {
  [ -z "$ERROR" ] || return 1
  case $OUT in
    *'An error occurred ('*) return 1 ;;
  esac
  case $LINE in
    *'rror parsing parameter'* | *'arameter validation failed'* | *'usage: aws'* | *'nknown options'* | *'nvalid choice'* | \
      *'nable to parse config'* | *'ommand not found'* | *'ermission denied'* | *'o such file or directory'*) ;;
    *) return 1 ;;
  esac
}

# Makes a call that only reads, until AWS answers; returns 1 where AWS refuses it.
ask() {
  local wait=$RETRY
  INPUT=''
  until call "$@"; do
    failure
    if is_signed_out; then
      stop $UNEXPECTED "AWS does not know the caller: $LINE" \
        "nothing was sent meanwhile; sign in, or set PROFILE_$(($1 + 1)) to a profile, and run this again: jobs that were started continue at AWS, and are found again"
    fi
    is_not_called && stop $UNEXPECTED "the AWS CLI does not work: $LINE" "correct that, or name another one with KIT_AWS"
    is_throttled || is_no_answer || return 1
    say "AWS does not answer (${ERROR:+$ERROR: }$LINE); asking again in $wait s. Jobs that were started continue."
    longer_pause
  done
}

# Waits, the next time for longer: the caller's `wait`.
longer_pause() {
  pause "$wait"
  [ "$wait" -ge 60 ] || wait=$((wait * 2))
}

# The restore jobs of a target, a line each: job|ID|STATUS|POINT. Those made since a moment, where one is given.
list_jobs() {
  local target=$1
  set -- "$target" backup list-restore-jobs --by-account-id "${ACCOUNT[target]}" \
    --query "RestoreJobs[].[join('|',['job',RestoreJobId,Status,RecoveryPointArn || ''])]" ${2:+--by-created-after "$2"}
  ask "$@" || stop $UNEXPECTED "AWS refuses to list restore jobs: $LINE" \
    "the caller needs backup:ListRestoreJobs; nothing was sent meanwhile"
  JOBS=$OUT
}

# ---------------------------------------------------------------------------------------------------------------------
# Restores: ST is what each is doing; waiting, intended (sent, without an answer), running, completed, incomplete (AWS says that
# something is missing), failed, skipped, asking, overdue (followed for as long as the plan says).

ST=() JOB=() ARN=() SAYS=() ATTEMPT=() CHOSEN=() SENT=() ANYWAY=() BUSY=() SECRETIVE=()
# What to type where it needs an answer; whether a copy of its request may be at AWS; whether the request has changed since.
# Whether its job was found with nothing but its request to know it by.
ANSWERS=() EXPOSED=() CHANGED=() ALONE=()
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
    ANSWERS[i]='' EXPOSED[i]='' CHANGED[i]='' ALONE[i]=''
    base "$i"
    while [ -e "$BASE.retry" ]; do
      if [ -e "$BASE.job" ]; then
        OURS="$OURS$(cat "$BASE.job") "
      fi
      ATTEMPT[i]=$((ATTEMPT[i] + 1))
      base "$i"
    done
    if [ -e "$BASE.intent" ]; then
      read -r token sent job <"$BASE.intent"
      compare_intent "$i" "$token"
      [ ! -e "$BASE.sent" ] || read -r sent <"$BASE.sent"
      SENT[i]=$sent EXPOSED[i]=1
      become "$i" intended
      # It was about to take this job.
      if [ -n "$job" ] && [ ! -e "$BASE.job" ]; then
        JOB[i]=$job
        OURS="$OURS$job "
        become "$i" running
      fi
    fi
    [ ! -e "$BASE.alone" ] || ALONE[i]=1
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
        INCOMPLETE) become "$i" incomplete ;;
        *) become "$i" failed ;;
      esac
    fi
    i=$((i + 1))
  done
}

# Whether what was sent is what this kit would send: CHANGED.
compare_intent() {
  local i=$1 token=$2 template
  if [ -n "${TOKEN[i]}" ] && [ "${ATTEMPT[i]}" = 1 ]; then
    [ "$token" = "${TOKEN[i]}" ] || CHANGED[i]=1
    return 0
  fi
  if [ -z "${TOKEN[i]}" ]; then
    template=$(sed -n 's/^template //p' "$BASE.intent")
    template_of "$i"
    [ "$template" != "$TEMPLATE" ] || return 0
    # What a secret makes of it shows when it is sent.
    if grep -q '@@secret:' "$KIT/requests/${FILE[i]}.json"; then
      [ -z "$template" ] || CHANGED[i]=1
      return 0
    fi
  fi
  if ! build "$i" || [ "$BODY_TOKEN" != "$token" ]; then
    CHANGED[i]=1
  fi
}

# A request that was sent is not replaced by another one in the same run.
check_changes() {
  local i=0
  while [ "$i" -lt "$COUNT" ]; do
    [ -z "${CHANGED[i]}" ] || stop $INVALID "${NAME[i]} was started by another export of this plan, with another request" \
      "nothing was sent; use that export, or export with another --run-id for another run. Where it has failed, --retry-failed sends the new request"
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

# Whether AWS says of a job that is COMPLETED that something is missing: the words are those that `redrill run` knows.
is_incomplete() {
  case $(printf '%s' "$1" | LC_ALL=C tr '[:upper:]' '[:lower:]') in
    *'objects failed to be restored'* | *'no objects that match the restore request'* | *'objects failed to restore'* | \
      *'nested restore jobs failed'*) return 0 ;;
  esac
  return 1
}

# Records how a restore has ended.
ended() {
  local i=$1 status=$2 says
  ARN[i]=$3
  one_line "$4"
  if [ "$status" = COMPLETED ] && is_incomplete "$LINE"; then
    status=INCOMPLETE
  fi
  SAYS[i]=$LINE
  base "$i"
  put "$BASE.end" "$status
${ARN[i]}
${SAYS[i]}"
  if [ "$status" = COMPLETED ]; then
    become "$i" completed
    say "${NAME[i]}: completed${ARN[i]:+, ${ARN[i]}}${SAYS[i]:+ (AWS says: ${SAYS[i]})}"
  elif [ "$status" = INCOMPLETE ]; then
    become "$i" incomplete
    say "${NAME[i]}: INCOMPLETE${ARN[i]:+, ${ARN[i]}}: AWS says: ${SAYS[i]}"
  else
    become "$i" failed
    says=${SAYS[i]:-$status, without a message}
    say "${NAME[i]}: FAILED: ${says%.}. See RUNBOOK.md"
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

# How a job is like a request, in awk: of the request's mark, its metadata, and the job's metadata as the AWS CLI prints it, a
# line each or more. AWS may write keys and marks in other letters, leave keys out and have some more: only what is known to
# differ tells them apart. `marked`, `foreign MARK` (the mark of another token), `alike` or `other`.
# shellcheck disable=SC2016 # It is awk's.
KINSHIP='
function skip() { sub(/^[ \t\r\n]+/, "", T) }
function next_is(sign) {
  skip()
  if (substr(T, 1, 1) != sign) return 0
  T = substr(T, 2)
  return 1
}
function letter(hex, n, i) {
  n = 0
  for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789abcdef", tolower(substr(hex, i, 1))) - 1
  if (n == 0 || n >= 55296 && n <= 57343) return "\\u" tolower(hex)
  if (n < 128) return sprintf("%c", n)
  if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
  return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
}
function text(s, out, n, c) {
  skip()
  if (! match(T, /^"([^"\\]|\\.)*"/)) { BAD = 1; T = ""; return "" }
  s = substr(T, 2, RLENGTH - 2)
  T = substr(T, RLENGTH + 1)
  out = ""
  while ((n = index(s, "\\")) > 0) {
    c = substr(s, n + 1, 1)
    out = out substr(s, 1, n - 1)
    s = substr(s, n + 2)
    if (c == "u") { c = letter(substr(s, 1, 4)); s = substr(s, 5) }
    else if (c == "n") c = "\n"
    else if (c == "t") c = "\t"
    else if (c == "r") c = "\r"
    else if (c == "b") c = "\b"
    else if (c == "f") c = "\f"
    out = out c
  }
  return out s
}
function value(r, n, m, k, t, members) {
  skip()
  if (substr(T, 1, 1) == "\"") { r = text(); return "\"" length(r) ":" r }
  if (next_is("[")) {
    r = "["
    if (next_is("]")) return r "]"
    do r = r value() ","; while (! BAD && next_is(","))
    if (! next_is("]")) BAD = 1
    return r "]"
  }
  if (next_is("{")) {
    if (next_is("}")) return "{}"
    n = 0
    do {
      k = text()
      if (! next_is(":")) BAD = 1
      t = length(k) ":" k "=" value()
      for (m = n++; m > 0 && members[m] "" > t ""; m--) members[m + 1] = members[m]
      members[m + 1] = t
    } while (! BAD && next_is(","))
    if (! next_is("}")) BAD = 1
    r = "{"
    for (m = 1; m <= n; m++) r = r members[m] ","
    return r "}"
  }
  if (! match(T, /^[-+.0-9A-Za-z]+/)) { BAD = 1; T = ""; return "" }
  r = substr(T, 1, RLENGTH)
  T = substr(T, RLENGTH + 1)
  return r
}
function whole(s, r) {
  T = s; BAD = 0
  r = value(); skip()
  return BAD || T != "" ? "" : r
}
function same(a, b) {
  if (a "" == b "") return 1
  if (tolower(a) ~ /^(true|false)$/ && tolower(a) == tolower(b)) return 1
  if (a !~ /^[[{]/ || b !~ /^[[{]/) return 0
  a = whole(a)
  return a != "" && a == whole(b)
}
function read_into(map, s, n, k) {
  T = s; BAD = 0; n = 0
  if (! next_is("{") || next_is("}")) return 0
  do {
    k = tolower(text())
    if (! next_is(":")) BAD = 1
    skip()
    map[k] = substr(T, 1, 1) == "\"" ? text() : value()
    n++
  } while (! BAD && next_is(","))
  return n
}
function mark(map, m) {
  if (! ("aws:backup:request-id" in map)) return ""
  m = tolower(map["aws:backup:request-id"])
  delete map["aws:backup:request-id"]
  gsub(/urn:uuid:|[-{} \t\r\n]/, "", m)
  return m
}
NR == 1 { own = tolower($0); gsub(/-/, "", own); next }
NR == 2 { ours = $0; next }
/^[ \t]*[{]/ { is_json = 1 }
is_json { theirs = theirs $0 "\n" }
END {
  n = read_into(wanted, ours); if (BAD) exit 1
  m = read_into(found, theirs); if (BAD) exit 1
  n -= "aws:backup:request-id" in wanted
  m -= "aws:backup:request-id" in found
  given = mark(wanted); other = mark(found)
  if (other != "" && other == own) { print "marked"; exit }
  if (other != given && length(other) == 32 && other ~ /^[0-9a-f]+$/ && substr(other, 13, 1) == "5") { print "foreign " other; exit }
  shared = 0
  for (k in wanted) if (k in found) {
    if (! same(wanted[k], found[k])) { print "other"; exit }
    shared++
  }
  print (shared > 0 || n == 0 || m == 0) ? "alike" : "other"
}'

# How a job is like what BODY asks for: KIN is marked, foreign, alike or other, FOREIGN the mark of another token.
kin() {
  local i=$1 job=$2 wait=$RETRY tries=1
  FORMAT=json
  until ask "${TARGET[i]}" backup get-restore-job-metadata --restore-job-id "$job" --query Metadata; do
    # A new job may not be known everywhere yet.
    case $tries$ERROR in
      3* | *AccessDenied*) stop $UNEXPECTED "AWS refuses to show the metadata of job $job: $ERROR: $LINE" \
        "nothing was sent meanwhile; the caller needs backup:GetRestoreJobMetadata" ;;
    esac
    tries=$((tries + 1))
    longer_pause
  done
  FORMAT=text
  metadata_of_body
  # A secret is in no list of processes.
  KIN=$(printf '%s\n{%s}\n%s\n' "$MARK" "$METADATA" "$OUT" | LC_ALL=C awk "$KINSHIP") ||
    stop $UNEXPECTED "the metadata of job $job cannot be read" "nothing was sent meanwhile; compare it with ${NAME[i]} in AWS Backup"
  FOREIGN=${KIN#foreign }
  KIN=${KIN%% *}
}

# The marks of the other attempts that a restore may have: MARKS_OF_ATTEMPTS, of the form ` MARK=ATTEMPT `.
marks_of_attempts() {
  local i=$1 attempt=1 last=$((ATTEMPT[$1] + MOST_ATTEMPTS - 1))
  MARKS_OF_ATTEMPTS=' '
  plain_of "$i" || return 0
  while [ "$attempt" -le "$last" ]; do
    if [ "$attempt" != "${ATTEMPT[i]}" ]; then
      token_of "$i" "$attempt"
      mark_of "$ATTEMPT_TOKEN"
      replace "$MARK" - ''
      MARKS_OF_ATTEMPTS="$MARKS_OF_ATTEMPTS$REPLACED=$attempt "
    fi
    attempt=$((attempt + 1))
  done
}

# The attempt of a restore that a mark belongs to: OF_ATTEMPT; returns 1 where it is another restore's or another run's.
attempt_of() {
  [ -n "$MARKS_OF_ATTEMPTS" ] || marks_of_attempts "$1"
  case $MARKS_OF_ATTEMPTS in
    *" $2="*) ;;
    *) return 1 ;;
  esac
  OF_ATTEMPT=${MARKS_OF_ATTEMPTS#*" $2="}
  OF_ATTEMPT=${OF_ATTEMPT%% *}
}

# The jobs of a restore's recovery point that are neither known to be this kit's nor among those to leave out (SEEN): MARKED_JOBS
# have the mark of one of its attempts (ATTEMPT=JOB=STATUS), ALIKE asked for the same and no mark says whose they are, OTHERS did not.
find_jobs() {
  local i=$1 without=" ${2-} " tag job status point
  MARKED_JOBS='' ALIKE='' OTHERS='' MARKS_OF_ATTEMPTS='' SEEN=''
  point_of_body
  case $JOBS in
    *"|$BODY_POINT"*) ;;
    *) return 0 ;;
  esac
  while IFS='|' read -r tag job status point <&3; do
    [ "$tag|$point" = "job|$BODY_POINT" ] || continue
    case $OURS$without in
      *" $job "*) continue ;;
    esac
    without="$without$job "
    SEEN="$SEEN$job "
    mark_of "$BODY_TOKEN"
    kin "$i" "$job"
    case $KIN in
      marked) MARKED_JOBS="$MARKED_JOBS${ATTEMPT[i]}=$job=$status " ;;
      foreign)
        if attempt_of "$i" "$FOREIGN"; then
          MARKED_JOBS="$MARKED_JOBS$OF_ATTEMPT=$job=$status "
        else
          OTHERS="$OTHERS$job "
        fi
        ;;
      alike) ALIKE="$ALIKE$job " ;;
      *) OTHERS="$OTHERS$job " ;;
    esac
  done 3<<END
$(printf '%s\n' "$JOBS" | grep -F "|$BODY_POINT")
END
}

# The recovery point that BODY asks for: BODY_POINT.
point_of_body() {
  BODY_POINT=${BODY##*\"RecoveryPointArn\":\"}
  BODY_POINT=${BODY_POINT%%\"*}
}

# Leaves a restore until somebody has said which of some jobs it is to take, or whether to start it all the same.
question() {
  local i=$1 job
  SAYS[i]=$2
  ANSWERS[i]=''
  for job in $3; do
    quote "${NAME[i]}=$job"
    ANSWERS[i]="${ANSWERS[i]}  ./restore.sh --adopt $QUOTED
"
  done
  quote "${NAME[i]}"
  [ -z "${4-}" ] || ANSWERS[i]="${ANSWERS[i]}  ./restore.sh --start-anyway $QUOTED
"
  base "$i"
  put_over "$BASE.asked" "$3"
  become "$i" asking
  say "${NAME[i]}: needs an answer: ${SAYS[i]}"
}

# Whether a restore was to be started in spite of all these jobs, of which somebody has been asked.
is_answered() {
  local i=$1 asked='' job
  [ -n "${ANYWAY[i]}" ] || return 1
  base "$i"
  [ ! -e "$BASE.asked" ] || asked=$(cat "$BASE.asked")
  for job in $2; do
    case " $asked " in
      *" $job "*) ;;
      *) return 1 ;;
    esac
  done
}

# Goes on with a later attempt, which somebody has started elsewhere.
advance() {
  local i=$1
  while [ "${ATTEMPT[i]}" -lt "$2" ]; do
    base "$i"
    put "$BASE.retry" ELSEWHERE
    ATTEMPT[i]=$((ATTEMPT[i] + 1))
  done
  build "$i" || stop $UNEXPECTED "the request of ${NAME[i]} cannot be made again: $LACKS"
}

# Adopts the job of the latest attempt that has one; returns 1 where the restore has none yet, by its marks.
adopt_marked() {
  local i=$1 entry attempt job latest=0 jobs='' open='' all=''
  for entry in $MARKED_JOBS; do
    attempt=${entry%%=*}
    [ "$attempt" -le "$latest" ] || latest=$attempt
  done
  [ "$latest" -gt 0 ] || return 1
  for entry in $MARKED_JOBS; do
    attempt=${entry%%=*}
    job=${entry#*=}
    all="$all${job%=*} "
    if [ "$attempt" = "$latest" ] && [ "$latest" -ge "${ATTEMPT[i]}" ]; then
      jobs="$jobs${job%=*} "
      continue
    fi
    # What has failed is history.
    case $job in
      *=FAILED | *=ABORTED) ;;
      *) open="$open${job%=*}, of attempt $attempt, is ${job#*=}; " ;;
    esac
  done
  case ${jobs% } in
    *' '*)
      quote "${NAME[i]}=JOB"
      stop $FAILED "SECOND JOB: several restore jobs are ${NAME[i]}'s: $jobs" \
        "nothing more was started; look at them in AWS Backup, and take one with ./restore.sh --adopt $QUOTED"
      ;;
  esac
  if [ -n "$open" ]; then
    if [ -n "$jobs" ]; then
      question "$i" "job ${jobs% } is of attempt $latest, and not all earlier ones have failed: ${open%; }" "${all% }"
      return 0
    fi
    is_answered "$i" "$all" && return 1
    question "$i" "job ${open%; }; what would be sent is attempt ${ATTEMPT[i]}" "${all% }" anyway
    return 0
  fi
  [ -n "$jobs" ] || return 1
  advance "$i" "$latest"
  adopt "$i" "${jobs% }"
}

# Takes a job for a restore.
adopt() {
  local i=$1
  base "$i"
  [ "${ST[i]}" = intended ] || SENT[i]=$(now)
  put "$BASE.intent" "$BODY_TOKEN ${SENT[i]} $2"
  has_job "$i" "$2"
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
    LOOKED_AT[target]=$(now)
    list_jobs "$target"
    LOOKED[target]=$JOBS
  fi
  JOBS=${LOOKED[target]}
}

# Starts a restore, unless it has a job already.
begin() {
  local i=$1 target=${TARGET[$1]} before intent
  build "$i" || {
    cannot "$i"
    return
  }
  look "$target"
  # Where no mark tells jobs apart, those that exist by now are not its own.
  if [ "${MARKED[i]}" != 1 ]; then
    before=$JOBS
    list_jobs "$target" "$((LOOKED_AT[target] - LOOK_LAG))"
    JOBS="$JOBS
$before"
  fi
  find_jobs "$i"
  adopt_marked "$i" && return
  if [ -n "$ALIKE" ] && [ -z "${ANYWAY[i]}" ]; then
    case ${ALIKE% } in
      *' '*) question "$i" "jobs ${ALIKE% } asked for the same, and nothing says whether one is this run's" "${ALIKE% }" anyway ;;
      *) question "$i" "job ${ALIKE% } asked for the same, and nothing says whether it is this run's" "${ALIKE% }" anyway ;;
    esac
    return
  fi
  base "$i"
  SENT[i]=$(now)
  intent="$BODY_TOKEN ${SENT[i]}
twins $SEEN"
  if [ -z "${TOKEN[i]}" ]; then
    template_of "$i"
    intent="$intent
template $TEMPLATE"
  fi
  put "$BASE.intent" "$intent" || stop $UNEXPECTED "$BASE.intent appeared while this script had the lock"
  become "$i" intended
  send "$i"
}

# Takes an intent back: nothing of its request has reached AWS, or AWS has said that it did nothing.
withdraw() {
  base "$1"
  rm -f "$BASE.intent" || stop $UNEXPECTED "cannot remove $BASE.intent" "check its permissions"
  SENT[$1]=0
  become "$1" waiting
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
  ONCE=1
  call "${TARGET[i]}" backup start-restore-job "$@" --query "join('|',['started',RestoreJobId])"
  code=$?
  INPUT='' PLACE_OF_CALL=. ONCE=''
  return $code
}

# The members of BODY's metadata: METADATA.
metadata_of_body() {
  METADATA=${BODY#*\"Metadata\":\{}
  METADATA=${METADATA%\},\"RecoveryPointArn\":*}
}

START_WAIT=$RETRY

# Sends a request whose intent is on disk.
send() {
  local i=$1 job wait says
  if call_start "$i"; then
    job=$(printf '%s\n' "$OUT" | sed -n 's/^started|\([0-9A-Za-z-]*\)$/\1/p')
    if [ -n "$job" ]; then
      START_WAIT=$RETRY
      has_job "$i" "$job"
      say "${NAME[i]}: started, job $job"
      return
    fi
    one_line "$OUT"
    ERROR=''
  else
    failure
  fi
  says=${ERROR:+$ERROR: }$LINE
  if is_not_called; then
    stop $UNEXPECTED "the AWS CLI did not send the request of ${NAME[i]}: $LINE" \
      "nothing was started for it; correct that, or name another version of the AWS CLI with KIT_AWS, and run this again"
  fi
  if is_signed_out; then
    # Where AWS has said it, nothing was started.
    [ -n "${EXPOSED[i]}" ] || [ -z "$ERROR" ] || withdraw "$i"
    stop $UNEXPECTED "AWS does not know the caller: $says" \
      "sign in, or set PROFILE_$((TARGET[i] + 1)), and run this again: it finds what was started"
  fi
  if is_throttled; then
    # Nothing was started. Where an earlier copy may be there, it is looked for again.
    wait=$START_WAIT
    say "${NAME[i]}: AWS is busy ($says); it is sent again in $wait s"
    [ -n "${EXPOSED[i]}" ] || withdraw "$i"
    longer_pause
    START_WAIT=$wait
    return
  fi
  if is_no_answer; then
    EXPOSED[i]=1
    say "${NAME[i]}: no answer ($says); its job is looked for before anything is sent again"
    return
  fi
  if [ "$OPERATION" != StartRestoreJob ]; then
    # A profile assumes a role, or signs in, before the call.
    [ -n "${EXPOSED[i]}" ] || withdraw "$i"
    stop $UNEXPECTED "AWS gives the caller no credentials: $OPERATION: $says" \
      "nothing was sent for ${NAME[i]}; look at the profile, and run this again"
  fi
  case $ERROR in
    AccessDenied* | UnauthorizedOperation | NotAuthorized* | OptInRequired)
      # It is the caller who may not, and the restore has not failed.
      [ -n "${EXPOSED[i]}" ] || withdraw "$i"
      stop $UNEXPECTED "AWS does not let the caller start ${NAME[i]}: $says" \
        "it was not started; the caller needs backup:StartRestoreJob, and iam:PassRole on the role of the restore; run this again when that is allowed"
      ;;
  esac
  case $LINE in
    *'estore job '*' already finished'*)
      job=${LINE#*estore job }
      has_job "$i" "${job%% *}"
      say "${NAME[i]}: AWS says that its job ${JOB[i]} has finished"
      ;;
    *) ended "$i" REJECTED '' "$says" ;;
  esac
}

# The jobs that were there before a request was sent: TWINS. Returns 1 where nobody has looked.
twins() {
  local file
  base "$1"
  TWINS=''
  for file in "$BASE.sent" "$BASE.intent"; do
    [ ! -e "$file" ] || TWINS="$TWINS$(sed -n 's/^twins / /p' "$file")"
  done
  grep -q '^twins' "$BASE.intent"
}

NOBODY_KNOWS='the only job since it was sent that asked for the same; it has no mark, so whether this script has started it is not known'

# Settles a request without an answer: its job is found, or AWS has none and it is sent again with the same token.
settle() {
  local i=$1 token age looked=1 all
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
  if [ $age -gt $LISTED ] && ! is_answered "$i" ''; then
    question "$i" "sent more than 30 days ago without an answer, and AWS lists no older jobs; look for what it would have created, and start it where that is not there. A job that you know can be taken with --adopt" '' anyway
    return
  fi
  twins "$i" || looked=''
  list_jobs "${TARGET[i]}" "$((SENT[i] - 86400))"
  find_jobs "$i" "$TWINS"
  adopt_marked "$i" && return
  all=$ALIKE
  # A job that asked for something else tells nothing where a mark would tell it.
  [ "${MARKED[i]}" = 1 ] || all=$ALIKE$OTHERS
  if [ -n "$all" ] && [ "${MARKED[i]}" != 1 ] && [ -n "$looked" ] && [ "$all" = "$ALIKE" ]; then
    case ${all% } in
      *' '*) ;;
      *)
        put "$BASE.alone" "${all% }"
        ALONE[i]=1
        adopt "$i" "${all% }"
        say "${NAME[i]}: $NOBODY_KNOWS"
        return
        ;;
    esac
  fi
  if [ -n "$all" ] && ! is_answered "$i" "$all"; then
    question "$i" "sent without an answer; whether one of these jobs of its recovery point is its own cannot be told: ${all% }" "${all% }" anyway
    return
  fi
  # A new job may not be listed yet.
  [ $age -ge "$VISIBLE" ] || return
  SENT[i]=$(now)
  put_over "$BASE.sent" "${SENT[i]}
twins $TWINS $SEEN"
  send "$i"
}

# Looks at a running job.
poll() {
  local i=$1 tag status point arn says
  ask "${TARGET[i]}" backup describe-restore-job --restore-job-id "${JOB[i]}" \
    --query "join('|',['job',Status,RecoveryPointArn || '',CreatedResourceArn || '',StatusMessage || ''])" || {
    # A new job may not be known everywhere yet.
    [ $(($(now) - SENT[i])) -ge "$VISIBLE" ] || return 0
    SAYS[i]="AWS does not show job ${JOB[i]}: $LINE"
    ANSWERS[i]=''
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
      failed | incomplete | skipped | overdue)
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

# How many have not brought back what was asked for.
count_bad() {
  local failed
  count_of failed
  failed=$HOW_MANY
  count_of incomplete
  HOW_MANY=$((HOW_MANY + failed))
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
          [ "$ON_FAILURE" = continue ] || count_bad
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
      incomplete) word=INCOMPLETE ;;
      asking) word='needs an answer' ;;
      overdue) word='still running' ;;
      completed) by_hand=$((by_hand + BY_HAND[i])) ;;
    esac
    [ -z "${CHANGED[i]}" ] || SAYS[i]="${SAYS[i]:+${SAYS[i]}  }this kit has another request for it than was sent"
    all="${JOB[i]:+  job ${JOB[i]}}${ARN[i]:+  ${ARN[i]}}${SAYS[i]:+  ${SAYS[i]}}${ALONE[i]:+  ($NOBODY_KNOWS)}"
    printf '  %-16s %s%s\n' "$word" "${NAME[i]}" "$all"
    i=$((i + 1))
  done
  for word in completed running intended overdue incomplete failed waiting skipped asking; do
    i=0 all=0
    while [ "$i" -lt "$COUNT" ]; do
      [ "${ST[i]}" != "$word" ] || all=$((all + 1))
      i=$((i + 1))
    done
    [ $all = 0 ] || printf '%s %s; ' "$all" "$word"
  done
  printf '%s in all\n' "$COUNT"
  [ $by_hand = 0 ] || printf 'Checks to be run by hand, which RUNBOOK.md has: %s\n' "$by_hand"
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
      ask "$target" sts get-caller-identity --query "join('|',['account',Account])" ||
        stop $UNEXPECTED "AWS does not say who the caller is: ${ERROR:+$ERROR: }$LINE" \
          "nothing was sent; sign in, or set $account to a profile"
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
  local answer plural=s
  count_of waiting
  [ "$HOW_MANY" -gt 0 ] && [ -z "$YES" ] || return 0
  [ "$HOW_MANY" != 1 ] || plural=''
  if ! { true </dev/tty; } 2>/dev/null; then
    stop $USAGE "nobody can be asked whether to start $HOW_MANY restore$plural. Nothing was sent." "add --yes"
  fi
  printf 'Start %s restore%s of plan %s, run %s, at %s? A restore that was started cannot be recalled. Type yes: ' \
    "$HOW_MANY" "$plural" "$PLAN" "$RUN" "$ENDPOINT" >/dev/tty
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
  MARKS_OF_ATTEMPTS=''
  mark_of "$BODY_TOKEN"
  kin "$i" "$job"
  [ "$KIN" != other ] || say "$1: job $job asked for something else, as far as AWS says; it is taken because you say so"
  # The next attempt is the one after its own.
  if [ "$KIN" = foreign ] && attempt_of "$i" "$FOREIGN" && [ "$OF_ATTEMPT" -gt "${ATTEMPT[i]}" ]; then
    advance "$i" "$OF_ATTEMPT"
  fi
  base "$i"
  SENT[i]=$(now)
  put "$BASE.intent" "$BODY_TOKEN ${SENT[i]} $job"
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
        ATTEMPT[i]=$((ATTEMPT[i] + 1)) JOB[i]='' ARN[i]='' SAYS[i]='' SENT[i]=0 EXPOSED[i]='' CHANGED[i]='' ALONE[i]=''
        become "$i" waiting
      fi
    fi
    i=$((i + 1))
  done
}

# Files of another plan, run or endpoint are not taken up.
check_state() {
  local plan='' run='' endpoint='' differs=''
  put "$STATE/kit" "$PLAN
$RUN
$ENDPOINT" && return
  {
    IFS= read -r plan
    IFS= read -r run
    IFS= read -r endpoint
  } <"$STATE/kit"
  [ "$plan" = "$PLAN" ] || differs="plan $plan, and this kit is of plan $PLAN"
  [ "$run" = "$RUN" ] || differs="${differs:+$differs; }run $run, and this kit is of run $RUN"
  [ "$endpoint" = "$ENDPOINT" ] || differs="${differs:+$differs; }endpoint $endpoint, and this is $ENDPOINT"
  [ -z "$differs" ] || stop $INVALID "$STATE belongs to $differs" \
    "nothing was sent; set KIT_STATE to another directory, or use the kit and the endpoint that it belongs to"
}

# The AWS CLI has to be there, and the tools that compare jobs.
check_tools() {
  command -v "$AWS" >/dev/null 2>&1 || stop $UNEXPECTED "there is no AWS CLI: $AWS is not a program that can be found" \
    "nothing was sent; install it as https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html says, or set KIT_AWS to where it is"
  [ "$(printf 'a\n' | awk '{ print toupper($0) }' 2>/dev/null)" = A ] || stop $UNEXPECTED "there is no awk" "nothing was sent; install it"
}

# What can be typed for what needs an answer.
answers() {
  local i=0
  while [ "$i" -lt "$COUNT" ]; do
    if [ "${ST[i]}" = asking ] && [ -n "${ANSWERS[i]}" ]; then
      printf 'To take a job for %s, or to start it although such a job exists, one of:\n%s' "${NAME[i]}" "${ANSWERS[i]}"
    fi
    i=$((i + 1))
  done
}

verdict() {
  local unfinished=0 word
  summary
  count_of incomplete
  if [ "$HOW_MANY" -gt 0 ]; then
    printf 'What is missing is not restored under this run id: after the cause is gone, restore it under another.\n'
  fi
  count_bad
  if [ "$HOW_MANY" -gt 0 ]; then
    answers
    printf 'RUNBOOK.md says what a message means. After the cause is gone: ./restore.sh --retry-failed\n'
    return $FAILED
  fi
  for word in waiting skipped asking intended running overdue; do
    count_of $word
    unfinished=$((unfinished + HOW_MANY))
  done
  if [ $unfinished -gt 0 ]; then
    answers
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
  check_changes
  check_tools
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
