#!/bin/bash
# Ozone DR edge host: one verb on one bucket pair, started by SSM Run Command, answered by one JSON document between markers.
# The document puts OZONE_DR_DOCUMENT=<name> in front and passes parameters only as SSM_<name> environment variables. README.md
# beside this file says what a host needs and what each verb does and proves. No value that was typed by anybody is evaluated.
[ -n "${BASH_VERSION:-}" ] || exec /bin/bash "$0" # Run Command may start the script with a plain sh
set +o posix -u -f
PATH=/usr/sbin:/usr/bin:/sbin:/bin
while read -r inherited; do unset -f "$inherited"; done < <(compgen -A function)

readonly BEGIN_MARK='-----BEGIN OZONE-DR REPLY-----' END_MARK='-----END OZONE-DR REPLY-----'
readonly SERVICE='[A-Za-z0-9][A-Za-z0-9.-]{0,61}(:[0-9]{2,5})?' NAME='[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]'
readonly UUID='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
readonly BUCKET="^$|^${SERVICE}/${NAME}/${NAME}\$" SNAPSHOT='^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'
readonly KEEP_DAYS=14 # how long the record of an operation answers a second delivery; Run Command gives up within hours

# verb -> document that may run it, and the parameters that it cannot do without
declare -rA DOCUMENT_OF=([survey]=observe [diff]=observe [verify]=observe [snapshot]=protect [replicate]=protect)
declare -rA NEEDS=([survey]='source' [diff]='source base target' [snapshot]='source target'
  [verify]='source replica target targetId sealId' [replicate]='source replica target targetId mode')
declare -rA PATTERN=(
  [operation]='^op-[0-9a-f]{24}-[0-9]{3}$' [verb]='^[a-z]{1,20}$' [source]=$BUCKET [replica]=$BUCKET
  [target]=$SNAPSHOT [base]=$SNAPSHOT [targetId]="^$|^$UUID\$" [baseSourceId]="^$|^$UUID\$"
  [baseReplicaId]="^$|^$UUID\$" [sealId]="^$|^$UUID\$"
  [replicaCreated]='^$|^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}Z$' [mode]='^(|bootstrap|resync|incremental)$'
  [empty]='^(yes|no)$' [fence]='^[0-9]{1,12}$' [fenceSeed]='^(yes|no)$' [copySeconds]='^[0-9]{1,6}$'
  [maps]='^[0-9]{1,4}$' [bandwidth]='^[0-9]{1,6}$' [executionTimeout]='^[0-9]{1,6}$')

declare -A P=()    # checked parameters
declare -A CONF=([path]='' [java_home]='' [state]=/var/lib/ozone-dr [client_attempts]=10 [client_wait_ms]=1000)
declare -i JVM_STARTS=0
WORK='' JAVA_LOCALE='' DISTCP_GROUP='' FINISHED=''
STARTED_AT=$(date +%s%3N)

# ---------------------------------------------------------------- reply

# Sets REPLY to a JSON string. Only printable ASCII survives: messages are for reading, data is never passed through here.
json_string() {
  local LC_ALL=C s=$1
  s=${s//\\/\\\\} s=${s//\"/\\\"} s=${s//$'\n'/\\n} s=${s//$'\t'/ }
  REPLY="\"${s//[^ -~]/?}\""
}

# outcome code message data: records the reply for later deliveries, prints it, exits. The only way out of this script.
finish() {
  local outcome=$1 code=$2 message=${3:0:1500} data=${4:-null} exit_code json host
  case $outcome:$code in
    ok:*) exit_code=0 ;;
    refused:bad-parameter | refused:environment | refused:verb-not-allowed) exit_code=14 ;;
    refused:*) exit_code=10 ;;
    failed:internal) exit_code=15 ;;
    failed:*) exit_code=11 ;;
    unreachable:*) exit_code=12 ;;
    *) exit_code=13 ;;
  esac
  json_string "$(uname -n)"
  host=$REPLY
  json_string "$message"
  json="{\"version\":1,\"operation\":\"${P[operation]:-}\",\"verb\":\"${P[verb]:-}\",\"outcome\":\"$outcome\",\"code\":\"$code\",\"message\":$REPLY"
  json+=",\"host\":$host,\"startedAt\":$STARTED_AT,\"endedAt\":$(date +%s%3N),\"jvmStarts\":$JVM_STARTS,\"data\":$data}"
  if [[ -n $WORK ]]; then
    printf '%s\n%s\n' "$exit_code" "$json" | dd of="$WORK/result.new" conv=fsync 2>/dev/null &&
      mv -f "$WORK/result.new" "$WORK/result"
    rm -rf "${WORK:?}/scratch"
  fi
  print_reply "$json" "$exit_code"
}

print_reply() {
  FINISHED=yes
  printf '%s\n%s\n%s\n' "$BEGIN_MARK" "$1" "$END_MARK"
  exit "$2"
}

refuse() { finish refused "$@"; }

on_exit() { [[ -n $FINISHED ]] || finish failed internal "the script ended without an answer"; }

# A cancelled command must not leave a copy behind; what the copy had done by then is not known.
on_signal() {
  [[ -z $DISTCP_GROUP ]] || kill -TERM -- "-$DISTCP_GROUP" 2>/dev/null
  finish interrupted cancelled "the command was ended by a signal"
}

# ---------------------------------------------------------------- input and environment

# Nothing of the agent's environment but this list reaches Ozone: no BASH_ENV, CDPATH, JAVA_TOOL_OPTIONS, HADOOP_OPTS…
clean_environment() {
  local name
  IFS=$' \t\n'
  for name in $(compgen -e); do
    case $name in
      PATH | HOME | USER | LOGNAME | TZ | KRB5CCNAME | KRB5_CONFIG | OZONE_CONF_DIR | HADOOP_CONF_DIR | SSM_* | OZONE_DR_HOST_CONFIG) ;;
      *) unset "$name" 2>/dev/null ;;
    esac
  done
  export PATH LC_ALL=C
  # In the C locale Java prints each non-ASCII letter of a name as "?", so that two names look equal, and Ozone's client (2.2.0)
  # dies on reading such a name: JVMs get a UTF-8 locale, everything else sorts and matches bytes.
  JAVA_LOCALE=$(locale -a 2>/dev/null | grep -iE '^(C|en_US)\.utf-?8$' | head -n 1)
  umask 077
}

read_parameters() {
  local name variable
  for name in operation verb "${!PATTERN[@]}"; do
    [[ -z ${P[$name]+checked} ]] || continue
    variable=SSM_$name
    [[ -v $variable ]] || refuse bad-parameter "parameter $name was not passed in the environment: the SSM agent of this host is too old"
    [[ ${!variable} =~ ${PATTERN[$name]} ]] || refuse bad-parameter "parameter $name does not match ${PATTERN[$name]}"
    P[$name]=${!variable}
    unset "$variable"
  done
  [[ ${DOCUMENT_OF[${P[verb]}]:-none} == "${OZONE_DR_DOCUMENT:-}" ]] ||
    refuse verb-not-allowed "the document ${OZONE_DR_DOCUMENT:-} does not run the verb ${P[verb]}"
  for name in ${NEEDS[${P[verb]}]}; do
    [[ -n ${P[$name]} ]] || refuse bad-parameter "${P[verb]} needs the parameter $name"
  done
  [[ ${P[verb]} != replicate ]] || check_replicate_parameters
  [[ ${P[base]} != "${P[target]}" || -z ${P[base]} ]] || refuse bad-parameter "base and target are the same snapshot"
}

check_replicate_parameters() {
  local name
  ((10#${P[fence]} > 0 && 10#${P[copySeconds]} > 0 && 10#${P[maps]} > 0)) || refuse bad-parameter "fence, copySeconds and maps must not be 0"
  [[ ${P[source]} != "${P[replica]}" ]] || refuse bad-parameter "source and replica are the same bucket"
  [[ -n ${P[replicaCreated]} || ${P[empty]} == yes ]] || refuse bad-parameter "replicaCreated is needed for a bucket that was enrolled before"
  [[ ${P[mode]} == incremental ]] || return 0
  for name in base baseSourceId baseReplicaId; do
    [[ -n ${P[$name]} ]] || refuse bad-parameter "an incremental copy needs the parameter $name"
  done
}

read_host_config() {
  local file=${OZONE_DR_HOST_CONFIG:-/etc/ozone-dr/host.conf} line key value
  unset OZONE_DR_HOST_CONFIG
  [[ -r $file ]] || refuse environment "cannot read $file: this host is not set up (see the edge host README)"
  while IFS= read -r line || [[ -n $line ]]; do
    [[ -z $line || $line == '#'* ]] && continue
    key=${line%%=*} value=${line#*=}
    case $key in
      path | java_home | state) [[ $value =~ ^/[A-Za-z0-9._+:/-]*$ ]] ;;
      client_attempts | client_wait_ms) [[ $value =~ ^[1-9][0-9]{0,5}$ ]] ;;
      *) refuse environment "unknown key in $file: $key" ;;
    esac || refuse environment "the value of $key in $file is not usable: $value"
    CONF[$key]=$value
  done <"$file"
  [[ -z ${CONF[path]} ]] || PATH=${CONF[path]}:$PATH
  [[ -z ${CONF[java_home]} ]] || export JAVA_HOME=${CONF[java_home]}
  [[ -n $JAVA_LOCALE ]] || refuse environment 'this host has no UTF-8 locale (C.UTF-8 or en_US.UTF-8), which Java needs to read names'
  for key in ozone $([[ ${P[verb]} != replicate ]] || echo hadoop) flock timeout setsid awk sort comm join sha256sum; do
    command -v "$key" >/dev/null || refuse environment "$key is not on PATH ($PATH)"
  done
}

# ---------------------------------------------------------------- one operation, delivered once or more

# The first delivery works. A later one waits for the first (a lock, no polling), then prints the same reply.
open_operation() {
  local directory=${CONF[state]}/operations/${P[operation]}
  if ! mkdir -p "$directory" "${CONF[state]}/buckets" 2>/dev/null || ! exec 8>>"$directory/lock"; then
    refuse environment "cannot write below ${CONF[state]}"
  fi
  flock -n 8 || flock -w "${P[executionTimeout]}" 8 || refuse operation-busy "another delivery of this operation is still running on this host"
  if [[ -e $directory/result ]]; then replay "$directory/result"; fi
  WORK=$directory
  export OZONE_DR_OPERATION=${P[operation]} # proves later that a stray process is ours
  if [[ -e $WORK/started ]]; then
    end_stray_copy
    finish interrupted delivery-died "an earlier delivery of this operation died half way; what it had done by then is not known"
  fi
  if ! printf '%s\n' "$STARTED_AT" >"$WORK/started" || ! mkdir -p "$WORK/scratch" || ! cd "$WORK/scratch"; then
    refuse environment "cannot write in $WORK"
  fi
  find "${CONF[state]}/operations" -mindepth 1 -maxdepth 1 -name 'op-*' -mtime "+$KEEP_DAYS" -exec rm -rf {} +
}

replay() {
  local exit_code json
  { read -r exit_code && IFS= read -r json; } <"$1"
  [[ $exit_code =~ ^[0-9]{1,2}$ ]] || refuse environment "the recorded reply in $1 is damaged"
  print_reply "$json" "$exit_code"
}

# Ends the distcp of a delivery that died. The bucket lock, which that distcp inherited, tells when it is gone.
end_stray_copy() {
  local group signal
  group=$(cat "$WORK/group" 2>/dev/null)
  [[ $group =~ ^[1-9][0-9]*$ ]] || return 0
  exec 9>>"$(bucket_directory)/lock" || return 0
  for signal in TERM KILL; do
    is_our_group "$group" && kill "-$signal" -- "-$group" 2>/dev/null
    flock -w 20 9 && return 0
  done
}

is_our_group() {
  local process pgrp rest
  for process in $(compgen -G '/proc/[0-9]*'); do
    { read -r rest <"$process/stat"; } 2>/dev/null || continue
    read -r _ _ pgrp _ <<<"${rest##*) }" # after the command name, which may hold blanks: state, parent, group
    [[ $pgrp == "$1" ]] && tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qx "OZONE_DR_OPERATION=${P[operation]}" && return 0
  done
  return 1
}

# ---------------------------------------------------------------- Ozone's shell

# Runs the commands in one JVM (it stops at the first failure). Afterwards: SECTION_<n> files hold each command's output,
# FAILED_AT is the number of the command that failed (0: none), ERROR its text, ERROR_CODE a word for it.
# `snapshot diff` must be last: it closes the output of its JVM. Values are limited to patterns without blanks and quotes,
# because Ozone splits each --execute string into words.
ozone_batch() {
  local arguments=() command exit_code
  rm -f section.* batch.err
  for command in "$@"; do arguments+=(--execute "$command"); done
  JVM_STARTS+=1
  # Ozone 2.2: a dead OM costs minutes of silence without the first two settings.
  LC_ALL=$JAVA_LOCALE timeout -k 10 "$(seconds_left)" ozone sh -D "ozone.client.failover.max.attempts=${CONF[client_attempts]}" \
    -D "ozone.client.wait.between.retries.millis=${CONF[client_wait_ms]}" "${arguments[@]}" \
    2>batch.err 8>&- 9>&- </dev/null | split_sections "$@"
  exit_code=${PIPESTATUS[0]}
  read -r FAILED_AT <sections
  if ((exit_code == 0 && FAILED_AT == $#)); then
    FAILED_AT=0
  elif ((exit_code == 0 || FAILED_AT == 0)); then
    FAILED_AT=$((FAILED_AT < $# ? FAILED_AT + 1 : FAILED_AT))
  fi
  ERROR=$(head -c 1000 batch.err)
  classify_error "$exit_code"
}

# Ozone echoes each command on a line of its own before its output. Writes section.<n> and the number of echoes seen; output
# before the first echo belongs to no command and makes the whole answer unreadable (an unknown wrapper speaks).
split_sections() {
  local IFS=$'\n'
  COMMANDS="$*" awk '
    BEGIN { n = split(ENVIRON["COMMANDS"], command, "\n"); at = 0 }
    at < n && $0 == command[at + 1] { at++; printf "" > ("section." at); next }
    at > 0 { print > ("section." at) }
    at == 0 && $0 != "" { stray = 1; exit }
    END { print (stray ? 0 : at) > "sections" }'
}

seconds_left() {
  local left=$((10#${P[executionTimeout]} - SECONDS - 10))
  echo $((left > 10 ? left : 10))
}

# Texts of Ozone 2.2 and Hadoop 3.4; the code word comes first on the line where Ozone's manager answered.
classify_error() {
  case $1:$ERROR in
    124:* | 137:*) ERROR_CODE=timeout ;;
    *TIMEOUT*'has not been flushed yet'*) ERROR_CODE=not-flushed ;;
    *PERMISSION_DENIED* | *'Client cannot authenticate'* | *'GSS initiate failed'* | *AccessControlException*) ERROR_CODE=permission-denied ;;
    *BUCKET_NOT_FOUND*) ERROR_CODE='bucket-missing' ;;
    *VOLUME_NOT_FOUND*) ERROR_CODE=volume-missing ;;
    *FILE_NOT_FOUND*) ERROR_CODE=snapshot-missing ;;
    *FILE_ALREADY_EXISTS*) ERROR_CODE=exists ;;
    *TOO_MANY_SNAPSHOTS*) ERROR_CODE=snapshot-limit ;;
    *'Cannot resolve OM host'* | *UnknownHost*) ERROR_CODE=unknown-host ;;
    *'Connection refused'* | *'No route to host'* | *'onnection reset'* | *'timed out'* | *ConnectTimeout* | *'is unreachable'*)
      ERROR_CODE=connection
      ;;
    *'Unknown option'*) ERROR_CODE=unknown-option ;;
    *) ERROR_CODE=unreadable ;;
  esac
  [[ -n $ERROR ]] || ERROR="ozone sh ended with exit code $1 and an incomplete answer"
}

# code-for-a-missing-thing: ends the operation for a command that failed before anything was changed.
stop_unchanged() {
  case $ERROR_CODE in
    timeout | unknown-host | connection) finish unreachable "$ERROR_CODE" "$ERROR" ;;
    bucket-missing | volume-missing | snapshot-missing) refuse "$1" "$ERROR" ;;
    *) refuse "$ERROR_CODE" "$ERROR" ;;
  esac
}

unreadable() { refuse unreadable "the output of ozone sh was not understood: $1"; }

# kind file field…: rows of raw JSON values (tabs between) from Jackson's pretty printed objects; kind is object or array; fields
# are paths such as "snapshotDiffReport.diffList" (a list gives "[ ]" when empty, else "["). Strict: an unknown line, a
# missing field, a missing end is exit 1. One line at a time, so a listing of any length takes no memory.
records() {
  local kind=$1 file=$2
  shift 2
  awk -v kind="$kind" -v wanted="$*" '
    function fail() { bad = 1; exit 1 }
    function element(   i, row) {
      for (i = 1; i <= fields; i++) { if (!(field[i] in value)) fail(); row = row (i > 1 ? "\t" : "") value[field[i]] }
      print row; split("", value)
    }
    function set(key, text) { if (path[depth] != "") key = path[depth] "." key; value[key] = text }
    function push(type, key) { path[depth + 1] = depth == 0 ? "" : (path[depth] == "" ? key : path[depth] "." key); depth++; kindof[depth] = type }
    BEGIN { fields = split(wanted, field, " ") }
    ended { if ($0 != "") fail(); next }
    !begun {
      begun = 1
      if (kind == "array" && $0 == "[ ]") { ended = 1; next }
      if ($0 != (kind == "array" ? "[ {" : "{")) fail()
      push(kind == "array" ? "a" : "o", ""); next
    }
    {
      line = $0
      if (!match(line, /^ */) || (line ~ /^ *"/ && RLENGTH != 2 * depth) || (line !~ /^ *"/ && RLENGTH != 2 * (depth - 1))) fail()
      line = substr(line, RLENGTH + 1)
      if (line ~ /^"/) {
        if (!match(line, /^"[A-Za-z]+" : /)) fail()
        key = substr(line, 2, RLENGTH - 5); text = substr(line, RLENGTH + 1)
        if (text == "{") push("o", key)
        else if (text == "[ {") { set(key, "["); push("a", key) }
        else {
          sub(/,$/, "", text)
          if (text !~ /^("([^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|\[ \]|\[ [^{]* \]|\{ \})$/) fail()
          set(key, text)
        }
      }
      else if (line ~ /^\},?$/ && kindof[depth] == "o" && depth > 1) depth--
      else if (line == "}" && kindof[depth] == "o" && depth == 1) { element(); ended = 1 }
      else if (line == "}, {" && kindof[depth] == "a") { if (depth == 1) element() }
      else if (line ~ /^\} \],?$/ && kindof[depth] == "a" && depth > 1) depth--
      else if (line == "} ]" && kindof[depth] == "a" && depth == 1) { element(); ended = 1 }
      else fail()
    }
    END { if (bad || !ended) exit 1 }' "$file"
}

readonly BUCKET_FIELDS=(creationTime bucketLayout link usedBytes usedNamespace owner quotaInBytes quotaInNamespace)
readonly SNAPSHOT_FIELDS=(name snapshotId creationTime snapshotStatus)

# file: sets B_CREATED, B_LAYOUT, BUCKET_JSON
read_bucket() {
  local row link bytes names owner quota_bytes quota_names
  row=$(records object "$1" "${BUCKET_FIELDS[@]}") || return 1
  IFS=$'\t' read -r B_CREATED B_LAYOUT link bytes names owner quota_bytes quota_names <<<"$row"
  BUCKET_JSON="{\"created\":$B_CREATED,\"layout\":$B_LAYOUT,\"link\":$link,\"usedBytes\":$bytes,\"usedNamespace\":$names"
  BUCKET_JSON+=",\"owner\":$owner,\"quotaInBytes\":$quota_bytes,\"quotaInNamespace\":$quota_names}"
  B_CREATED=${B_CREATED//\"/} B_LAYOUT=${B_LAYOUT//\"/}
}

# file kind: JSON objects of snapshots, one per line
snapshot_objects() {
  records "$2" "$1" "${SNAPSHOT_FIELDS[@]}" | awk -F '\t' '
    $4 !~ /^"SNAPSHOT_(ACTIVE|DELETED)"$/ || $3 !~ /^[0-9]+$/ { exit 1 }
    { sub(/SNAPSHOT_/, "", $4); printf "{\"name\":%s,\"id\":%s,\"created\":%s,\"status\":%s}\n", $1, $2, $3, $4 }' && ((PIPESTATUS[0] == 0))
}

# file: sets SNAPSHOT_JSON and SNAPSHOT_ID
read_snapshot() {
  SNAPSHOT_JSON=$(snapshot_objects "$1" object) && [[ $SNAPSHOT_JSON =~ \"id\":\"($UUID)\" ]] && SNAPSHOT_ID=${BASH_REMATCH[1]}
}

# file expected-id what: refuses unless the snapshot is there, active, and the one that the ledger means.
require_snapshot() {
  read_snapshot "$1" || unreadable "snapshot info ($3)"
  [[ $SNAPSHOT_JSON == *'"status":"ACTIVE"'* ]] || refuse "$3-missing" "the snapshot is deleted: $SNAPSHOT_JSON"
  [[ $SNAPSHOT_ID == "$2" ]] || refuse "$3-other" "the snapshot has the id $SNAPSHOT_ID, expected $2"
}

# ---------------------------------------------------------------- survey

survey() {
  local source=o3://${P[source]} replica=o3://${P[replica]} left right=null commands
  commands=("bucket info $source" "snapshot list --all $source")
  [[ -z ${P[replica]} ]] || commands+=("bucket info $replica" "snapshot list --all $replica")
  ozone_batch "${commands[@]}"
  side 1 2
  left=$SIDE
  if [[ -n ${P[replica]} ]]; then
    # A source that does not answer must not hide the replica, so the rest gets a JVM of its own.
    if ((FAILED_AT == 1 || FAILED_AT == 2)); then ozone_batch "${commands[@]:2}"; side 1 2; else side 3 4; fi
    right=$SIDE
  fi
  finish ok '' '' "{\"source\":$left,\"replica\":$right}"
}

# bucket-section list-section: sets SIDE
side() {
  local snapshots state code=$ERROR_CODE message=$ERROR
  if ((FAILED_AT == 0 || FAILED_AT > $2)); then
    if read_bucket "section.$1" && snapshots=$(snapshot_objects "section.$2" array); then
      SIDE="{\"state\":\"read\",\"bucket\":$BUCKET_JSON,\"snapshots\":[${snapshots//$'\n'/,}]}"
      return
    fi
    code=unreadable message='the output of ozone sh was not understood'
  fi
  case $code in
    bucket-missing | volume-missing) state=missing ;;
    timeout | unknown-host | connection) state=unreachable ;;
    permission-denied) state=denied ;;
    *) state=unreadable ;;
  esac
  json_string "${message:0:500}"
  SIDE="{\"state\":\"$state\",\"code\":\"$code\",\"message\":$REPLY}"
}

# ---------------------------------------------------------------- snapshot and diff

snapshot() {
  local bucket=o3://${P[source]} created=true diff=not-asked diff_message='' first=2 commands
  commands=("snapshot create $bucket ${P[target]}" "snapshot info $bucket ${P[target]}")
  [[ -z ${P[base]} ]] || commands+=("snapshot diff $bucket ${P[base]} ${P[target]}")
  ozone_batch "${commands[@]}"
  if ((FAILED_AT == 1)); then
    case $ERROR_CODE in
      exists)
        created=false first=1
        ozone_batch "${commands[@]:1}"
        ;;
      timeout) finish failed unclear "it is not known whether the snapshot was created: $ERROR" ;;
      snapshot-limit | not-flushed) finish failed "$ERROR_CODE" "$ERROR" ;;
      *) stop_unchanged source-missing ;;
    esac
  fi
  ((FAILED_AT == 0 || FAILED_AT > first)) || finish failed "$ERROR_CODE" "the snapshot could not be read back: $ERROR"
  read_snapshot "section.$first" || finish failed unreadable 'the snapshot could not be read back: the output was not understood'
  if [[ -n ${P[base]} ]]; then
    diff_message=$ERROR
    ((FAILED_AT > 0)) || diff_message=$(head -c 500 "section.$((first + 1))")
    submission "$diff_message"
    diff=$REPLY
  fi
  json_string "$diff_message"
  finish ok '' '' "{\"created\":$created,\"snapshot\":$SNAPSHOT_JSON,\"diff\":\"$diff\",\"diffMessage\":$REPLY}"
}

# Sets REPLY to what the text of a submission says (Ozone 2.2 answers in words, whatever the options).
submission() {
  case $1 in
    'Submitting a new job.'*) REPLY=submitted ;;
    *'Status: DONE'*) REPLY='done' ;;
    *'Status: IN_PROGRESS'* | *'Status: QUEUED'*) REPLY=pending ;;
    *'Status: REJECTED'*) REPLY=rejected ;;
    *'Status: FAILED'* | *'Status: CANCELLED'*) REPLY=failed ;;
    *) REPLY=unknown ;;
  esac
}

diff_verb() {
  local bucket=o3://${P[source]}
  ozone_batch "$(report_command)"
  ((FAILED_AT == 0)) && read_report 1
  retry_report_for_2_1
  if ((FAILED_AT > 0)); then diff_missing; fi
  [[ -n $DIFF_STATUS ]] || unreadable 'snapshot diff'
  if [[ $DIFF_STATUS == not-found ]]; then
    ozone_batch "snapshot diff $bucket ${P[base]} ${P[target]}"
    ((FAILED_AT == 0)) || diff_missing
    submission "$(head -c 500 section.1)"
    DIFF_STATUS=$REPLY
  fi
  finish ok '' '' "{\"status\":\"$DIFF_STATUS\",\"empty\":$DIFF_EMPTY,\"reason\":$DIFF_REASON,\"waitMs\":$DIFF_WAIT}"
}

diff_missing() {
  case $ERROR in
    *"/${P[base]}'"*) stop_unchanged base-missing ;;
    *"/${P[target]}'"*) stop_unchanged target-missing ;;
    *) stop_unchanged source-missing ;;
  esac
}

report_command() { echo "snapshot diff --get-report --json -p 1 o3://${P[source]} ${P[base]} ${P[target]}"; }

# Ozone 2.1 has no --get-report: there the plain command both submits and reports.
retry_report_for_2_1() {
  [[ -z $DIFF_STATUS && $ERROR_CODE == unknown-option ]] || return 0
  ozone_batch "snapshot diff --json -p 1 o3://${P[source]} ${P[base]} ${P[target]}"
  ((FAILED_AT == 0)) && read_report 1
}

DIFF_STATUS='' DIFF_EMPTY=null DIFF_REASON='""' DIFF_WAIT=null

# section: sets DIFF_STATUS, DIFF_EMPTY (true/false only when done), DIFF_REASON (JSON), DIFF_WAIT; leaves the status '' when unreadable
read_report() {
  local row status list
  row=$(records object "section.$1" jobStatus snapshotDiffReport.diffList snapshotDiffReport.fromSnapshot snapshotDiffReport.toSnapshot) || return 1
  IFS=$'\t' read -r status list REPLY <<<"$row"
  [[ $REPLY == "\"${P[base]}\""$'\t'"\"${P[target]}\"" ]] || return 1
  DIFF_REASON=$(records object "section.$1" reason)
  [[ $DIFF_REASON == '"'* ]] || DIFF_REASON='""'
  DIFF_WAIT=$(records object "section.$1" waitTimeInMs)
  [[ $DIFF_WAIT =~ ^[0-9]+$ ]] || DIFF_WAIT=null
  case $status in
    '"DONE"')
      DIFF_STATUS='done' DIFF_EMPTY=false
      [[ $list != '[ ]' ]] || DIFF_EMPTY=true
      ;;
    '"IN_PROGRESS"' | '"QUEUED"') DIFF_STATUS=pending ;;
    '"NOT_FOUND"') DIFF_STATUS=not-found ;;
    '"FAILED"') DIFF_STATUS=failed ;;
    '"REJECTED"') DIFF_STATUS=rejected ;;
    '"CANCELLED"') DIFF_STATUS=cancelled ;;
    *) DIFF_STATUS=unknown ;;
  esac
}

# ---------------------------------------------------------------- replicate

bucket_directory() {
  local directory=${CONF[state]}/buckets/${P[replica]//\//+}
  mkdir -p "$directory"
  echo "$directory"
}

replicate() {
  local directory
  directory=$(bucket_directory)
  lock_bucket "$directory"
  check_fence "$directory/fence"
  precheck
  if ! printf '%s\n' "${P[fence]}" | dd of="$directory/fence.new" conv=fsync 2>/dev/null || ! mv -f "$directory/fence.new" "$directory/fence"; then
    refuse environment "cannot write $directory/fence"
  fi
  copy
  seal
}

# distcp inherits the open lock: while any part of a copy lives, even without this script, no other copy starts here.
lock_bucket() {
  exec 9>>"$1/lock" || refuse environment "cannot write in $1"
  flock -n 9 || refuse bucket-busy "a copy into ${P[replica]} is running on this host: $(head -c 100 "$1/holder" 2>/dev/null)"
  printf '%s\n' "${P[operation]}" >"$1/holder"
}

check_fence() {
  local last remedy="make sure that no copy into ${P[replica]} runs anywhere, then write the number ${P[fence]} into the file"
  if [[ ! -e $1 ]]; then
    [[ ${P[fenceSeed]} == yes ]] || refuse fence-missing "$1 is gone although this host has worked on that bucket: $remedy"
    return 0
  fi
  last=$(head -n 1 "$1")
  [[ $last =~ ^[0-9]{1,12}$ ]] || refuse fence-missing "$1 holds no number: $remedy"
  ((10#${P[fence]} >= 10#$last)) || refuse fence-stale "the token ${P[fence]} is older than $last, the last that changed ${P[replica]} from this host"
}

# One JVM. Each command stands for the refusals of its failure.
precheck() {
  local source=o3://${P[source]} replica=o3://${P[replica]} commands missing incremental='' n=5
  [[ ${P[mode]} != incremental ]] || incremental=yes
  commands=("bucket info $replica" "snapshot list --all -p ${P[target]} $replica" "bucket info $source" "snapshot info $source ${P[target]}")
  missing=(replica-missing replica-missing source-missing target-missing)
  if [[ -n $incremental ]]; then
    commands+=("snapshot info $replica ${P[base]}" "snapshot info $source ${P[base]}")
    missing+=(base-missing base-missing)
    n=7
  fi
  if [[ ${P[empty]} == yes ]]; then commands+=("key list -l 1 $replica") missing+=(replica-missing); fi
  if [[ -n $incremental ]]; then commands+=("$(report_command)") missing+=(diff-unknown); fi
  ozone_batch "${commands[@]}"
  if ((FAILED_AT > 0)) && [[ -z $incremental || $ERROR_CODE != unknown-option ]]; then stop_unchanged "${missing[FAILED_AT - 1]}"; fi

  check_replica_bucket
  read_bucket section.3 || unreadable 'bucket info of the source'
  [[ $B_LAYOUT == FILE_SYSTEM_OPTIMIZED || $B_LAYOUT == LEGACY ]] || refuse layout "the source has the layout $B_LAYOUT, which distcp cannot read"
  require_snapshot section.4 "${P[targetId]}" target
  if [[ -n $incremental ]]; then
    require_snapshot section.5 "${P[baseReplicaId]}" base
    require_snapshot section.6 "${P[baseSourceId]}" base
  fi
  [[ ${P[empty]} == no ]] || claim_bucket "section.$n"
  [[ -z $incremental ]] || require_diff "${#commands[@]}"
}

# section: the bucket must be empty, or this host must have found it so before: a first copy that died has left something in it.
claim_bucket() {
  local record
  record=$(bucket_directory)/claimed
  if [[ $(cat "$1") == '[ ]' ]]; then
    printf '%s\n' "$REPLICA_CREATED" >"$record" || refuse environment "cannot write $record"
  elif [[ $(head -n 1 "$record" 2>/dev/null) != "$REPLICA_CREATED" ]]; then
    refuse replica-not-empty "the bucket ${P[replica]} holds something that is not ours: $(grep -m 1 '"name"' "$1")"
  fi
}

check_replica_bucket() {
  local listed
  read_bucket section.1 || unreadable 'bucket info of the replica'
  REPLICA_CREATED=$B_CREATED
  [[ -z ${P[replicaCreated]} || $B_CREATED == "${P[replicaCreated]}" ]] ||
    refuse replica-other "the bucket was created at $B_CREATED, expected ${P[replicaCreated]}"
  [[ $B_LAYOUT == FILE_SYSTEM_OPTIMIZED || $B_LAYOUT == LEGACY ]] || refuse layout "the replica has the layout $B_LAYOUT, which distcp cannot write"
  listed=$(snapshot_objects section.2 array) || unreadable 'snapshot list of the replica'
  [[ $listed != *"\"name\":\"${P[target]}\""* ]] || refuse already-sealed "the replica has a snapshot ${P[target]} already"
}

# A distcp whose difference has failed would wait for it without end.
require_diff() {
  if ((FAILED_AT == 0)); then read_report "$1"; fi
  retry_report_for_2_1
  case $DIFF_STATUS in
    'done') ;;
    pending) refuse diff-pending 'the difference on the source is still being computed' ;;
    failed | rejected | cancelled) refuse diff-failed "the difference on the source is $DIFF_STATUS: $DIFF_REASON" ;;
    *) refuse diff-unknown "no finished difference from ${P[base]} to ${P[target]} on the source: ${DIFF_STATUS:-$ERROR}" ;;
  esac
}

COPY=null

copy() {
  local source=ofs://${P[source]} begun=$SECONDS exit_code seconds arguments
  # All -D first, all flags before the paths: distcp takes whatever follows a path as a path.
  arguments=(-D "ozone.client.failover.max.attempts=${CONF[client_attempts]}"
    -D "ozone.client.wait.between.retries.millis=${CONF[client_wait_ms]}" -D "mapreduce.job.tags=${P[operation]}")
  if [[ ${P[mode]} == incremental ]]; then
    # Ozone's difference lists a new directory and its content (HDFS-17120): walking it too would list everything twice.
    arguments+=(-D distcp.diff.copy.listing.traverse.directory=false -update -diff "${P[base]}" "${P[target]}")
  else
    arguments+=(-update -delete)
    source+=/.snapshot/${P[target]}
  fi
  arguments+=(-direct -m "$((10#${P[maps]}))")
  ((10#${P[bandwidth]} == 0)) || arguments+=(-bandwidth "$((10#${P[bandwidth]}))")
  JVM_STARTS+=1
  LC_ALL=$JAVA_LOCALE setsid timeout -k 30 "${P[copySeconds]}" hadoop distcp "${arguments[@]}" "$source" "ofs://${P[replica]}" \
    >"$WORK/distcp.log" 2>&1 8>&- </dev/null &
  DISTCP_GROUP=$!
  printf '%s\n' "$DISTCP_GROUP" >"$WORK/group"
  wait "$DISTCP_GROUP"
  exit_code=$? seconds=$((SECONDS - begun))
  DISTCP_GROUP=''
  COPY="{\"mode\":\"${P[mode]}\",\"exit\":$exit_code,\"seconds\":$seconds,$(copy_counters "$WORK/distcp.log")}"
  judge_copy "$exit_code" "$seconds"
}

# The last group of that name: the local job runner prints the counters of the task and then of the job.
copy_counters() {
  awk '
    function count(name) { return name in n ? n[name] : "0" }
    /^[ \t]*DistCp Counters *$/ { inside = 1; split("", n); next }
    inside && /^[ \t][ \t]+[A-Za-z_ ]+=[0-9]+$/ {
      sub(/^[ \t]+/, "")
      i = index($0, "=")
      n[substr($0, 1, i - 1)] = substr($0, i + 1)
      next
    }
    { inside = 0 }
    END {
      printf "\"filesCopied\":%s,\"filesSkipped\":%s,\"filesFailed\":%s,", count("Files Copied"), count("Files Skipped"), count("Files Failed")
      printf "\"bytesCopied\":%s,\"dirsCopied\":%s", count("Bytes Copied"), count("DIR_COPY")
    }' "$1"
}

# exit-code seconds. Exit 0 alone is no success: misplaced arguments and swallowed failures end with 0 too.
judge_copy() {
  local log=$WORK/distcp.log
  if (($1 == 0)) && [[ $COPY == *'"filesFailed":0,'* ]] && grep -q ' completed successfully$' "$log"; then return 0; fi
  case $1 in
    124) copy_failed copy-timeout "distcp did not end within ${P[copySeconds]} s" ;;
    137) (($2 < 10#${P[copySeconds]})) || copy_failed copy-timeout "distcp had to be killed after ${P[copySeconds]} s" ;;
    25)
      ! grep -q 'The target has been modified since snapshot' "$log" ||
        copy_failed target-modified "somebody wrote into ${P[replica]} since ${P[base]}"
      ;;
  esac
  ! grep -q 'TOO_MANY_SNAPSHOTS' "$log" || copy_failed snapshot-limit "$(grep -m 1 -o 'Snapshot limit of .*' "$log")"
  copy_failed copy-failed "distcp ended with exit code $1"
}

copy_failed() {
  json_string "$(tail -n 40 "$WORK/distcp.log" | tail -c 4000)"
  finish failed "$1" "$2" "$(replicate_data null "$REPLY")"
}

replicate_data() {
  local status=null empty=null
  if [[ ${P[mode]} == incremental ]]; then status="\"$DIFF_STATUS\"" empty=$DIFF_EMPTY; fi
  echo "{\"copy\":$COPY,\"diffStatus\":$status,\"diffEmpty\":$empty,\"seal\":$1,\"log\":$2}"
}

# At once after the copy, in the same command: little room for a foreign write, and verify compares what was frozen.
seal() {
  local bucket=o3://${P[replica]} code=seal-failed
  ozone_batch "snapshot create $bucket ${P[target]}" "snapshot info $bucket ${P[target]}"
  if ((FAILED_AT == 0)) && read_snapshot section.2; then finish ok '' '' "$(replicate_data "$SNAPSHOT_JSON" '""')"; fi
  [[ $ERROR_CODE != snapshot-limit ]] || code=snapshot-limit
  finish failed "$code" "the copy is complete, sealing it failed: $ERROR" "$(replicate_data null '""')"
}

# ---------------------------------------------------------------- verify

# Compares the two frozen listings: the same directories (empty ones too) and files with the same lengths. Content is not read.
verify() {
  local left=o3://${P[source]} right=o3://${P[replica]} missing prefix=.snapshot/${P[target]}/ equal=false
  ozone_batch "snapshot info $left ${P[target]}" "snapshot info $right ${P[target]}" \
    "key list --all -p $prefix $left" "key list --all -p $prefix $right"
  missing=(target-missing seal-missing target-missing seal-missing)
  ((FAILED_AT == 0)) || stop_unchanged "${missing[FAILED_AT - 1]}"
  require_snapshot section.1 "${P[targetId]}" target
  require_snapshot section.2 "${P[sealId]}" seal
  listing section.3 "$prefix" >left || unreadable 'key list of the source'
  listing section.4 "$prefix" >right || unreadable 'key list of the replica'
  if ! comm -23 left right >left.differs || ! comm -13 left right >right.differs; then
    refuse environment 'the listings could not be compared'
  fi
  [[ -s left.differs || -s right.differs ]] || equal=true
  finish ok '' '' "{\"level\":\"listing\",\"equal\":$equal,\"source\":$(summary left),\"replica\":$(summary right),$(differences)}"
}

# section prefix: sorted lines "path TAB type TAB size", the path as Ozone escaped it. Ozone lists a directory as a key that
# ends in "/" (FILE_SYSTEM_OPTIMIZED and LEGACY alike, run on 2.2.0). A LEGACY bucket may hold files whose directories
# were never created; distcp creates them, so every ancestor of a key counts as a directory on both sides.
listing() {
  records array "$1" name dataSize file | awk -F '\t' -v prefix="\"$2" '
    function parents(path) {
      while (match(path, /\/[^\/]*$/)) {
        path = substr(path, 1, RSTART - 1)
        if (path == before) return # its own ancestors are out already
        print path "\td\t0"
        if (first == "") first = path
      }
    }
    index($1, prefix) != 1 || $2 !~ /^[0-9]+$/ || $3 !~ /^(true|false)$/ { exit 1 }
    {
      path = substr($1, length(prefix) + 1, length($1) - length(prefix) - 1)
      if ($3 == "false") sub(/\/$/, "", path)
      if (path == "") exit 1
      print path "\t" ($3 == "true" ? "f\t" $2 : "d\t0")
      first = ""; parents(path); if (first != "") before = first
    }' | sort -u -S 64M -T .
  [[ "${PIPESTATUS[*]}" == '0 0 0' ]]
}

summary() {
  awk -F '\t' -v digest="$(sha256sum <"$1" | cut -c 1-64)" '
    $2 == "f" { files++; bytes += $3 } $2 == "d" { dirs++ }
    END { printf "{\"files\":%.0f,\"dirs\":%.0f,\"bytes\":%.0f,\"digest\":\"%s\"}", files, dirs, bytes, digest }' "$1"
}

# Counts and the first 20 of the paths that differ. Long paths are cut between characters and escapes, so that the JSON stays valid.
differences() {
  local tab=$'\t'
  join -t "$tab" -a 1 -a 2 -e - -o 0,1.2,1.3,2.2,2.3 left.differs right.differs | awk -F '\t' '
    function shown(type, size) { return type == "-" ? "null" : type == "d" ? "\"directory\"" : "\"" size " bytes\"" }
    function cut(s,   out) {
      while (s != "" && length(out) < 300) {
        match(s, /^(\\u....|\\.|[\300-\377][\200-\277]*|.)/)
        out = out substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1)
      }
      return s == "" ? out : out "..."
    }
    $2 == "-" { right++ } $4 == "-" { left++ } $2 != "-" && $4 != "-" { changed++ }
    NR <= 20 { first = first (NR > 1 ? "," : "") "{\"path\":\"" cut($1) "\",\"source\":" shown($2, $3) ",\"replica\":" shown($4, $5) "}" }
    END { printf "\"onlySource\":%d,\"onlyReplica\":%d,\"changed\":%d,\"first\":[%s]", left, right, changed, first }'
}

# ---------------------------------------------------------------- main

main() {
  clean_environment
  trap on_exit EXIT
  trap on_signal TERM INT HUP
  read_parameters
  read_host_config
  open_operation
  case ${P[verb]} in
    diff) diff_verb ;;
    *) "${P[verb]}" ;;
  esac
}

main
