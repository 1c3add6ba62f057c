#!/bin/bash
# Ozone DR edge host: one verb on one bucket pair, started by SSM Run Command, answered by one JSON document between markers.
# The document puts OZONE_DR_DOCUMENT=<name> in front and passes parameters only as SSM_<name> environment variables. README.md
# beside this file says what a host needs and what each verb does and proves. No value that was typed by anybody is evaluated.
# A section whose heading ends in [document document] is in those documents only, every other in all of them.
[ -n "${BASH_VERSION:-}" ] || exec /bin/bash "$0" # Run Command may start the script with a plain sh
set +o posix -u -f
PATH=/usr/sbin:/usr/bin:/sbin:/bin
while read -r inherited; do unset -f "$inherited"; done < <(compgen -A function)

readonly BEGIN_MARK='-----BEGIN OZONE-DR REPLY-----' END_MARK='-----END OZONE-DR REPLY-----'
readonly SERVICE='[A-Za-z0-9][A-Za-z0-9.-]{0,61}(:[0-9]{2,5})?' NAME='[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]'
readonly UUID='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
readonly TIME='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}Z' SNAPSHOT_NAME='[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]'
readonly CREATED="^$|^$TIME\$"
readonly BUCKET="^$|^${SERVICE}(/${NAME}/${NAME})?\$" SNAPSHOT="^$|^$SNAPSHOT_NAME\$"
readonly GLOB='[a-z0-9._*?-]{1,73}/[a-z0-9._*?-]{1,73}' POINT="odr-[a-z0-9.-]{1,59}=$UUID"
readonly ACL='(user|group|world|anonymous|client_ip):[A-Za-z0-9._@/+-]{0,100}:[rwcldxyan]{1,9}(\[DEFAULT\])?'
readonly HOOK='^$|^[a-z][a-z0-9-]{0,30}:[0-9]{1,3}:(yes|no)$' # name, seconds, whether its failure is the step's
# operation|bucket|target|targetId|base|baseSourceId|baseReplicaId|replicaCreated|fence|fenceSeed, all but the first two may be empty
readonly MEMBER="op-[0-9a-f]{24}-[0-9]{3}\|$NAME/$NAME\|($SNAPSHOT_NAME)?\|($UUID)?\|($SNAPSHOT_NAME)?(\|($UUID)?){2}\|($TIME)?\|[0-9]{0,12}\|(yes|no)?"
readonly WEB='https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?'
readonly KEEP_DAYS=14 # how long the record of an operation answers a second delivery; Run Command gives up within hours

# verb -> documents that may run it, and the parameters that it cannot do without
declare -rA DOCUMENT_OF=([survey]=observe [diff]=observe [verify]=observe [probe]=observe [examine]=observe
  [compare]=observe [versions]=look-observe [changes]=look-observe [divergence]=look-observe [buckets]=look-observe [snapshot]='protect restore batch-protect' [create-bucket]='protect restore'
  [replicate]='protect yarn-protect' [seal-unchanged]=batch-protect [restore]=restore [remove-scratch]=restore [restrict]=restore [tidy]=destroy [delete]=destroy
  [doctor]='doctor-observe doctor-protect doctor-destroy doctor-restore')
declare -rA NEEDS=([survey]='source' [diff]='source base target' [snapshot]='source target'
  [verify]='source replica target targetId sealId level' [replicate]='source replica target targetId mode'
  [seal-unchanged]='source replica target targetId base baseSourceId baseReplicaId replicaCreated'
  [probe]='probed' [tidy]='replica remove' [delete]='source remove' [create-bucket]='replica layout'
  [examine]='source replica target targetId' [compare]='source replica target targetId level'
  [versions]='source points path64' [changes]='source base target baseSourceId targetId'
  [divergence]='source replica base baseSourceId target targetId since sinceId'
  [restore]='source replica target targetId overwrite targetCreated' [remove-scratch]='replica targetCreated'
  [restrict]='replica targetCreated'
  [buckets]='source globs' [doctor]='source buckets')
declare -rA PATTERN=(
  [operation]='^op-[0-9a-f]{24}-[0-9]{3}$' [verb]='^[a-z-]{1,20}$' [source]=$BUCKET [replica]=$BUCKET
  [target]=$SNAPSHOT [base]=$SNAPSHOT [targetId]="^$|^$UUID\$" [baseSourceId]="^$|^$UUID\$"
  [baseReplicaId]="^$|^$UUID\$" [sealId]="^$|^$UUID\$"
  [replicaCreated]=$CREATED [mode]='^(|bootstrap|resync|incremental)$'
  [empty]='^(yes|no)$' [fence]='^[0-9]{1,12}$' [fenceSeed]='^(yes|no)$' [copySeconds]='^[0-9]{1,6}$'
  [maps]='^[0-9]{1,4}$' [bandwidth]='^[0-9]{1,6}$' [executionTimeout]='^[0-9]{1,6}$'
  [level]='^(|listing|changed|rolling|full)$' [part]='^[0-9]{1,4}$' [parts]='^[0-9]{1,4}$' [brake]='^[0-9]{0,9}$'
  [supersedes]='^$|^op-[0-9a-f]{24}-[0-9]{3}$' [detached]='^(yes|no)$' [queue]='^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' [adopts]='^$|^op-[0-9a-f]{24}-[0-9]{3}$' [probed]='^$|^op-[0-9a-f]{24}-[0-9]{3}$'
  [remove]='^$|^[a-z0-9.-]+=[0-9a-f-]+(,[a-z0-9.-]+=[0-9a-f-]+)*$' [layout]='^(|FILE_SYSTEM_OPTIMIZED|LEGACY)$'
  [replication]='^$|^RATIS/(ONE|THREE)$|^EC/[a-z]{1,8}-[0-9]{1,2}-[0-9]{1,2}-[0-9]{1,5}k$' [quotaBytes]='^[0-9]{1,18}$'
  [quotaNamespace]='^[0-9]{1,18}$' [encryptionKey]='^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$'
  [narrow]="^$|^odr-tmp-[a-z0-9.-]{1,40}=$UUID\$" [selection]='^$|^[0-9a-f]{64}$'
  [since]=$SNAPSHOT [sinceId]="^$|^$UUID\$"
  [selectionUrl]='^$|^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/[A-Za-z0-9/?&=%._~+:@-]+$'
  [overwrite]='^(|never|if-different|always)$' [deleteExtra]='^(yes|no)$' [exact]='^(yes|no)$' [targetCreated]=$CREATED
  [points]="^$|^$POINT(,$POINT)*\$" [path64]='^[A-Za-z0-9+/]{0,700}[A-Za-z0-9+/]{0,668}={0,2}$'
  [policy]='^$|^[a-z][a-z0-9-]{1,31}$' [hookBefore]=$HOOK [hookAfter]=$HOOK
  [token]='^[0-9]{0,40}$' [limit]='^[0-9]{1,4}$' [acls]="^$|^$ACL(,$ACL)*\$" [buckets]="^$|^$NAME/$NAME(,$NAME/$NAME)*\$"
  [globs]="^$|^$GLOB(,$GLOB)*\$" [batch]="^$|^$MEMBER(;$MEMBER)*\$")

declare -A P=()    # checked parameters
declare -A CONF=([path]='' [java_home]='' [state]=/var/lib/ozone-dr [client_attempts]=10 [client_wait_ms]=1000 [yarn_rm]='' [yarn_history]='')
declare -i JVM_STARTS=0
CLIENT=() MEMBERS=() WORK='' RECORD=result IN_BATCH='' JAVA_LOCALE='' DISTCP_GROUP='' FINISHED='' LOOSE='' BATCH_SECONDS=''
OZONE_DR_DOCUMENT=${OZONE_DR_DOCUMENT:-}
readonly RADIUS=${OZONE_DR_DOCUMENT#*-} # whose identity: documents beside one, such as doctor-observe, are called after it
STARTED_AT=$(date +%s%3N) SELF=$(readlink -f "$0")

# ---------------------------------------------------------------- reply

# Sets REPLY to a JSON string. Only printable ASCII survives: messages are for reading, data is never passed through here.
json_string() {
  local LC_ALL=C s=$1
  s=${s//\\/\\\\} s=${s//\"/\\\"} s=${s//$'\n'/\\n} s=${s//$'\t'/ }
  REPLY="\"${s//[^ -~]/?}\""
}

# outcome code message data: records the reply for later deliveries, prints it, exits. The only way out of this script.
finish() {
  local outcome=$1 code=$2 message=${3:0:1500} data=${4:-null} exit_code json host verb
  if_defined after_hooks
  if [[ -z $IN_BATCH && -n ${KEEPER_PID:-} ]]; then kill "$KEEPER_PID" && wait "$KEEPER_PID"; fi 2>/dev/null
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
  verb=${P[verb]:-}
  [[ -z ${P[batch]:-} ]] || verb='batch'
  json="{\"version\":1,\"operation\":\"${P[operation]:-}\",\"verb\":\"$verb\",\"outcome\":\"$outcome\",\"code\":\"$code\",\"message\":$REPLY"
  json+=",\"host\":$host,\"startedAt\":$STARTED_AT,\"endedAt\":$(date +%s%3N),\"jvmStarts\":$JVM_STARTS,\"data\":$data}"
  if [[ -n $WORK ]]; then
    printf '%s\n%s\n' "$exit_code" "$json" | dd of="$WORK/$RECORD.new" conv=fsync 2>/dev/null &&
      mv -f "$WORK/$RECORD.new" "$WORK/$RECORD"
    [[ $RECORD != result ]] || rm -rf "${WORK:?}/scratch"
  fi
  print_reply "$json" "$exit_code"
}

print_reply() {
  FINISHED=yes
  printf '%s\n%s\n%s\n' "$BEGIN_MARK" "$1" "$END_MARK"
  exit "$2"
}

refuse() { finish refused "$@"; }

on_exit() {
  [[ -z $LOOSE ]] || rm -rf "${LOOSE:?}"
  [[ -n $FINISHED ]] || finish failed internal "the script ended without an answer"
}

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
      PATH | HOME | USER | LOGNAME | TZ | KRB5CCNAME | KRB5_CONFIG | OZONE_CONF_DIR | HADOOP_CONF_DIR | SSM_* | OZONE_DR_HOST_CONFIG | AWS_SSM_REGION_NAME) ;;
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
  for name in operation verb batch "${!PATTERN[@]}"; do
    [[ -z ${P[$name]+checked} ]] || continue
    variable=SSM_$name
    [[ -v $variable ]] || refuse bad-parameter "parameter $name was not passed in the environment: the SSM agent of this host is too old"
    [[ ${!variable} =~ ${PATTERN[$name]} ]] || refuse bad-parameter "parameter $name does not match ${PATTERN[$name]}"
    P[$name]=${!variable}
    unset "$variable"
  done
  [[ -n ${OZONE_DR_DOCUMENT:-} && " ${DOCUMENT_OF[${P[verb]}]:-} " == *" $OZONE_DR_DOCUMENT "* ]] ||
    refuse verb-not-allowed "the document ${OZONE_DR_DOCUMENT:-} does not run the verb ${P[verb]}"
  if [[ -z ${P[batch]} ]]; then check_parameters; return; fi
  if_defined check_batch
  ((${#MEMBERS[@]} > 0)) || refuse bad-parameter "the document $OZONE_DR_DOCUMENT takes no batch"
}

check_parameters() {
  local name
  for name in source replica; do
    [[ -z ${P[$name]} || ${P[$name]} == */* ]] || refuse bad-parameter "$name names no bucket"
  done
  for name in ${NEEDS[${P[verb]}]}; do
    [[ -n ${P[$name]} ]] || refuse bad-parameter "${P[verb]} needs the parameter $name"
  done
  if_defined "check_${P[verb]//-/_}"
  [[ ${P[base]} != "${P[target]}" || -z ${P[base]} ]] || refuse bad-parameter "base and target are the same snapshot"
}

# name argument…: calls a function that only some documents have.
if_defined() { ! declare -F "$1" >/dev/null || "$@"; }

read_host_config() {
  local file=${OZONE_DR_HOST_CONFIG:-/etc/ozone-dr/host.conf} line key value
  HOST_CONFIG=$file
  unset OZONE_DR_HOST_CONFIG
  [[ -r $file ]] || refuse environment "cannot read $file: this host is not set up (see the edge host README)"
  while IFS= read -r line || [[ -n $line ]]; do
    [[ -z $line || $line == '#'* ]] && continue
    key=${line%%=*} value=${line#*=}
    case $key in
      path | java_home | state | aws | krb5_conf | ticket_observe | ticket_protect | ticket_destroy | ticket_restore | \
        keytab_observe | keytab_protect | keytab_destroy | keytab_restore) [[ $value =~ ^/[A-Za-z0-9._+:/-]*$ ]] ;;
      yarn_principal | principal_observe | principal_protect | principal_destroy | principal_restore) [[ $value =~ ^[A-Za-z0-9_][A-Za-z0-9._/@+-]{0,254}$ ]] ;;
      hook_*) [[ $key$value =~ ^hook_[a-z][a-z0-9-]{0,30}/[A-Za-z0-9._+/-]*$ ]] ;;
      client_attempts | client_wait_ms) [[ $value =~ ^[1-9][0-9]{0,5}$ ]] ;;
      yarn_rm | yarn_history) [[ $value =~ ^$WEB(,$WEB)*$ ]] ;;
      *) refuse environment "unknown key in $file: $key" ;;
    esac || refuse environment "the value of $key in $file is not usable: $value"
    CONF[$key]=$value
  done <"$file"
  [[ -z ${CONF[path]} ]] || PATH=${CONF[path]}:$PATH
  [[ -z ${CONF[java_home]} ]] || export JAVA_HOME=${CONF[java_home]}
  kerberos
  # Ozone 2.2: without these a dead manager costs minutes of silence.
  CLIENT=(-D "ozone.client.failover.max.attempts=${CONF[client_attempts]}" -D "ozone.client.wait.between.retries.millis=${CONF[client_wait_ms]}")
  [[ ${P[verb]} != doctor ]] || return 0 # it says what is missing
  [[ -n $JAVA_LOCALE ]] || refuse environment 'this host has no UTF-8 locale (C.UTF-8 or en_US.UTF-8), which Java needs to read names'
  for key in ozone $(needs_hadoop && echo hadoop) ${P[selection]:+curl} ${P[queue]:+curl} ${KEYTAB:+kinit} flock timeout setsid awk sort comm join sha256sum; do
    command -v "$key" >/dev/null || refuse environment "$key is not on PATH ($PATH)"
  done
}

needs_hadoop() {
  case ${P[verb]}:${P[level]} in
    verify:listing | compare:listing) return 1 ;;
    replicate:* | restore:* | verify:* | compare:* | versions:*) ;;
    *) return 1 ;;
  esac
}

# ---------------------------------------------------------------- tickets

KEYTAB='' PRINCIPAL='' TICKET='' KINIT=''

# Whose ticket this document works with: one of its own from a keytab, or one that somebody else keeps fresh.
kerberos() {
  KEYTAB=${CONF[keytab_$RADIUS]:-} PRINCIPAL=${CONF[principal_$RADIUS]:-} TICKET=${CONF[ticket_$RADIUS]:-}
  [[ ${KEYTAB:+yes} == "${PRINCIPAL:+yes}" && ( -z $KEYTAB || -z $TICKET ) ]] ||
    refuse environment "$HOST_CONFIG: keytab_$RADIUS needs principal_$RADIUS, and goes without ticket_$RADIUS"
  [[ -z $TICKET ]] || export KRB5CCNAME=FILE:$TICKET
  [[ -n ${CONF[krb5_conf]:-} ]] || return 0
  # Java does not know KRB5_CONFIG. The first word is what both programs take when nothing is set.
  export KRB5_CONFIG=${CONF[krb5_conf]} OZONE_OPTS="-Djava.net.preferIPv4Stack=true -Djava.security.krb5.conf=${CONF[krb5_conf]}"
  export HADOOP_OPTS=$OZONE_OPTS
}

# folder for a ticket of its own. Before any JVM: each would be late to say that there is no ticket, and silent for minutes where no KDC answers.
# Else sets ERROR_CODE and ERROR.
log_in() {
  local said status
  if [[ -n $TICKET ]]; then
    # Ozone takes a ticket until five minutes after its end, the clock skew that Kerberos allows.
    if ! command -v klist >/dev/null || klist -s || { ticket_ends && ((ENDS + 300 > $(date +%s))); }; then return 0; fi
    ERROR_CODE=no-ticket ERROR="there is no valid ticket in $TICKET (klist -c $TICKET): whatever keeps it fresh has to; or name keytab_$RADIUS and principal_$RADIUS in $HOST_CONFIG"
    return 1
  fi
  [[ -n $KEYTAB ]] || return 0
  export KRB5CCNAME=FILE:$1/ticket
  said=$(new_ticket 2>&1)
  status=$?
  if ((status == 0)); then keep_ticket; return; fi
  ERROR="kinit -k -t $KEYTAB $PRINCIPAL, exit code $status: ${said:-no answer}. "
  case $status:$said in
    124:* | 137:* | *'annot contact any KDC'* | *'annot resolve'*) ERROR_CODE=no-kdc ERROR+='No KDC answers this host: see that one runs, and the way to it' ;;
    *) ERROR_CODE=no-ticket ERROR+="It has to work by hand: see keytab_$RADIUS, principal_$RADIUS and krb5_conf in $HOST_CONFIG" ;;
  esac
  return 1
}

# In one step, so that nobody reads half a ticket.
new_ticket() {
  local file=${KRB5CCNAME#FILE:}
  timeout -k 2 15 kinit -k -t "$KEYTAB" -c "FILE:$file.new" "$PRINCIPAL" </dev/null 8>&- 9>&- &
  KINIT=$!
  wait "$KINIT" && mv -f "$file.new" "$file"
}

# Sets ENDS to when the ticket ends, seconds since the epoch.
ticket_ends() {
  ENDS=$(klist 2>/dev/null | awk '$5 ~ /^krbtgt\// { print $3, $4; exit }')
  [[ -n $ENDS ]] && ENDS=$(date -d "$ENDS" +%s 2>/dev/null)
}

# At half of what is left of a ticket the next one, for as long as this script holds the other end of the pipe, which no program inherits.
keep_ticket() {
  local left
  [[ -n $KEYTAB ]] || return 0
  # shellcheck disable=SC2034 # it is there to be closed
  coproc KEEPER {
    trap 'kill ${KINIT:+"$KINIT"}; exit' TERM
    while :; do
      KINIT=''
      left=1200
      ! ticket_ends || left=$((ENDS - $(date +%s)))
      read -r -t "$((left > 4 ? left / 2 : 2))" || (($? > 128)) || exit
      new_ticket
    done
  } 2>/dev/null 8>&- 9>&-
}

# ---------------------------------------------------------------- one operation, delivered once or more

# The first delivery works. A later one waits for the first, or until that is detached, then prints the same reply.
open_operation() {
  local directory=${CONF[state]}/operations/${P[operation]}
  if ! mkdir -p "$directory" "${CONF[state]}/buckets" 2>/dev/null || ! exec 8>>"$directory/lock"; then
    refuse environment "cannot write below ${CONF[state]}"
  fi
  until flock -n 8; do
    if [[ -e $directory/detached ]]; then replay "$directory/detached"; fi
    ((SECONDS < 10#${P[executionTimeout]})) || refuse operation-busy "another delivery of this operation is still running on this host"
    ! flock -w 1 8 || break
  done
  if [[ -e $directory/result ]]; then replay "$directory/result"; fi
  WORK=$directory
  if [[ -e $WORK/started && -z ${P[batch]} ]]; then
    if_defined "end_${P[verb]//-/_}"
    finish interrupted delivery-died "an earlier delivery of this operation died half way; what it had done by then is not known"
  fi
  export OZONE_DR_OPERATION=${P[operation]} # proves later whose a process is
  if ! printf '%s\n' "$STARTED_AT" >"$WORK/started" || ! mkdir -p "$WORK/scratch" || ! cd "$WORK/scratch"; then
    refuse environment "cannot write in $WORK"
  fi
  find "${CONF[state]}/operations" -mindepth 1 -maxdepth 1 -name 'op-*' -mtime "+$KEEP_DAYS" -exec rm -rf {} +
}

replay() {
  read_record "$1"
  print_reply "$RECORDED" "$RECORDED_EXIT"
}

# file: sets RECORDED and RECORDED_EXIT
read_record() {
  { read -r RECORDED_EXIT && IFS= read -r RECORDED; } <"$1"
  [[ $RECORDED_EXIT =~ ^[0-9]{1,2}$ ]] || refuse environment "the recorded reply in $1 is damaged"
}

# ---------------------------------------------------------------- Ozone's shell

# Runs the commands in one JVM (it stops at the first failure). Afterwards: SECTION_<n> files hold each command's output,
# FAILED_AT is the number of the command that failed (0: none), ERROR its text, ERROR_CODE a word for it.
# `snapshot diff` must be last: it closes the output of its JVM. Values are limited to patterns without blanks and quotes,
# because Ozone splits each --execute string into words.
ozone_batch() {
  local arguments=() command exit_code
  if [[ -n $IN_BATCH ]]; then if_defined ask_with_others "$@"; return; fi
  rm -f section.* batch.err
  for command in "$@"; do arguments+=(--execute "$command"); done
  JVM_STARTS+=1
  LC_ALL=$JAVA_LOCALE timeout -k 10 "${BATCH_SECONDS:-$(seconds_left)}" ozone sh "${CLIENT[@]}" "${arguments[@]}" 2>batch.err 8>&- 9>&- </dev/null | split_sections "$@"
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
# before the first echo belongs to no command and makes the whole answer unreadable (an unknown wrapper speaks). SECTIONS: names of
# files instead of section.<n>.
SECTIONS=''
split_sections() {
  local IFS=$'\n'
  COMMANDS="$*" SECTIONS=$SECTIONS awk '
    BEGIN { n = split(ENVIRON["COMMANDS"], command, "\n"); split(ENVIRON["SECTIONS"], name, "\n"); at = 0 }
    at < n && $0 == command[at + 1] { close(file); at++; file = at in name ? name[at] : "section." at; printf "" > file; next }
    at > 0 { print > file }
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
    *'GSS initiate failed'*'Connection refused'* | *'GSS initiate failed'*'timed out'* | *'annot locate KDC'*) ERROR_CODE=no-kdc ;;
    *'Client cannot authenticate'* | *'GSS initiate failed'*) ERROR_CODE=no-ticket ;;
    *PERMISSION_DENIED* | *AccessControlException* | *"doesn't have "*' permission'*) ERROR_CODE=permission-denied ;;
    *BUCKET_ALREADY_EXISTS*) ERROR_CODE=exists ;;
    *BUCKET_NOT_FOUND*) ERROR_CODE='bucket-missing' ;;
    *VOLUME_NOT_FOUND*) ERROR_CODE='volume-missing' ;;
    *FILE_NOT_FOUND*) ERROR_CODE=snapshot-missing ;;
    *FILE_ALREADY_EXISTS*) ERROR_CODE=exists ;;
    *TOO_MANY_SNAPSHOTS*) ERROR_CODE=snapshot-limit ;;
    *'Cannot resolve OM host'* | *UnknownHost*) ERROR_CODE=unknown-host ;;
    *'Connection refused'* | *'No route to host'* | *'onnection reset'* | *'timed out'* | *ConnectTimeout* | *'is unreachable'* | \
      *'UNAVAILABLE: '* | *DEADLINE_EXCEEDED*) # the last two: a datanode
      ERROR_CODE=connection
      ;;
    *'Unknown option'*) ERROR_CODE=unknown-option ;;
    *) ERROR_CODE=unreadable ;;
  esac
  [[ -n $ERROR ]] || ERROR="ozone sh ended with exit code $1 and an incomplete answer"
}

# ---------------------------------------------------------------- stopping unchanged [observe protect yarn destroy restore look batch]

# code-for-a-missing-thing: ends the operation for a command that failed before anything was changed.
stop_unchanged() {
  case $ERROR_CODE in
    timeout | unknown-host | connection | no-kdc) finish unreachable "$ERROR_CODE" "$ERROR" ;;
    bucket-missing | volume-missing | snapshot-missing) refuse "$1" "$ERROR" ;;
    *) refuse "$ERROR_CODE" "$ERROR" ;;
  esac
}

unreadable() { refuse unreadable "the output of ozone sh was not understood: $1"; }

# ---------------------------------------------------------------- reading Ozone's JSON

# kind file field…: rows of raw JSON values (tabs between) from Jackson's pretty printed objects; kind is object or array; fields
# are paths such as "snapshotDiffReport.diffList" (a list gives "[ ]" when empty, else "["). Strict: an unknown line, a
# missing field (but for one asked for as "name?", which is then empty), a missing end is exit 1. One line at a time, so a listing of any length takes no memory.
records() {
  local kind=$1 file=$2
  shift 2
  awk -v kind="$kind" -v wanted="$*" '
    function fail() { bad = 1; exit 1 }
    function element(   i, row) {
      for (i = 1; i <= fields; i++) { if (!(field[i] in value) && !optional[i]) fail(); row = row (i > 1 ? "\t" : "") value[field[i]] }
      print row; split("", value)
    }
    function set(key, text) { if (path[depth] != "") key = path[depth] "." key; value[key] = text }
    function push(type, key) { path[depth + 1] = depth == 0 ? "" : (path[depth] == "" ? key : path[depth] "." key); depth++; kindof[depth] = type }
    BEGIN { fields = split(wanted, field, " "); for (i = 1; i <= fields; i++) optional[i] = sub(/\?$/, "", field[i]) }
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

readonly SNAPSHOT_FIELDS=(name snapshotId creationTime snapshotStatus)

# file kind [exclusiveSize?]: JSON objects of snapshots, one per line
snapshot_objects() {
  records "$2" "$1" "${SNAPSHOT_FIELDS[@]}" "${@:3}" | awk -F '\t' '
    $4 !~ /^"SNAPSHOT_(ACTIVE|DELETED)"$/ || $3 !~ /^[0-9]+$/ { exit 1 }
    {
      sub(/SNAPSHOT_/, "", $4)
      more = $5 ~ /^[0-9]+$/ ? ",\"exclusiveBytes\":" $5 : ""
      printf "{\"name\":%s,\"id\":%s,\"created\":%s,\"status\":%s%s}\n", $1, $2, $3, $4, more
    }' && ((PIPESTATUS[0] == 0))
}

# ---------------------------------------------------------------- links [observe protect yarn restore batch doctor]

# file, what `bucket info` said: of a link Ozone 2.2 shows nothing of the bucket that it leads to. Its layout is then one that nothing here copies.
fill_link() {
  grep -q '"bucketLayout" :' "$1" ||
    sed -Ei 's/^( *")link" : true,?$/\1bucketLayout" : "OBJECT_STORE",\n\1usedBytes" : 0,\n\1usedNamespace" : 0,\n\1quotaInBytes" : -1,\n\1quotaInNamespace" : -1,\n&/' "$1"
}

# ---------------------------------------------------------------- what Ozone says of a bucket [observe protect yarn restore batch]

readonly BUCKET_FIELDS=(creationTime bucketLayout link usedBytes usedNamespace owner quotaInBytes quotaInNamespace)

# file: sets B_CREATED, B_LAYOUT, BUCKET_JSON (an object without its end: the ACLs come from another command)
read_bucket() {
  local row link bytes names owner quota_bytes quota_names key
  fill_link "$1"
  row=$(records object "$1" "${BUCKET_FIELDS[@]}") || return 1
  IFS=$'\t' read -r B_CREATED B_LAYOUT link bytes names owner quota_bytes quota_names <<<"$row"
  BUCKET_JSON="{\"created\":$B_CREATED,\"layout\":$B_LAYOUT,\"link\":$link,\"usedBytes\":$bytes,\"usedNamespace\":$names"
  read_replication "$1" || return 1
  key=$(records object "$1" encryptionKeyName) || key=null
  BUCKET_JSON+=",\"owner\":$owner,\"quotaInBytes\":$quota_bytes,\"quotaInNamespace\":$quota_names"
  BUCKET_JSON+=",\"replication\":\"$REPLY\",\"encryptionKey\":$key"
  B_CREATED=${B_CREATED//\"/} B_LAYOUT=${B_LAYOUT//\"/}
}

# file: sets REPLY to the replication of a bucket, '' when it has none of its own
read_replication() {
  local row type factor data parity chunk
  REPLY=''
  grep -q '^  "replicationConfig" : ' "$1" || return 0
  if row=$(records object "$1" replicationConfig.{replicationType,data,parity,ecChunkSize,codec}); then
    IFS=$'\t' read -r type data parity chunk factor <<<"${row,,}"
    [[ $chunk =~ ^[0-9]{1,9}$ ]] || return 1
    REPLY="EC/${factor//\"/}-$data-$parity-$((chunk / 1024))k"
  elif row=$(records object "$1" replicationConfig.{replicationType,replicationFactor}); then
    IFS=$'\t' read -r type factor <<<"$row"
    REPLY="${type//\"/}/${factor//\"/}"
  fi
  [[ $REPLY =~ ^[A-Za-z0-9/-]{1,100}$ ]]
}

# ---------------------------------------------------------------- what Ozone says of a snapshot [observe protect yarn restore look batch]

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

# ---------------------------------------------------------------- survey [observe]

survey() {
  local source=o3://${P[source]} replica=o3://${P[replica]} left right=null commands
  commands=("bucket info $source" "snapshot list --all $source" "bucket getacl $source")
  [[ -z ${P[replica]} ]] || commands+=("bucket info $replica" "snapshot list --all $replica" "bucket getacl $replica")
  ozone_batch "${commands[@]}"
  side 1
  left=$SIDE
  if [[ -n ${P[replica]} ]]; then
    # A source that does not answer, or not in full, must not hide the replica, so the rest gets a JVM of its own.
    if ((FAILED_AT > 0 && FAILED_AT < 4)); then ozone_batch "${commands[@]:3}"; side 1; else side 4; fi
    right=$SIDE
  fi
  finish ok '' '' "{\"source\":$left,\"replica\":$right}"
}

# first-section: sets SIDE. ACLs that may not be read make no side unreadable.
side() {
  local snapshots acls=null code=$ERROR_CODE message=$ERROR
  if ((FAILED_AT == 0 || FAILED_AT > $1 + 1)); then
    if read_bucket "section.$1" && snapshots=$(snapshot_objects "section.$(($1 + 1))" array 'exclusiveSize?'); then
      if ((FAILED_AT != $1 + 2)); then acls=$(acl_list "section.$(($1 + 2))") && acls="[$acls]" || acls=null; fi
      SIDE="{\"state\":\"read\",\"bucket\":$BUCKET_JSON,\"acls\":$acls},\"snapshots\":[${snapshots//$'\n'/,}]}"
      return
    fi
    code=unreadable message='the output of ozone sh was not understood'
  fi
  not_read "$code" "$message"
}

# code message: sets SIDE for a side that could not be read
not_read() {
  local state
  case $1 in
    bucket-missing | volume-missing) state=missing ;;
    timeout | unknown-host | connection | no-kdc) state=unreachable ;;
    permission-denied | no-ticket) state=denied ;;
    *) state=unreadable ;;
  esac
  json_string "${2:0:500}"
  SIDE="{\"state\":\"$state\",\"code\":\"$1\",\"message\":$REPLY}"
}

# ---------------------------------------------------------------- ACLs [observe doctor]

# file: the ACLs of a bucket as a JSON list, in the order of bytes; null when there is no whole list of up to 100
acl_list() {
  records array "$1" type name aclScope aclList 2>/dev/null | awk -F '\t' '
    { gsub(/[][ "]/, "", $4); line = substr($1, 2, length($1) - 2) ":" substr($2, 2, length($2) - 2) ":" $4 ":" substr($3, 2, length($3) - 2) }
    length(line) > 300 || NR > 100 { exit 1 }
    { print "\"" line "\"" }' | sort | paste -s -d ,
  [[ "${PIPESTATUS[*]}" == '0 0 0 0' ]]
}

# ---------------------------------------------------------------- snapshot [protect restore batch]

snapshot() {
  if_defined before_hooks
  local bucket=o3://${P[source]} created=true diff=not-asked diff_message='' first=2 commands
  commands=("snapshot create $bucket ${P[target]}" "snapshot info $bucket ${P[target]}")
  # It closes the output of its JVM, so that of several only the first would be heard.
  [[ -z $IN_BATCH ]] || P[base]=''
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

# ---------------------------------------------------------------- programs that the host allows [protect doctor]

HOOK_SAID=''

# path: sets REPLY to what it leads to; whether nobody but root and who runs this can change that, or put something else in its place
only_ours() {
  local at owner mode
  REPLY=$(readlink -e "$1") && at=$REPLY || return 1
  while :; do
    read -r owner mode < <(stat -c '%u %a' "${at:-/}") || return 1
    [[ $owner == 0 || $owner == "$EUID" ]] || return 1
    # In a folder such as /tmp everybody may make files, and touch nobody else's.
    ((!(8#$mode & 8#22))) || [[ -d ${at:-/} && -k ${at:-/} ]] || return 1
    [[ -n $at ]] || return 0
    at=${at%/*}
  done
}

# name: sets REPLY to the program of a hook, or HOOK_SAID to why it may not be run
allowed_hook() {
  local program=${CONF[hook_$1]:-}
  if [[ -z $program ]]; then
    HOOK_SAID="$HOST_CONFIG names no hook_$1"
  elif ! only_ours "$HOST_CONFIG"; then
    HOOK_SAID="others than root may change $HOST_CONFIG"
  elif ! only_ours "$program" || [[ ! -f $REPLY || ! -x $REPLY ]]; then
    HOOK_SAID="hook_$1, $program, is no program that root alone may change"
  else
    return 0
  fi
  return 1
}

# ---------------------------------------------------------------- hooks [protect]

HOOKED='' HOOKS='' HOOK_CODE=''

# phase name:seconds:fatal outcome: runs a program of the host's own list, without arguments and in an environment of its own. What it
# prints is kept up to 1000 bytes. Afterwards HOOK_CODE and HOOK_SAID say why it failed, if it did.
run_hook() {
  local name limit status=126 group='' reader program since=$SECONDS output=''
  IFS=: read -r name limit _ <<<"$2"
  limit=$((10#$limit)) HOOK_CODE=hook-missing
  if allowed_hook "$name"; then
    program=$REPLY HOOK_CODE=hook-failed
    rm -f "$WORK/hook.pipe" "$WORK/hook.out"
    mkfifo "$WORK/hook.pipe"
    { head -c 1000 >"$WORK/hook.out"; cat; } <"$WORK/hook.pipe" >/dev/null 2>&1 8>&- 9>&- &
    reader=$!
    (cd / && exec setsid env -i PATH="$PATH" LC_ALL=C HOME="${HOME:-/}" OZONE_DR_PHASE="$1" OZONE_DR_BUCKET="${P[source]#*/}" OZONE_DR_POLICY="${P[policy]}" \
      OZONE_DR_POINT="${P[target]}" OZONE_DR_OUTCOME="$3" OZONE_DR_OPERATION="${P[operation]}" timeout -k 5 "$limit" "$program") >"$WORK/hook.pipe" 2>&1 </dev/null 8>&- 9>&- &
    group=$! DISTCP_GROUP=$group
    wait "$group"
    status=$?
    while kill -0 "$group" 2>/dev/null; do wait "$group"; status=$?; done # a signal ends a wait, and not what it waits for
    DISTCP_GROUP=''
    # What it left behind when it failed is ended with it. Of one that succeeded it may be meant: a session that keeps a lock until the other hook.
    ((status == 0)) || kill -KILL -- "-$group" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      kill -0 "$reader" 2>/dev/null || break
      sleep 0.1
    done
    output=$(tr -d '\000' <"$WORK/hook.out")
    case $status in
      0) HOOK_CODE='' HOOK_SAID='' ;;
      124 | 137) HOOK_SAID="the hook $name did not end within $limit s" ;;
      *) HOOK_SAID="the hook $name ended with exit code $status" ;;
    esac
  fi
  json_string "$output"
  HOOKS+=",{\"phase\":\"$1\",\"name\":\"$name\",\"exit\":$status,\"seconds\":$((SECONDS - since)),\"output\":$REPLY"
  json_string "$HOOK_SAID"
  HOOKS+=",\"problem\":$REPLY}"
  [[ -z $output || -z $HOOK_CODE ]] || HOOK_SAID+=": ${output:0:300}"
  [[ -z $HOOK_CODE ]]
}

# Before anything is done. Whoever is made to hold still here is let go by the other hook: it is looked for first, and runs from here on
# whatever comes.
before_hooks() {
  local after=${P[hookAfter]}
  [[ -n ${P[hookBefore]}$after ]] || return 0
  if [[ $after == *:yes ]] && ! allowed_hook "${after%%:*}"; then refuse hook-missing "$HOOK_SAID"; fi
  HOOKED=yes
  if [[ -n $after ]]; then
    after=${after#*:}
    P[executionTimeout]=$((10#${P[executionTimeout]} - 10#${after%:*} - 20))
  fi
  [[ -z ${P[hookBefore]} ]] || run_hook before "${P[hookBefore]}" '' || [[ ${P[hookBefore]} != *:yes ]] || refuse "$HOOK_CODE" "$HOOK_SAID"
}

# The last thing before a reply: of finish, whose outcome, code, message and data it may change.
after_hooks() {
  # A delivery that died may have left somebody holding still.
  [[ -n $HOOKED || ${P[verb]:-}:$code == snapshot:delivery-died && -n ${P[hookAfter]} ]] || return 0
  HOOKED=''
  trap : TERM INT HUP
  if [[ -n ${P[hookAfter]} ]] && ! run_hook after "${P[hookAfter]}" "$outcome"; then
    if [[ $outcome == ok && ${P[hookAfter]} == *:yes ]]; then
      outcome=failed code=$HOOK_CODE message="the snapshot was created, but $HOOK_SAID" data=null
    elif [[ $outcome != ok ]]; then
      message+="; and $HOOK_SAID"
    fi
  fi
  [[ $outcome != ok ]] || data="${data%\}},\"hooks\":[${HOOKS#,}]}"
}

# ---------------------------------------------------------------- submitting a difference [observe protect restore look batch]

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

# ---------------------------------------------------------------- difference [observe protect yarn look]

# token: of the page. One entry tells whether there is a difference at all, whole pages (Ozone allows 1000) are for reading it.
report_command() {
  local size=$((10#${P[limit]} > 0 ? 10#${P[limit]} : 1))
  [[ -z ${P[brake]}${P[narrow]} ]] || size=1000
  echo "snapshot diff $DIFF_FORM -p $size ${1:+-t $1 }o3://${P[$DIFF_SIDE]} ${P[base]} ${DIFF_TO:-${P[target]}}"
}

# Ozone 2.1 has no --get-report: there the plain command both submits and reports.
retry_report_for_2_1() {
  [[ -z $DIFF_STATUS && $ERROR_CODE == unknown-option ]] || return 0
  DIFF_FORM=--json
  ozone_batch "$(report_command "${P[token]}")"
  ((FAILED_AT == 0)) && read_report 1
}

# DIFF_TO: snapshot that the report leads to, '' for the target
DIFF_FORM='--get-report --json' DIFF_SIDE=source DIFF_TO='' DIFF_SECTION=1 DIFF_STATUS='' DIFF_EMPTY=null DIFF_REASON='""' DIFF_WAIT=null

# section: sets DIFF_STATUS, DIFF_EMPTY (true/false only when done), DIFF_REASON (JSON), DIFF_WAIT; leaves the status '' when unreadable
read_report() {
  local row status list
  DIFF_SECTION=$1
  row=$(records object "section.$1" jobStatus snapshotDiffReport.diffList snapshotDiffReport.fromSnapshot snapshotDiffReport.toSnapshot) || return 1
  IFS=$'\t' read -r status list REPLY <<<"$row"
  [[ $REPLY == "\"${P[base]}\""$'\t'"\"${DIFF_TO:-${P[target]}}\"" ]] || return 1
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

# ---------------------------------------------------------------- diff [observe]

diff() {
  ozone_batch "$(report_command)"
  ((FAILED_AT == 0)) && read_report 1
  submit_missing
  finish ok '' '' "{\"status\":\"$DIFF_STATUS\",\"empty\":$DIFF_EMPTY,\"reason\":$DIFF_REASON,\"waitMs\":$DIFF_WAIT}"
}

# ---------------------------------------------------------------- submitting what there is no report of [observe look]

# After a report was asked for: submits what there is no report of yet.
submit_missing() {
  retry_report_for_2_1
  if ((FAILED_AT > 0)); then diff_missing; fi
  [[ -n $DIFF_STATUS ]] || unreadable 'snapshot diff'
  [[ $DIFF_STATUS == not-found ]] || return 0
  ozone_batch "snapshot diff o3://${P[source]} ${P[base]} ${P[target]}"
  ((FAILED_AT == 0)) || diff_missing
  submission "$(head -c 500 section.1)"
  DIFF_STATUS=$REPLY
}

diff_missing() {
  case $ERROR in
    *"/${P[base]}'"*) stop_unchanged base-missing ;;
    *"/${P[target]}'"*) stop_unchanged target-missing ;;
    *) stop_unchanged source-missing ;;
  esac
}

# ---------------------------------------------------------------- listings [observe protect yarn restore look batch]

# section prefix [times]: sorted lines "path TAB type TAB size", the path as Ozone escaped it; in the file times "path TAB size TAB time" of files. Ozone lists a directory as a key that
# ends in "/" (FILE_SYSTEM_OPTIMIZED and LEGACY alike, run on 2.2.0). A LEGACY bucket may hold files whose directories
# were never created; distcp creates them, so every ancestor of a key counts as a directory on both sides.
listing() {
  [[ -z ${3:-} ]] || : >"$3" || return 1
  records array "$1" name dataSize file modificationTime | awk -F '\t' -v prefix="\"$2" -v times="${3:-}" '
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
      if ($3 == "true" && times != "") print path "\t" $2 "\t" $4 > times
      first = ""; parents(path); if (first != "") before = first
    }' | sort -u -S 64M -T .
  [[ "${PIPESTATUS[*]}" == '0 0 0' ]] && { [[ -z ${3:-} ]] || sort -S 64M -T . -o "$3" "$3"; }
}

# ---------------------------------------------------------------- listings in figures [observe batch]

# file: a listing in figures, as JSON
summary() {
  awk -F '\t' -v digest="$(sha256sum <"$1" | cut -c 1-64)" '
    $2 == "f" { files++; bytes += $3 } $2 == "d" { dirs++ }
    END { printf "{\"files\":%.0f,\"dirs\":%.0f,\"bytes\":%.0f,\"digest\":\"%s\"}", files, dirs, bytes, digest }' "$1"
}

# ---------------------------------------------------------------- names as Ozone escapes them [observe protect yarn restore look]

# For awk: raw() undoes Ozone's escapes of a name, literal() keeps Hadoop from taking it as a pattern.
# shellcheck disable=SC2016 # a program of awk
readonly AWK_NAMES='
  function raw(s,   out, i, c) {
    while (i = index(s, "\\")) {
      out = out substr(s, 1, i - 1); c = substr(s, i + 1, 1)
      if (c == "u") { c = tolower(substr(s, i, 6)); i += 4 }
      if (!(c in letter)) { bad = 1; exit }
      out = out letter[c]; s = substr(s, i + 2)
    }
    return out s
  }
  function literal(s,   out) {
    while (match(s, /[][*?{}\\]/)) { out = out substr(s, 1, RSTART - 1) "\\" substr(s, RSTART, 1); s = substr(s, RSTART + 1) }
    return out s
  }
  BEGIN {
    for (i = 1; i < 32; i++) letter[sprintf("\\u%04x", i)] = sprintf("%c", i)
    letter["n"] = "\n"; letter["t"] = "\t"; letter["r"] = "\r"; letter["b"] = "\b"; letter["f"] = "\f"
    letter["\""] = "\""; letter["\\"] = "\\"; letter["/"] = "/"
  }'

# ---------------------------------------------------------------- bounded file commands [observe protect yarn restore look]

# argument…: one bounded `hadoop fs`, which must keep no lock
hadoop_fs() { LC_ALL=$JAVA_LOCALE timeout -k 10 "$(seconds_left)" hadoop fs "${CLIENT[@]}" "$@" </dev/null 8>&- 9>&-; }

# ---------------------------------------------------------------- paths in files [observe protect yarn restore]

# file: sets WORDS; whether there is any
read_words() {
  local word
  WORDS=()
  while IFS= read -r -d '' word; do WORDS+=("$word"); done <"$1"
  ((${#WORDS[@]} > 0))
}

# tops paths [itself]: of the paths, those of which no parent (nor the path itself) is among the tops
not_below() {
  awk -v itself="${3:-}" '
    !judging { known[$0]; next }
    { path = $0; if (itself && path in known) next }
    { while (match(path, /\/[^\/]*$/)) { path = substr(path, 1, RSTART - 1); if (path in known) next } print }' "$1" judging=1 "$2"
}

# ---------------------------------------------------------------- arguments [protect yarn restore]

# root: the paths below it as arguments, ended by NUL each
words() { awk -v root="$1" "$AWK_NAMES"'{ printf "%s%s%c", root, literal(raw($0)), 0 } END { if (bad) exit 1 }'; }

# ---------------------------------------------------------------- bucket lock [protect yarn destroy restore batch]

HOLDER=''

# [side]: the replica, when it is not said
bucket_directory() {
  local bucket=${P[${1:-replica}]}
  local directory=${CONF[state]}/buckets/${bucket//\//+}
  mkdir -p "$directory"
  echo "$directory"
}

# bucket-directory [command…]: the command may free a lock that is held. distcp inherits the open lock: while any part of a copy
# lives, even without this script, no other copy starts here. Sets HOLDER to the operation that keeps the lock.
lock_bucket() {
  local bucket=${1##*/}
  exec 9>>"$1/lock" || refuse environment "cannot write in $1"
  if ! flock -n 9; then
    HOLDER=$(head -c 100 "$1/holder" 2>/dev/null)
    if (($# == 1)) || ! "${@:2}" "$1"; then
      refuse bucket-busy "a copy into ${bucket//+//} is running on this host: $HOLDER" "$(if_defined "busy_${P[verb]//-/_}")"
    fi
    HOLDER=''
  fi
  printf '%s\n' "${P[operation]}" >"$1/holder"
}

# ---------------------------------------------------------------- fences [protect yarn restore batch]

check_fence() {
  local last remedy="make sure that no copy into ${P[replica]} runs anywhere, then write the number ${P[fence]} into the file"
  if [[ ! -e $1 ]]; then
    [[ ${P[fenceSeed]} == yes ]] || refuse fence-missing "$1 is gone although this host has worked on that bucket: $remedy"
    return 0
  fi
  last=$(head -n 1 "$1")
  [[ $last =~ ^[0-9]{1,12}$ ]] || refuse fence-missing "$1 holds no number: $remedy"
  ((10#${P[fence]} >= 10#$last)) || refuse fence-stale "the token ${P[fence]} is older than $last, the newest that came to this host for ${P[replica]}"
}

# fence-file: the token is used up from here on
raise_fence() {
  if ! printf '%s\n' "${P[fence]}" | dd of="$1.new" conv=fsync 2>/dev/null || ! mv -f "$1.new" "$1"; then
    refuse environment "cannot write $1"
  fi
}

# ---------------------------------------------------------------- the bucket of the replica [protect yarn batch]

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

# ---------------------------------------------------------------- copying [protect yarn restore]

# The distcp of a delivery that died may live on.
end_copy() { ! exec 9>>"$(bucket_directory)/lock" || end_processes "${P[operation]}"; }

# operation: ends its processes on this host, first TERM, then KILL, until the bucket lock (descriptor 9), which distcp inherits, is
# free. Two things prove whose a process is: the environment it was started with (the agent's for the script, ours for its
# children), and the folder it works in. Nothing else is touched.
end_processes() {
  local signal pid pids known scratch
  scratch=$(readlink -f "${CONF[state]}")/operations/$1/scratch # gone once its script has ended
  for signal in TERM KILL; do
    known=$(compgen -G '/proc/[0-9]*/environ' | xargs grep -lzsx -e "OZONE_DR_OPERATION=$1" -e "SSM_operation=$1")
    pids=''
    for pid in ${known//[^0-9$'\n']/}; do
      case $(readlink "/proc/$pid/cwd") in "$scratch" | "$scratch (deleted)") pids+=" $pid" ;; esac
    done
    [[ -n $pids ]] || break
    # shellcheck disable=SC2086 # one word per process
    kill "-$signal" $pids 2>/dev/null
    flock -w 10 9 && return 0
  done
  flock -n 9
}

COPY=null COPY_BEGUN=0 COUNTS=(0 0 0 0 0)

# option… -- path…: one distcp. All -D first, all flags before the paths: distcp takes whatever follows a path as a path.
distcp() {
  local options=(-D "mapreduce.job.tags=${P[operation]}") rates=(-direct -m "$((10#${P[maps]}))") renewer=${CONF[yarn_principal]:-}
  if_defined submit_to_yarn
  if [[ -z $renewer && -z ${P[queue]} ]]; then
    renewer=$PRINCIPAL
    [[ -n $renewer || -z $TICKET ]] || renewer=$(klist | sed -n 's/^Default principal: //p')
  fi
  # With Kerberos distcp names a renewer of its tokens, and ends without one, an increment after it has changed the replica. Without YARN any name will do.
  [[ -z $renewer ]] || options+=(-D "yarn.resourcemanager.principal=$renewer")
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  ((10#${P[bandwidth]} == 0)) || rates+=(-bandwidth "$((10#${P[bandwidth]}))")
  hadoop_step distcp "${options[@]}" "${rates[@]}" "${@:2}"
}

# argument…: hadoop as a step of the copy, in a process group of its own, within what is left of the copy's time
hadoop_step() {
  local exit_code seconds n=0 count group left=$((10#${P[copySeconds]} - SECONDS + COPY_BEGUN))
  JVM_STARTS+=1
  LC_ALL=$JAVA_LOCALE setsid timeout -k 30 "$((left > 0 ? left : 1))" hadoop "$1" "${CLIENT[@]}" "${@:2}" >"$WORK/distcp.log" 2>&1 8>&- </dev/null &
  group=$! DISTCP_GROUP=$group
  wait "$group"
  exit_code=$? seconds=$((SECONDS - COPY_BEGUN))
  DISTCP_GROUP=''
  if [[ -n ${P[queue]} ]]; then
    kill -KILL -- "-$group" 2>/dev/null # what has not submitted by now never will
    if_defined follow_application "${P[operation]}" "$exit_code"
    return
  fi
  for count in $(copy_counters "$WORK/distcp.log"); do COUNTS[n]=$((COUNTS[n] + count)) && n=$((n + 1)); done
  copied "$exit_code" "$seconds"
  judge_copy "$exit_code" "$seconds" "${1/#fs/hadoop fs}"
}

# exit-code seconds: sets COPY; only a replication has a mode
copied() {
  COPY="{${P[mode]:+\"mode\":\"${P[mode]}\",}\"exit\":$1,\"seconds\":$2,\"filesCopied\":${COUNTS[0]},\"filesSkipped\":${COUNTS[1]}"
  COPY+=",\"filesFailed\":${COUNTS[2]},\"bytesCopied\":${COUNTS[3]},\"dirsCopied\":${COUNTS[4]}}"
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
    END { print count("Files Copied"), count("Files Skipped"), count("Files Failed"), count("Bytes Copied"), count("DIR_COPY") }' "$1"
}

# exit-code seconds program. Exit 0 alone is no success of distcp: misplaced arguments and swallowed failures end with 0 too.
judge_copy() {
  local log=$WORK/distcp.log
  if (($1 == 0)) && [[ $3 != distcp ]]; then return 0; fi
  if (($1 == 0 && COUNTS[2] == 0)) && grep -q ' completed successfully$' "$log"; then return 0; fi
  case $1 in
    124) copy_failed copy-timeout "$3 did not end within ${P[copySeconds]} s" ;;
    137) (($2 < 10#${P[copySeconds]})) || copy_failed copy-timeout "$3 had to be killed after ${P[copySeconds]} s" ;;
    25)
      ! grep -q 'The target has been modified since snapshot' "$log" ||
        copy_failed target-modified "somebody wrote into ${P[replica]} since ${P[base]}"
      ;;
  esac
  ! grep -q 'TOO_MANY_SNAPSHOTS' "$log" || copy_failed snapshot-limit "$(grep -m 1 -o 'Snapshot limit of .*' "$log")"
  ERROR=$(grep -m 1 -aE "PERMISSION_DENIED|doesn't have .* permission|Client cannot authenticate|GSS initiate failed" "$log")
  [[ -n $ERROR ]] || copy_failed copy-failed "$3 ended with exit code $1"
  classify_error "$1"
  copy_failed "$ERROR_CODE" "$3 ended with exit code $1: ${ERROR:0:500}"
}

copy_failed() {
  json_string "$(tail -n 40 "$WORK/distcp.log" | tail -c 4000)"
  finish failed "$1" "$2" "$("data_${P[verb]}" null "$REPLY")"
}

# ---------------------------------------------------------------- asking YARN [yarn doctor]

# file: "path TAB value" for each value of a JSON text, such as `apps.app.0.id`, a list or an object as its first letter, texts
# as they were escaped. A text that is cut, or no JSON, is exit 1.
json_values() {
  grep -oE '"([^"\\]|\\.)*"|[][{},:]|[^][{},:[:space:]]+' "$1" | awk '
    function fail() { bad = 1; exit 1 }
    function say(   i, path) { for (i = 1; i <= depth; i++) path = path (i > 1 ? "." : "") key[i]; print path "\t" $0 }
    BEGIN { want = "value" }
    want == "none" { fail() }
    want == "colon" { if ($0 != ":") fail(); want = "value"; next }
    /^[]}]$/ && (want == "end" || want == "first") { if ($0 != last[depth]) fail(); depth--; want = depth ? "end" : "none"; next }
    want == "end" { if ($0 != ",") fail(); if (last[depth] == "]") { key[depth]++; want = "value" } else want = "key"; next }
    want == "key" || (want == "first" && last[depth] == "}") { if ($0 !~ /^".*"$/) fail(); key[depth] = substr($0, 2, length($0) - 2); want = "colon"; next }
    /^[{[]$/ { say(); depth++; last[depth] = $0 == "{" ? "}" : "]"; key[depth] = 0; want = "first"; next }
    !/^(".*"|-?[0-9][0-9.eE+-]*|true|false|null|NaN)$/ { fail() }
    { say(); want = depth ? "end" : "none" }
    END { if (bad || want != "none") exit 1 }'
}

# key path curl-word…: asks the servers that host.conf names under that key, one after the other, until one answers in full: the
# file `answer` has its values. NO_ANSWER says why none did. One that stands by redirects, which is no answer.
ask_yarn() {
  local url status words=(-q -sS --globoff -m 10 --proto '=http,https' -H 'X-Requested-By: ozone-dr' -o answer.json -w '%{http_code}') path=$2
  NO_ANSWER="$HOST_CONFIG names no $1"
  if klist -s 2>/dev/null; then
    words+=(--negotiate -u :)
    YARN_USER=$(klist 2>/dev/null | sed -n 's|^Default principal: \([^/@]*\).*|\1|p')
  else
    YARN_USER=$(id -un)
    [[ $path == *\?* ]] && path+='&' || path+='?'
    path+=user.name=$YARN_USER
  fi
  for url in ${CONF[$1]//,/ }; do
    rm -f answer.json
    status=$(curl "${words[@]}" "${@:3}" "$url/ws/v1/$path" 2>answer.err 8>&- 9>&- </dev/null) &&
      [[ $status == 20[02] ]] && json_values answer.json >answer && return 0
    NO_ANSWER="$url/ws/v1/$2: $status $(head -c 200 answer.err) $(head -c 200 answer.json 2>/dev/null)"
  done
  return 1
}

# The queues in the answer of a scheduler: their names, and with those above them.
queue_names() { sed -nE 's/^.*\.(queueName|queuePath)\t"([A-Za-z0-9._-]+)"$/\2/p' answer | sort -u; }

# ---------------------------------------------------------------- copying on YARN [yarn]

readonly APPLICATION_FIELDS=(id user state finalStatus applicationType elapsedTime applicationTags name diagnostics)

# query: into the file `applications` rows of these fields, of those that the resource manager lists
applications() {
  ask_yarn yarn_rm "cluster/apps?$1" && awk -F '\t' -v wanted="${APPLICATION_FIELDS[*]}" '
    BEGIN { fields = split(wanted, field, " ") }
    $1 == "apps" && $2 ~ /^({|null)$/ { is = 1 }
    /^apps\.app\.[0-9]+\t/ { many++ }
    match($1, /^apps\.app\.[0-9]+\./) { value[substr($1, 10, RLENGTH - 10), substr($1, RLENGTH + 1)] = $2 }
    END {
      if (!is) exit 1
      for (n = 0; n < many; n++) {
        row = ""
        for (i = 1; i <= fields; i++) {
          text = value[n, field[i]]; gsub(/^"|"$/, "", text)
          row = row (i > 1 ? "\t" : "") (text == "" ? "-" : text)
        }
        print row
      }
    }' answer >applications
}

# The tag of all applications that write the replica
bucket_tag() { echo "odr-$(sha256sum <<<"${P[replica]}" | cut -c 1-24)"; }

# operation: sets APP_ID, APP_USER, APP_STATE, APP_END, APP_TIME and APP_SAID to those of its application. Exit 1: there is none; 2: the resource
# manager did not say. A tag is free text that anybody may set: the name and the kind have to fit too.
find_application() {
  local id user state end kind time tags name said
  applications "applicationTags=$1" || return 2
  APP_ID=''
  while IFS=$'\t' read -r id user state end kind time tags name said; do
    [[ $kind == MAPREDUCE && ,$tags, == *",$1,"* && $name == "distcp: ozone-dr:$1" ]] || continue
    if [[ -z $APP_ID ]] || is_over; then APP_ID=$id APP_USER=$user APP_STATE=$state APP_END=$end APP_TIME=$time APP_SAID=$said; fi
  done <applications
  [[ $APP_ID =~ ^application_[0-9]+_[0-9]+$ && $APP_TIME =~ ^[0-9]+$ ]]
}

is_over() { [[ $APP_STATE == @(FINISHED|FAILED|KILLED) ]]; }

# what body: changes the application that was found
put_application() {
  ask_yarn yarn_rm "cluster/apps/$APP_ID/$1" -X PUT -H 'Content-Type: application/json' -d "$2"
}

# operation: ends its application, if that is of our user, and waits until it is over
end_application() {
  local asked=''
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    find_application "$1"
    case $? in
      0)
        # Its containers end some seconds after it.
        if is_over; then [[ -z $asked ]] || sleep 5; return 0; fi
        [[ $APP_USER == "$YARN_USER" ]] || return 1
        asked=yes
        put_application state '{"state":"KILLED"}'
        ;;
      1) return 0 ;;
    esac
    sleep 2
  done
  return 1
}

no_yarn() { finish unreachable yarn-unreachable "the resource manager gave no answer that can be read: $NO_ANSWER"; }

# bucket-directory: what has to hold before a copy on YARN may begin: above all, no application of an older one writes the bucket.
check_yarn() {
  local id name
  if [[ -z ${P[adopts]} ]]; then
    # distcp applies renames and deletes before it asks for the queue.
    ask_yarn yarn_rm cluster/scheduler || no_yarn
    queue_names | grep -qxF -e "${P[queue]}" -e "root.${P[queue]}" || refuse queue-missing "YARN has no queue ${P[queue]}: $(queue_names | head -c 300 | tr '\n' ' ')"
  fi
  applications "applicationTags=$(bucket_tag)&states=NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING" || no_yarn
  mv applications live
  while IFS=$'\t' read -r id _ _ _ _ _ _ name _; do
    name=${name#distcp: ozone-dr:}
    [[ $name =~ ${PATTERN[operation]} && $name != "${P[adopts]}" ]] || continue
    if [[ $name != "${P[supersedes]}" ]] || ! end_application "$name"; then
      HOLDER=$name
      refuse bucket-busy "the application $id of $name still copies into ${P[replica]}" "$(data_replicate null '""')"
    fi
  done <live
  rm -f "$1/application"
  [[ -n ${P[adopts]} ]] || return 0
  find_application "${P[adopts]}"
  case $? in
    1) refuse no-application "YARN knows no application of ${P[adopts]}" ;;
    2) no_yarn ;;
  esac
}

# Changes options and rates of the distcp that calls it; from here on there may be an application.
submit_to_yarn() {
  printf '%s\n' "${P[operation]}" >"$(bucket_directory)/application" || refuse environment 'cannot write what is submitted'
  options=(-D mapreduce.framework.name=yarn -D "mapreduce.job.tags=${P[operation]},$(bucket_tag)" -D "mapreduce.job.name=ozone-dr:${P[operation]}"
    -D "mapreduce.job.queuename=${P[queue]}" -D mapreduce.am.max-attempts=1
    -D yarn.resourcemanager.connect.max-wait.ms=60000 -D yarn.resourcemanager.connect.retry-interval.ms=2000)
  rates+=(-async)
}

# operation [exit-code]: of the client, which is dead. What became of the copy is what YARN says of the application, however the
# client ended; a resource manager that does not answer is asked until the time of the copy is over.
follow_application() {
  local left pause=2 none=0 bounded='' code=copy-failed exit=${2:-0} seconds
  while :; do
    left=$((10#${P[copySeconds]} - SECONDS + COPY_BEGUN))
    find_application "$1"
    case $? in
      0)
        [[ $APP_USER == "$YARN_USER" ]] || copy_failed unclear "the application $APP_ID is of $APP_USER, and not of $YARN_USER"
        ! is_over || break
        none=0
        # Ends it on the server, whoever is alive here by then.
        [[ -n $bounded ]] || ! put_application timeout "{\"timeout\":{\"type\":\"LIFETIME\",\"expiryTime\":\"$(date -u -d "+$((left > 1 ? left : 1)) seconds" +%Y-%m-%dT%H:%M:%S.000+0000)\"}}" || bounded=yes
        if ((left < -20)) && end_application "$1"; then copy_failed copy-timeout "the application $APP_ID did not end within ${P[copySeconds]} s"; fi
        ;;
      1)
        none=$((none + 1))
        ((none < 3)) || no_application "$exit"
        ;;
    esac
    ((left > -60)) || copy_failed unclear "it is not known how the application of $1 ended: $NO_ANSWER"
    sleep "$pause" 8>&- 9>&- # it must keep no lock when this script is killed
    pause=$((pause < 15 ? pause + 1 : 15))
  done
  rm -f "$(bucket_directory)/application"
  seconds=$((SECONDS - COPY_BEGUN))
  ((seconds > APP_TIME / 1000)) || seconds=$((APP_TIME / 1000))
  if [[ $APP_END == SUCCEEDED ]]; then
    # Counts are for reading: after a map that was tried twice they are not exact.
    if read_counters; then copied 0 "$seconds"; fi
    ((COUNTS[2] == 0)) || copy_failed copy-failed "${COUNTS[2]} files failed"
    return
  fi
  [[ $APP_STATE == KILLED ]] || exit=25 # as a client says that waits for its job
  copied "$exit" "$seconds"
  [[ $APP_SAID != *'exceeded the lifetime'* ]] || code=copy-timeout
  copy_failed "$code" "the application $APP_ID is $APP_STATE, $APP_END: $APP_SAID"
}

# exit-code: of the client that submitted none
no_application() {
  rm -f "$(bucket_directory)/application"
  (($1 == 0)) || judge_copy "$1" "$((SECONDS - COPY_BEGUN))" distcp
  copy_failed copy-failed "YARN knows no application of the copy"
}

# Sets COUNTS from the history of the application that was found; exit 1 when there is none, which is said in NO_ANSWER.
read_counters() {
  local job=job_${APP_ID#application_} counts
  for _ in 1 2 3 4; do
    if ask_yarn yarn_history "history/mapreduce/jobs/$job/counters" && counts=$(job_counters "\"$job\""); then
      read -r -a COUNTS <<<"$counts"
      return 0
    fi
    [[ -n ${CONF[yarn_history]} ]] || return 1
    sleep 3
  done
  return 1
}

# job: files copied, skipped, failed, bytes copied, directories made, as the mappers of distcp count
job_counters() {
  awk -F '\t' -v job="$1" '
    function count(name) { return name in n ? n[name] : "0" }
    $1 == "jobCounters.id" && $2 == job { is = 1 }
    $2 == "\"org.apache.hadoop.tools.mapred.CopyMapper$Counter\"" && $1 ~ /^jobCounters\.counterGroup\.[0-9]+\.counterGroupName$/ { group = $1; sub(/[A-Za-z]+$/, "counter.", group) }
    group != "" && index($1, group) == 1 && $1 ~ /\.name$/ { name = $2 }
    group != "" && index($1, group) == 1 && $1 ~ /\.totalCounterValue$/ && $2 ~ /^[0-9]+$/ { n[name] = $2 }
    END { if (!is) exit 1; print count("\"COPY\""), count("\"SKIP\""), count("\"FAIL\""), count("\"BYTESCOPIED\""), count("\"DIR_COPY\"") }' answer
}

# ---------------------------------------------------------------- replicate [protect yarn]

check_replicate() {
  local name
  [[ ${P[supersedes]} != "${P[operation]}" ]] || refuse bad-parameter "an operation cannot supersede itself"
  ((10#${P[fence]} > 0 && 10#${P[copySeconds]} > 0 && 10#${P[maps]} > 0)) || refuse bad-parameter "fence, copySeconds and maps must not be 0"
  [[ ${P[source]} != "${P[replica]}" ]] || refuse bad-parameter "source and replica are the same bucket"
  [[ -n ${P[replicaCreated]} || ${P[empty]} == yes ]] || refuse bad-parameter "replicaCreated is needed for a bucket that was enrolled before"
  [[ -z ${P[queue]} || -z ${P[narrow]} ]] || refuse bad-parameter "a narrowed resync runs on the host itself"
  [[ $RADIUS != "$OZONE_DR_DOCUMENT" || -z ${P[queue]}${P[adopts]} ]] || refuse bad-parameter "the document $OZONE_DR_DOCUMENT has no copies on YARN"
  [[ $RADIUS == "$OZONE_DR_DOCUMENT" || -n ${P[queue]}${P[adopts]} ]] || refuse bad-parameter "a copy on YARN needs the parameter queue or adopts"
  [[ -z ${P[narrow]} || ${P[mode]} == resync ]] || refuse bad-parameter "only a resync can be narrowed"
  [[ -z ${P[adopts]} ]] || return 0
  [[ ${P[mode]} == incremental || -n ${P[narrow]} ]] || return 0
  for name in base baseSourceId baseReplicaId; do
    [[ -n ${P[$name]} ]] || refuse bad-parameter "a copy from a base needs the parameter $name"
  done
}

replicate() {
  local directory
  directory=$(bucket_directory)
  lock_bucket "$directory" supersede
  check_fence "$directory/fence"
  if_defined check_yarn "$directory"
  if [[ -z ${P[queue]}${P[adopts]} && -e $directory/application ]]; then
    HOLDER=$(head -c 100 "$directory/application")
    refuse bucket-busy "an application of YARN may still copy into ${P[replica]}: that of $HOLDER. The next copy on YARN finds out; or see that it is over and remove $directory/application" "$(data_replicate null '""')"
  fi
  precheck
  raise_fence "$directory/fence"
  if [[ ${P[detached]} == yes ]]; then detach; fi
  copy
  seal
}

# Answers, while this script, started once more, goes on in a session of its own with both locks: neither the end of the command
# nor its cancelling reaches it.
detach() {
  local name
  trap : TERM INT HUP # what was started cannot be called back: it is said, whatever comes
  printf '%s\n' "$STARTED_AT" "$JVM_STARTS" "$DIFF_STATUS" "$DIFF_EMPTY" "$REMOVALS" "$UNITS" >"$WORK/handover" || refuse environment "cannot write in $WORK"
  for name in "${!P[@]}"; do export "SSM_$name=${P[$name]}"; done
  export OZONE_DR_HOST_CONFIG=$HOST_CONFIG
  setsid /bin/bash "$SELF" --detached </dev/null >/dev/null 2>&1 &
  DETACHED=true RECORD=detached
  finish ok '' '' "$(data_replicate null '""')"
}

# The other half. Run Command starts no script with an argument, and without the locks nothing is done.
go_on_replicate() {
  trap '' HUP
  WORK=${CONF[state]}/operations/${P[operation]}
  export OZONE_DR_OPERATION=${P[operation]}
  if ! flock -n 8 || ! flock -n 9 || ! cd "$WORK/scratch" ||
    ! { read -r STARTED_AT && read -r JVM_STARTS && read -r DIFF_STATUS && read -r DIFF_EMPTY && read -r REMOVALS && read -r UNITS; } <"$WORK/handover"; then
    refuse environment "the copy could not be handed over in $WORK"
  fi
  P[executionTimeout]=$((10#${P[executionTimeout]} + 10#${P[copySeconds]}))
  keep_ticket
  copy
  seal
}

end_replicate() { end_copy; }

# bucket-directory: ends the copy that holds the lock, if it is the one that this operation may end.
supersede() {
  [[ -n $HOLDER && $HOLDER == "${P[supersedes]}" ]] || return 1
  check_fence "$1/fence"
  end_processes "$HOLDER"
}

busy_replicate() { data_replicate null '""'; }

# One JVM. Each command stands for the refusals of its failure.
precheck() {
  local source=o3://${P[source]} replica=o3://${P[replica]} commands missing based='' listed=0 n=5
  if [[ -z ${P[adopts]} && ${P[mode]} == incremental || -n ${P[narrow]} ]]; then based=yes; fi
  commands=("bucket info $replica" "snapshot list --all -p ${P[target]} $replica" "bucket info $source" "snapshot info $source ${P[target]}")
  missing=(replica-missing replica-missing source-missing target-missing)
  if [[ -n $based ]]; then
    commands+=("snapshot info $replica ${P[base]}" "snapshot info $source ${P[base]}")
    missing+=(base-missing base-missing)
    n=7
  fi
  if [[ -n ${P[narrow]} ]]; then
    commands+=("snapshot info $replica ${P[narrow]%=*}")
    missing+=(temporary-missing)
    n=8
  fi
  if [[ ${P[empty]} == yes ]]; then commands+=("key list -l 1 $replica") missing+=(replica-missing); fi
  if [[ ${P[mode]} != incremental && -n ${P[brake]}${P[narrow]} ]]; then
    commands+=("key list --all $replica" "key list --all -p .snapshot/${P[target]}/ $source")
    missing+=(replica-missing target-missing)
    listed=${#commands[@]}
  fi
  if [[ -n $based ]]; then
    commands+=("$(report_command)")
    missing+=(diff-unknown)
  fi
  ozone_batch "${commands[@]}"
  if ((FAILED_AT > 0)) && [[ -z $based || $ERROR_CODE != unknown-option ]]; then stop_unchanged "${missing[FAILED_AT - 1]}"; fi

  check_replica_bucket
  read_bucket section.3 || unreadable 'bucket info of the source'
  [[ $B_LAYOUT == FILE_SYSTEM_OPTIMIZED || $B_LAYOUT == LEGACY ]] || refuse layout "the source has the layout $B_LAYOUT, which distcp cannot read"
  require_snapshot section.4 "${P[targetId]}" target
  if [[ -n $based ]]; then
    require_snapshot section.5 "${P[baseReplicaId]}" base
    require_snapshot section.6 "${P[baseSourceId]}" base
  fi
  [[ -z ${P[narrow]} ]] || require_snapshot section.7 "${P[narrow]#*=}" temporary
  [[ ${P[empty]} == no ]] || claim_bucket "section.$n"
  ((listed == 0)) || list_sides "$listed"
  [[ -z $based ]] || require_diff "${#commands[@]}"
  if [[ -n ${P[brake]} && -z ${P[adopts]} ]]; then
    if [[ ${P[mode]} == incremental ]]; then count_difference; else count_extra; fi
  fi
  [[ -z ${P[narrow]} ]] || if_defined plan_units
}

# What the difference takes away. Its kinds come in the order "-", "R", "+", "M", also from page to page: 2.2.0 keeps them by
# kind, the first digit of a token, and so reported 600 "-", 500 "R", 701 "+" and 8 "M" in two pages.
count_difference() {
  local deletes=0 renames=0 token last section
  : >entries
  while :; do
    section=section.$DIFF_SECTION
    awk '/^      "diffType" : / { kind = substr($3, 2, 1) }
      match($0, /^      "sourcePath" : "\.\//) { $0 = substr($0, RLENGTH + 1); sub(/\/?",?$/, ""); print kind "\t" $0 }' "$section" >>entries
    deletes=$((deletes + $(grep -cE '^ {6}"diffType" : "-",?$' "$section")))
    # Of a file of which only the time was set Ozone 2.2.0 says that it was renamed to where it is.
    renames=$((renames + $(awk '/^      "(source|target)Path" : / { sub(/,$/, ""); path = $0; sub(/^[^:]*: /, "", path) } /^      "sourcePath"/ { from = path } /^      "targetPath"/ && path != from { n++ } END { print n + 0 }' "$section")))
    last=$(grep -E '^ {6}"diffType" : ' "$section" | tail -n 1)
    token=$(records object "$section" snapshotDiffReport.nextToken) && [[ $token =~ ^\"([0-9]{1,40})\"$ && $last == *'"'[-R]'"'* ]] || break
    token=${BASH_REMATCH[1]}
    brake "$deletes" "$renames" false
    next_page "$token"
  done
  brake "$deletes" "$renames" true
  count_below
  brake "$((deletes + BELOW))" "$renames" true
}

# Sets BELOW: what lies below the directories that are gone. Ozone reports a directory that was deleted as a whole as one entry
# until its cleaner has followed into it (2.2.0, FSO). A path that is there again was overwritten.
count_below() {
  local at exit_code
  BELOW=0
  comm -23 <(sed -n 's/^-\t//p' entries | sort -u) <(sed -n 's/^+\t//p' entries | sort -u) >gone
  not_below gone gone >tops
  words "ofs://${P[source]}/.snapshot/${P[base]}/" <tops >counted.words || unreadable 'a name among what was deleted'
  read_words counted.words || return 0
  # What the report names itself is counted already.
  BELOW=-$(wc -l <gone)
  for ((at = 0; at < ${#WORDS[@]}; at += 500)); do
    JVM_STARTS+=1
    hadoop_fs -count "${WORDS[@]:at:500}" >counted 2>batch.err
    exit_code=$?
    ERROR=$(head -c 1000 batch.err)
    classify_error "$exit_code"
    ((exit_code == 0)) || stop_unchanged base-missing
    BELOW=$((BELOW + $(awk '{ n += $1 + $2 } END { printf "%.0f", n }' counted)))
    ((BELOW <= 10#${P[brake]})) || return 0
  done
}

# token: reads the page of a report that was finished a moment ago
next_page() {
  ozone_batch "$(report_command "$1")"
  ((FAILED_AT == 0)) || stop_unchanged diff-unknown
  read_report 1 && [[ $DIFF_STATUS == 'done' ]] || refuse diff-unknown "the difference on the $DIFF_SIDE is $DIFF_STATUS, a moment ago it was done"
}

# section: of the target's listing, which follows that of the live replica
list_sides() {
  listing "section.$(($1 - 1))" '' >replica.list || unreadable 'key list of the replica'
  listing "section.$1" ".snapshot/${P[target]}/" >target.list || unreadable 'key list of the source'
}

# What distcp -delete takes away: files that the live replica has and the target has not, and directories, but for distcp's own debris.
count_extra() {
  local extra
  extra=$(comm -23 <(cut -f 1,2 replica.list | grep -v '^\.distcp\.') <(cut -f 1,2 target.list) | wc -l)
  brake "$extra" 0 true
}

# deletes renames complete
brake() {
  local least='at least '
  [[ $3 == false ]] || least=''
  REMOVALS="{\"deletes\":$1,\"renames\":$2,\"complete\":$3}"
  (($1 + $2 <= 10#${P[brake]})) ||
    refuse anomalous-change "the copy would delete $least$1 and rename $least$2 paths of ${P[replica]}: more than ${P[brake]}" "$(data_replicate null '""')"
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

# A distcp whose difference has failed would wait for it without end.
require_diff() {
  if ((FAILED_AT == 0)); then read_report "$1"; fi
  retry_report_for_2_1
  case $DIFF_STATUS in
    'done') ;;
    pending) refuse diff-pending "the difference on the $DIFF_SIDE is still being computed" ;;
    failed | rejected | cancelled) refuse diff-failed "the difference on the $DIFF_SIDE is $DIFF_STATUS: $DIFF_REASON" ;;
    *) refuse diff-unknown "no finished difference from ${P[base]} to ${DIFF_TO:-${P[target]}} on the $DIFF_SIDE: ${DIFF_STATUS:-$ERROR}" ;;
  esac
}

REMOVALS=null UNITS=null DETACHED=false

copy() {
  COPY_BEGUN=$SECONDS
  if [[ -n ${P[adopts]} ]]; then
    : >>"$WORK/distcp.log"
    if_defined follow_application "${P[adopts]}"
  elif [[ -n ${P[narrow]} ]]; then
    if_defined copy_units
  elif [[ ${P[mode]} == incremental ]]; then
    # Ozone's difference lists a new directory and its content (HDFS-17120): walking it too would list everything twice.
    distcp -D distcp.diff.copy.listing.traverse.directory=false -update -diff "${P[base]}" "${P[target]}" \
      -- "ofs://${P[source]}" "ofs://${P[replica]}"
  else
    distcp -update -delete -- "ofs://${P[source]}/.snapshot/${P[target]}" "ofs://${P[replica]}"
  fi
}

data_replicate() {
  local status=null empty=null holder=null
  if [[ ${P[mode]} == incremental && -n $DIFF_STATUS ]]; then status="\"$DIFF_STATUS\"" empty=$DIFF_EMPTY; fi
  [[ ! $HOLDER =~ ${PATTERN[operation]} ]] || holder="\"$HOLDER\""
  echo "{\"copy\":$COPY,\"diffStatus\":$status,\"diffEmpty\":$empty,\"seal\":$1,\"log\":$2,\"removals\":$REMOVALS,\"units\":$UNITS,\"holder\":$holder,\"detached\":$DETACHED}"
}

# At once after the copy, in the same command: little room for a foreign write, and verify compares what was frozen.
seal() {
  local bucket=o3://${P[replica]} code=seal-failed
  ozone_batch "snapshot create $bucket ${P[target]}" "snapshot info $bucket ${P[target]}"
  if ((FAILED_AT == 0)) && read_snapshot section.2; then finish ok '' '' "$(data_replicate "$SNAPSHOT_JSON" '""')"; fi
  [[ $ERROR_CODE != snapshot-limit ]] || code=snapshot-limit
  finish failed "$code" "the copy is complete, sealing it failed: $ERROR" "$(data_replicate null '""')"
}

# ---------------------------------------------------------------- seal-unchanged [batch]

check_seal_unchanged() {
  ((10#${P[fence]} > 0)) || refuse bad-parameter 'fence must not be 0'
  [[ ${P[source]} != "${P[replica]}" ]] || refuse bad-parameter 'source and replica are the same bucket'
}

# Seals a target that has what the base has, on a replica in which nothing has changed since: no copy, and the comparison of both sides with it.
# Each side is compared with itself by lengths and times, one with the other by types and lengths.
seal_unchanged() {
  local source=o3://${P[source]} replica=o3://${P[replica]} directory
  local missing=(replica-missing replica-missing base-missing source-missing target-missing base-missing base-missing target-missing base-missing replica-missing)
  directory=$(bucket_directory)
  if [[ -z $IN_BATCH ]]; then lock_bucket "$directory"; elif [[ -z ${BUCKET_LOCK[IN_BATCH]:-} ]]; then
    refuse bucket-busy "a copy into ${P[replica]} is running on this host: $(head -c 100 "$directory/holder")"
  fi
  check_fence "$directory/fence"
  # Whatever the answer: nothing that was asked of this host before changes the replica any more.
  raise_fence "$directory/fence"
  ozone_batch "bucket info $replica" "snapshot list --all -p ${P[target]} $replica" "snapshot info $replica ${P[base]}" \
    "bucket info $source" "snapshot info $source ${P[target]}" "snapshot info $source ${P[base]}" \
    "key list --all -p .snapshot/${P[base]}/ $source" "key list --all -p .snapshot/${P[target]}/ $source" \
    "key list --all -p .snapshot/${P[base]}/ $replica" "key list --all $replica"
  ((FAILED_AT == 0)) || stop_unchanged "${missing[FAILED_AT - 1]}"
  if [[ ! -e compared ]]; then
    compare_with_base
    : >compared
  fi
  ozone_batch "snapshot create $replica ${P[target]}" "snapshot info $replica ${P[target]}" "key list --all -p .snapshot/${P[target]}/ $replica"
  if ((FAILED_AT > 0)) || ! read_snapshot section.2; then
    [[ $ERROR_CODE == snapshot-limit ]] || ERROR_CODE=seal-failed
    finish failed "$ERROR_CODE" "sealing failed: $ERROR"
  fi
  listing section.3 ".snapshot/${P[target]}/" seal.times >seal || finish failed unreadable 'the seal could not be listed: the output was not understood'
  { same seal replica.base && same seal.times replica.times; } || finish failed replica-modified "somebody wrote into ${P[replica]} while it was sealed"
  finish ok '' '' "{\"unchanged\":true,\"seal\":$SNAPSHOT_JSON,\"summary\":$(summary target)}"
}

# Ends the operation, unless the target has what the base has, and the replica what its base has.
compare_with_base() {
  check_replica_bucket
  require_snapshot section.3 "${P[baseReplicaId]}" base
  read_bucket section.4 || unreadable 'bucket info of the source'
  require_snapshot section.5 "${P[targetId]}" target
  require_snapshot section.6 "${P[baseSourceId]}" base
  listing section.7 ".snapshot/${P[base]}/" base.times >base || unreadable 'key list of the base'
  listing section.8 ".snapshot/${P[target]}/" target.times >target || unreadable 'key list of the source'
  if ! same base target || ! same base.times target.times; then finish ok '' '' "{\"unchanged\":false,\"seal\":null,\"summary\":$(summary target)}"; fi
  listing section.9 ".snapshot/${P[base]}/" replica.times >replica.base || unreadable 'key list of the base of the replica'
  listing section.10 '' live.times >live || unreadable 'key list of the replica'
  { same live replica.base && same live.times replica.times; } || refuse replica-modified "somebody wrote into ${P[replica]} since ${P[base]}"
  same replica.base base || refuse base-differs "${P[base]} is not the same on both sides"
}

# file file: whether they have the same bytes
same() { [[ $(sha256sum <"$1") == "$(sha256sum <"$2")" ]]; }

# member: takes the lock of the bucket which it writes, as long as this script lives.
lock_replica_of() {
  local lock directory
  directory=$(member_parameters "$1" && bucket_directory)
  exec {lock}>>"$directory/lock" || refuse environment "cannot write in $directory"
  flock -n "$lock" && BUCKET_LOCK[$1]=$lock && printf '%s\n' "${MEMBERS[$1]%%|*}" >"$directory/holder"
}

# ---------------------------------------------------------------- narrowed resync [protect]

readonly MOST_UNITS=24 MOST_PAGES=20 MOST_REMOVED=100

# What may differ is what changed since the base, on the source until the target and on the replica until its temporary snapshot.
# Each path of both reports stands for the directory that holds it, or at the root for itself; those directories and root entries
# are the units. Writes what has to be done: `removed` (paths of the replica), `directories` (units), `files` (paths of the source).
plan_units() {
  : >changed
  read_changes
  DIFF_SIDE=replica DIFF_TO=${P[narrow]%=*} DIFF_STATUS=''
  ozone_batch "$(report_command)"
  ((FAILED_AT == 0)) || stop_unchanged diff-unknown
  require_diff 1
  read_changes

  (set -o pipefail && compare_units) || refuse environment 'what changed could not be compared'
  UNITS=$(wc -l <units)
  [[ ! -s elsewhere ]] || too_wide "$(wc -l <elsewhere) paths differ that are in no report"
  ((UNITS <= MOST_UNITS)) || too_wide "$UNITS places changed"
  (($(wc -l <obstacles) <= MOST_REMOVED)) || too_wide "more than $MOST_REMOVED paths have to be removed one by one"
  # Control characters; distcp takes the target as a pattern when it deletes, and Hadoop's configuration puts in values for ${}.
  if cat units obstacles | grep -qE '(^|/)\.{0,2}(/|$)|(^|[^\])(\\\\)*\\[^"\]' || grep -q '/' single || grep -qE '\\\\|[][*?{}$]' whole; then
    too_wide 'a name among what changed cannot be passed on safely'
  fi
  if ! words "ofs://${P[replica]}/" <obstacles >removed || ! words "ofs://${P[replica]}/" <absent >created ||
    ! words "ofs://${P[source]}/.snapshot/${P[target]}/" <single >files || ! words '' <whole >directories; then
    refuse environment 'the names of what changed could not be written'
  fi
}

# From `changed` and both listings: the units; differences elsewhere (there are none, or the reports have left something out); what is
# in the way, as neither distcp nor a removal by name replaces a file by a directory or the other way round; and the units by their
# types in the target and in the replica ("-": not there).
compare_units() {
  local tab=$'\t'
  sed 's|/[^/]*$||' changed | sort -u >parents &&
    not_below parents parents >units &&
    comm -3 replica.list target.list | sed 's/^\t//' | cut -f 1 | not_below units - itself >elsewhere &&
    join -t "$tab" -a 1 -e - -o 0,2.2 units target.list | join -t "$tab" -a 1 -e - -o 0,1.2,2.2 - replica.list >types &&
    [[ $(wc -l <types) == "$(wc -l <units)" ]] &&
    join -t "$tab" -o 0,1.2,2.2 target.list replica.list | awk -F '\t' '$2 != $3 { print $1 }' >obstacles &&
    awk -F '\t' '
      $2 == "-" && $3 != "-" { print $1 >> "obstacles" }
      $2 == "f" { print $1 > "single" }
      $2 == "d" { print $1 > "whole" }
      $2 == "d" && $3 != "d" { print $1 > "absent" }' types &&
    touch single whole absent
}

too_wide() {
  UNITS=null
  refuse too-wide "a narrowed resync does not fit: $1"
}

# Adds the paths of the whole report, of which the first page was read, to `changed`, as Ozone escaped them.
read_changes() {
  local pages=1 token
  while :; do
    awk '
      /^      "diffType" : / { entries++ }
      /^      "diffType" : "R",?$/ { renames++ }
      match($0, /^      "(source|target)Path" : "\.\//) {
        if ($0 ~ /^ *"source/) sources++; else targets++
        $0 = substr($0, RLENGTH + 1); sub(/\/?",?$/, ""); print
      }
      END { exit !(entries + 0 == sources + 0 && renames + 0 == targets + 0) }' "section.$DIFF_SECTION" >>changed || unreadable "snapshot diff of the $DIFF_SIDE"
    # No unit is wider than an entry of the root.
    (($(cut -d / -f 1 changed | sort -u | wc -l) <= MOST_UNITS)) || too_wide "more than $MOST_UNITS entries of the root changed"
    token=$(records object "section.$DIFF_SECTION" snapshotDiffReport.nextToken) || return 0
    [[ $token =~ ^\"([0-9]{1,40})\"$ ]] || unreadable "snapshot diff of the $DIFF_SIDE"
    ((pages < MOST_PAGES)) || too_wide "the report of the $DIFF_SIDE has more than $MOST_PAGES pages"
    pages=$((pages + 1))
    next_page "${BASH_REMATCH[1]}"
  done
}

# Each step can be repeated: a copy that dies leaves a replica from which the next reports lead to the same target.
copy_units() {
  local unit
  copied 0 0
  ! read_words removed || hadoop_step fs -rm -r -f -skipTrash "${WORDS[@]}"
  # distcp makes no target directory for an empty one, and then fails to look for what it has to delete (3.4.3).
  ! read_words created || hadoop_step fs -mkdir -p "${WORDS[@]}"
  if read_words directories; then
    for unit in "${WORDS[@]}"; do
      distcp -update -delete -- "ofs://${P[source]}/.snapshot/${P[target]}/$unit" "ofs://${P[replica]}/$unit"
    done
  fi
  ! read_words files || distcp -update -- "${WORDS[@]}" "ofs://${P[replica]}"
}

# ---------------------------------------------------------------- probe [observe]

# How another operation of this host stands. Its lock is held by its script, or by what that detached.
probe() {
  local directory=${CONF[state]}/operations/${P[probed]} state=unknown reply=null
  if [[ -e $directory/started ]]; then
    exec 7<"$directory/lock" || refuse environment "cannot read $directory/lock"
    state=running
    ! flock -s -n 7 || state=died
    if [[ -e $directory/result ]]; then
      read_record "$directory/result"
      state=ended reply=$RECORDED
    fi
  fi
  finish ok '' '' "{\"state\":\"$state\",\"reply\":$reply}"
}

# ---------------------------------------------------------------- verify [observe]

check_verify() {
  [[ ${P[level]} != rolling ]] || ((10#${P[part]} >= 1 && 10#${P[part]} <= 10#${P[parts]})) || refuse bad-parameter "part must be from 1 to parts"
  [[ -z ${P[base]} || -n ${P[baseSourceId]} ]] || refuse bad-parameter "a comparison since a base needs the parameter baseSourceId"
}

# Compares two frozen snapshots: the same directories (empty ones too), the same files with the same lengths, and above the
# level listing the checksums of the files that the level asks for. Checksums of copies that differ anyway are not asked for.
verify() {
  local left=o3://${P[source]} right=o3://${P[replica]} prefix=.snapshot/${P[target]}/ base='' commands missing equal=false
  commands=("snapshot info $left ${P[target]}" "snapshot info $right ${P[target]}"
    "key list --all -p $prefix $left" "key list --all -p $prefix $right")
  missing=(target-missing seal-missing target-missing seal-missing)
  if [[ ${P[level]} == changed || ${P[level]} == rolling ]]; then base=${P[base]}; fi
  if [[ -n $base ]]; then
    commands+=("snapshot info $left $base" "key list --all -p .snapshot/$base/ $left")
    missing+=(base-missing base-missing)
  fi
  ozone_batch "${commands[@]}"
  ((FAILED_AT == 0)) || stop_unchanged "${missing[FAILED_AT - 1]}"
  require_snapshot section.1 "${P[targetId]}" target
  require_snapshot section.2 "${P[sealId]}" seal
  [[ -z $base ]] || require_snapshot section.5 "${P[baseSourceId]}" base
  listing section.3 "$prefix" left.times >left || unreadable 'key list of the source'
  listing section.4 "$prefix" >right || unreadable 'key list of the replica'
  [[ -z $base ]] || listing section.6 ".snapshot/$base/" base.times >/dev/null || unreadable 'key list of the base'
  if ! comm -23 left right >left.differs || ! comm -13 left right >right.differs; then
    refuse environment 'the listings could not be compared'
  fi
  if [[ ${P[level]} != listing ]]; then
    CHECKSUMS='{"compared":0,"differ":0}'
    if [[ ! -s left.differs && ! -s right.differs ]]; then
      to_compare "$base" >paths || refuse environment 'the files to compare could not be listed'
      RIGHT_ROOT=$(snapshot_root replica)
      compare_checksums
    fi
  fi
  [[ -s left.differs || -s right.differs ]] || equal=true
  finish ok '' '' "{\"level\":\"${P[level]}\",\"equal\":$equal,\"source\":$(summary left),\"replica\":$(summary right),\"checksums\":$CHECKSUMS,$(differences onlySource onlyReplica)}"
}

CHECKSUMS=null RIGHT_ROOT=''

# Compares the checksums of the files in `paths`, sorted, which are the same on both sides otherwise, as many batches at once as
# maps says. Those that differ are added to left.differs and right.differs.
compare_checksums() {
  local batches workers=$((10#${P[maps]} > 0 ? 10#${P[maps]} : 1)) n pids=()
  touch left.sums right.sums || refuse environment 'the scratch folder cannot be written'
  batches=$(plan_batches paths) || unreadable 'a name in the key list of the source'
  for ((n = 1; n <= workers && n <= batches; n++)); do checksum_worker "$n" "$workers" "$batches" >/dev/null 8>&- 9>&- & pids+=("$!"); done
  ((${#pids[@]} == 0)) || wait "${pids[@]}"
  JVM_STARTS+=$(compgen -G 'errors.*' | wc -l)
  [[ -z $(compgen -G 'failed.*') ]] || checksums_failed
  for ((n = 1; n <= batches; n++)); do cat "compared.$n"; done | awk -F '\t' '
    $2 "" != $3 "" { print $1 "\tc\t" $2 > "left.sums"; print $1 "\tc\t" $3 > "right.sums" }
    { split($2, left, " "); split($3, right, " "); if (left[1] != right[1]) { print left[1] " and " right[1] > "kinds"; exit } }'
  [[ ! -s kinds ]] || refuse unreadable "checksums of different kinds cannot be compared: $(cat kinds); ozone.client.checksum.type and combine.mode must agree"
  for n in left right; do
    sort -S 64M -T . -o "$n.differs" "$n.differs" "$n.sums" || refuse environment 'the checksums that differ could not be listed'
  done
  CHECKSUMS="{\"compared\":$(wc -l <paths),\"differ\":$(wc -l <left.sums)}"
}

# base: paths of the files to compare, sorted. With a base: what is new or of another length or time since then, at level rolling the part too.
to_compare() {
  if [[ ${P[level]} == full || -z $1 ]]; then
    cut -f 1 left.times
  else
    { comm -23 left.times base.times | cut -f 1; [[ ${P[level]} != rolling ]] || in_part left.times; } | sort -u -S 64M -T .
  fi
}

# file: the paths of the part, by a hash of the path alone, so that each path is in the same part of every run.
in_part() {
  awk -F '\t' -v part="$((10#${P[part]}))" -v parts="$((10#${P[parts]}))" '
    BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i }
    {
      hash = 0; n = length($1)
      for (i = 1; i <= n; i++) hash = (hash * 131 + code[substr($1, i, 1)]) % 2147483647
      if (hash % parts == part - 1) print $1
    }' "$1"
}

# paths: writes for each batch n arguments.n (ended by NUL each: a path of the source, of the replica, …) and names.n ("path TAB name
# on one line"), prints the number of batches. Hadoop takes * ? [ ] { } \ in a path as a pattern: they are escaped (run on 3.4.3).
plan_batches() {
  awk -v left="$(snapshot_root source)" -v right="$RIGHT_ROOT" -v most=200000 "$AWK_NAMES"'
    {
      name = raw($0); word = literal(name)
      size = length(left) + length(right) + 2 * length(word) + 2; bytes += size
      if (batches == 0 || bytes > most) { close("arguments." batches); close("names." batches); batches++; bytes = size }
      printf "%s%s%c%s%s%c", left, word, 0, right, word, 0 > ("arguments." batches)
      gsub(/\\/, "&&", name); gsub(/\n/, "\\n", name)
      print $0 "\t" name > ("names." batches)
    }
    END { if (bad) exit 1; print batches + 0 }' "$1"
}

# side: the target snapshot as the file system addresses it
snapshot_root() { echo "ofs://${P[$1]}/.snapshot/${P[target]}/"; }

# first step last: the batches first, first + step, …; stops at the first that fails
checksum_worker() {
  local n
  for ((n = $1; n <= $3; n += $2)); do read_checksums "$n" || return; done
}

# batch: one JVM. Writes compared.n: "path TAB checksum of the source TAB of the replica"; if one is missing also failed.n with the exit code.
read_checksums() {
  local exit_code
  read_words "arguments.$1"
  hadoop_fs -checksum "${WORDS[@]}" >"checksums.$1" 2>"errors.$1"
  exit_code=$?
  pair_checksums "$1" >"compared.$1" && ((exit_code == 0)) && rm "arguments.$1" "names.$1" "checksums.$1" && return 0
  printf '%s\n' "$exit_code" >"failed.$1"
  return 1
}

# batch: Hadoop prints "<path> TAB <algorithm> TAB <hex>" for each path that it could read (NONE: it has none); a name may hold line ends.
pair_checksums() {
  awk -v left="$(snapshot_root source)" -v right="$RIGHT_ROOT" '
    FNR == 1 { file++ }
    file == 1 { i = index($0, "\t"); path[++count] = substr($0, 1, i - 1); name[count] = substr($0, i + 1); next }
    {
      gsub(/\\/, "&&")
      record = record $0
      if (match(record, /\t[A-Za-z0-9-]+\t[0-9a-f]*$/)) {
        value = substr(record, RSTART + 1); sub(/\t/, " ", value)
        if (value !~ / $/) sum[substr(record, 1, RSTART - 1)] = value
        record = ""
      }
      else record = record "\\n"
    }
    END {
      for (i = 1; i <= count; i++) {
        if (!((left name[i]) in sum) || !((right name[i]) in sum)) exit 1
        print path[i] "\t" sum[left name[i]] "\t" sum[right name[i]]
      }
    }' "names.$1" "checksums.$1"
}

# Of whole logs only the lines of the command itself count: retries are logged there too.
checksums_failed() {
  ERROR=$(compgen -G 'errors.*' | xargs grep -ahE '^-?checksum: ' | head -c 1000)
  [[ -n $ERROR ]] || ERROR='hadoop fs -checksum did not answer for every path'
  classify_error "$(compgen -G 'failed.*' | xargs sort -n | tail -n 1)"
  stop_unchanged unreadable
}

# ---------------------------------------------------------------- paths in answers [observe look]

# For awk: shown() says as JSON what is at a path, cut() shortens one between characters and escapes, so that the JSON stays valid.
# shellcheck disable=SC2016 # a program of awk
readonly AWK_SHOWN='
  function shown(type, size) { return type == "-" ? "null" : type == "d" ? "\"directory\"" : type == "c" ? "\"checksum " size "\"" : "\"" size " bytes\"" }
  function cut(s,   out) {
    while (s != "" && length(out) < 300) {
      match(s, /^(\\u....|\\.|[\300-\377][\200-\277]*|.)/)
      out = out substr(s, 1, RLENGTH); s = substr(s, RLENGTH + 1)
    }
    return s == "" ? out : out "..."
  }'

# ---------------------------------------------------------------- differences [observe]

# only-left only-right [tolerated]: counts under these names, and the first 20 of the paths that differ, but for those only right when that is tolerated.
differences() {
  local tab=$'\t'
  join -t "$tab" -a 1 -a 2 -e - -o 0,1.2,1.3,2.2,2.3 left.differs right.differs | awk -F '\t' -v left_name="$1" -v right_name="$2" -v tolerated="${3:-}" "$AWK_SHOWN"'
    $2 == "-" { right++; if (tolerated) next }
    $4 == "-" { left++ }
    $2 != "-" && $4 != "-" { changed++ }
    ++shown_paths <= 20 { first = first (first == "" ? "" : ",") "{\"path\":\"" cut($1) "\",\"source\":" shown($2, $3) ",\"replica\":" shown($4, $5) "}" }
    END { printf "\"%s\":%d,\"%s\":%d,\"changed\":%d,\"first\":[%s]", left_name, left, right_name, right, changed, first }'
}

# ---------------------------------------------------------------- selection of paths [observe restore]

check_selected() {
  [[ -z ${P[selection]} && -z ${P[selectionUrl]} || -n ${P[selection]} && -n ${P[selectionUrl]} ]] ||
    refuse bad-parameter 'a selection is its hash and its URL'
  [[ -z ${P[since]} || -z ${P[selection]} ]] || refuse bad-parameter 'what changed since a snapshot is a selection of its own'
  [[ -z ${P[since]} || -n ${P[sinceId]} ]] || refuse bad-parameter 'since needs the parameter sinceId'
  ((${#P[selectionUrl]} <= 8000)) || refuse bad-parameter 'the URL of the selection is too long'
}

# Fetches the selection, or makes it. Its URL is signed: it is evaluated by nothing, shown in no list of processes, and in no message.
read_selection() {
  local exit_code line seconds
  if [[ -n ${P[since]} ]]; then select_changed; return; fi
  [[ -n ${P[selection]} ]] || return 0
  seconds=$(seconds_left)
  printf 'url = "%s"\n' "${P[selectionUrl]}" |
    curl -q -fsS --globoff --proto '=https,http' --max-filesize 67108864 --retry 2 --connect-timeout 10 --max-time "$((seconds < 60 ? seconds : 60))" \
      -o selection -K - 2>/dev/null 8>&- 9>&-
  exit_code=$?
  ((exit_code == 0)) || refuse selection-unreadable "the selection could not be fetched: curl ended with exit code $exit_code"
  [[ $(sha256sum <selection) == "${P[selection]}  -" ]] || refuse selection-other "what was fetched as the selection does not have the hash ${P[selection]}"
  [[ -s selection && -z $(tail -c 1 selection) ]] || refuse selection-unsafe 'the selection is empty, or its last line has no end'
  line=$(awk -F '\t' '
    { path = $2 }
    NF != 2 || $1 !~ /^[lg]$/ || path == "" || path ~ /[\001-\037\177]/ { print NR; exit }
    $1 == "g" { next }
    path ~ /(^|\/)\.?\.?(\/|$)/ || path ~ /^\.snapshot(\/|$)/ { print NR; exit }
    { gsub(/\\["\\]/, "", path); if (path ~ /["\\]/) { print NR; exit } }' selection) || line='?'
  [[ -z $line ]] || refuse selection-unsafe "line $line of the selection is no path within a bucket"
}

# Makes the selection of what changed since a snapshot of the same bucket, in one JVM: files that were not there then with this length and
# time, and directories that were not there. Both listings are of one cluster, whose times can be compared; a file that was
# overwritten has another one. Below a new directory all is new: it stands for that. From here on it is a selection like one that was given.
select_changed() {
  local bucket=o3://${P[source]} missing=(source-missing since-missing target-missing since-missing target-missing)
  ozone_batch "bucket info $bucket" "snapshot info $bucket ${P[since]}" "snapshot info $bucket ${P[target]}" \
    "key list --all -p .snapshot/${P[since]}/ $bucket" "key list --all -p .snapshot/${P[target]}/ $bucket"
  ((FAILED_AT == 0)) || stop_unchanged "${missing[FAILED_AT - 1]}"
  require_snapshot section.2 "${P[sinceId]}" since
  require_snapshot section.3 "${P[targetId]}" target
  listing section.4 ".snapshot/${P[since]}/" then.times >then.list || unreadable 'key list since then'
  listing section.5 ".snapshot/${P[target]}/" now.times >now.list || unreadable 'key list of the point'
  (set -o pipefail &&
    comm -13 then.list now.list | awk -F '\t' '$2 == "d" { print $1 }' >made &&
    { comm -13 then.times now.times | cut -f 1 && cat made; } | sort -u -S 64M -T . | not_below made - | sed 's/^/l\t/' >selection) ||
    refuse environment 'what changed could not be listed'
  P[selection]=$(sha256sum <selection | cut -c 1-64)
}

# Sets LIST_AT: what all that is selected begins with, as far as it has only letters that need no care: a whole path, or a
# directory with its "/". Not less: asked for the beginning of a name that is also a directory, Ozone 2.2.0 lists only what is in it.
list_at() {
  LIST_AT=''
  [[ -n ${P[selection]} ]] || return 0
  LIST_AT=$(awk '
    {
      path = substr($0, 3)
      if (/^l/) { match(path, /^[A-Za-z0-9._\/=-]*/); exact = RLENGTH == length(path) }
      else { if (path ~ /\|/) path = ""; match(path, /^[A-Za-z0-9_\/=-]*/); exact = 0; if (substr(path, RLENGTH + 1) ~ /^[?*+{]/) RLENGTH-- }
      path = substr(path, 1, RLENGTH)
      if (!exact) sub(/[^\/]*$/, "", path)
    }
    NR == 1 { common = path; next }
    NR == 2 { sub(/[^\/]*$/, "", common) }
    { while (common != "" && index(path, common) != 1) sub(/[^\/]*\/$/, "", common) }
    END { print common ~ /^-/ ? "" : common }' selection) || refuse environment 'the selection could not be read'
}

# listing [unmatched]: its lines that the selection names, and those below them; what of the selection names nothing goes to that file
selected() {
  if [[ -z ${P[selection]} ]]; then
    [[ -z ${2:-} ]] || : >"$2"
    cat "$1"
    return
  fi
  awk -F '\t' -v unmatched="${2:-}" '
    !listing { asked[NR] = $0; lines = NR; if (/^l/) number[$2] = NR; else pattern[NR] = "^(" $2 ")(/.*)?$"; next }
    {
      path = $1; is = 0
      do if (path in number) { is = 1; used[number[path]] } while (sub(/\/[^\/]*$/, "", path))
      for (n in pattern) if ((!is || !(n in used)) && $1 ~ pattern[n]) { is = 1; used[n] }
      if (is) print
    }
    END {
      if (unmatched == "") exit
      printf "" > unmatched
      for (n = 1; n <= lines; n++) if (!(n in used)) print asked[n] > unmatched
    }' selection listing=1 "$1" 2>/dev/null
}

# section: what the point has: left.all, as far as it was listed, left, which is selected, and what the selection names in vain (unmatched).
read_point() {
  listing "section.$1" ".snapshot/${P[target]}/" >left.all || unreadable 'key list of the point'
  selected left.all unmatched >left || refuse selection-unsafe 'a pattern of the selection was not understood'
}

# section: the same of the live target, right.all and right
read_target() {
  listing "section.$1" '' >right.all && selected right.all >right
}

# The commands that read_point and read_target want, from the third one and the last one
point_commands() {
  local source=o3://${P[source]} replica=o3://${P[replica]}
  COMMANDS_OF_POINT=("bucket info $source" "snapshot info $source ${P[target]}" "key list --all -p .snapshot/${P[target]}/$LIST_AT $source"
    "bucket info $replica" "key list --all ${LIST_AT:+-p $LIST_AT }$replica")
}

readonly MISSING_OF_POINT=(source-missing target-missing target-missing bucket-missing bucket-missing)

# Nobody may take a selection for restored, or for equal, of which a part names nothing.
require_matched() {
  [[ -z ${P[since]} || -s selection ]] || refuse nothing-changed "nothing changed from ${P[since]} to ${P[target]}"
  [[ ! -s unmatched ]] || refuse selection-unmatched "$(wc -l <unmatched) lines of the selection name nothing in the point, the first is $(head -n 1 unmatched | cut -c 3-202)"
}

# section: the bucket that is restored into, or compared
require_target_bucket() {
  read_bucket "$1" || unreadable 'bucket info of the target'
  [[ -z ${P[targetCreated]} || $B_CREATED == "${P[targetCreated]}" ]] ||
    refuse bucket-other "the bucket ${P[replica]} was created at $B_CREATED, expected ${P[targetCreated]}"
}

# What the target has in the place of what is selected: `both`, lines "path TAB type TAB size TAB type there TAB size there" ("-": nothing,
# "b": nothing can be there, a directory above it is a file), in the order of paths.
meet() {
  local tab=$'\t'
  awk -F '\t' '
    {
      path = $1; first = ""
      while (match(path, /\/[^\/]*$/)) {
        path = substr(path, 1, RSTART - 1)
        if (path == before) break
        print path
        if (first == "") first = path
      }
      if (first != "") before = first
    }' left | sort -u -S 64M -T . >parents &&
    join -t "$tab" -o 0,2.2 parents right.all | awk -F '\t' '$2 == "f" { print $1 }' >obstacles &&
    cut -f 1 left | not_below obstacles - >free &&
    cut -f 1 left | comm -23 - free >blocked &&
    join -t "$tab" -a 1 -e - -o 0,1.2,1.3,2.2,2.3 left right.all | awk -F '\t' -v OFS='\t' '
      !judging { blocked[$0]; next }
      { if ($1 in blocked) { $4 = "b"; $5 = "-" } print }' blocked judging=1 - >both
}

# ---------------------------------------------------------------- examine [observe]

check_examine() { check_selected; }

# What a restore would find: the selection in the point, and what is at the target in its place. A target that cannot be read hides
# no point; a point that cannot be read is a refusal.
examine() {
  local source target
  read_selection
  list_at
  point_commands
  ozone_batch "${COMMANDS_OF_POINT[@]}"
  ((FAILED_AT == 0 || FAILED_AT > 3)) || stop_unchanged "${MISSING_OF_POINT[FAILED_AT - 1]}"
  read_bucket section.1 || unreadable 'bucket info of the source'
  source="$BUCKET_JSON,\"acls\":null}"
  require_snapshot section.2 "${P[targetId]}" target
  read_point 3
  if ((FAILED_AT > 0)); then
    not_read "$ERROR_CODE" "$ERROR"
    target=$SIDE
  elif ! read_bucket section.4 || ! read_target 5; then
    not_read unreadable 'the output of ozone sh was not understood'
    target=$SIDE
  else
    (set -o pipefail && meet) || refuse environment 'the point and the target could not be compared'
    target="{\"state\":\"read\",\"bucket\":$BUCKET_JSON,\"acls\":null},$(conflicts)}"
  fi
  finish ok '' '' "{\"source\":$source,\"point\":$(summary left),\"unmatched\":$(unmatched_lines),\"target\":$target}"
}

unmatched_lines() {
  awk '
    NR <= 20 { path = substr($0, 3); if (/^g/) { gsub(/[\\"]/, "\\\\&", path) } first = first (NR > 1 ? "," : "") "\"" path "\"" }
    END { printf "{\"count\":%d,\"first\":[%s]}", NR, first }' unmatched
}

# Counts of files, and the first 20 paths at which the target has something already. What is only there counts as extra.
conflicts() {
  local tab=$'\t'
  join -t "$tab" -v 2 -o 0,2.2,2.3 left right | awk -F '\t' -v OFS='\t' '$2 == "f" { print $1, "-", "-", $2, $3 }' |
    sort -m -t "$tab" -k 1,1 both - | awk -F '\t' "$AWK_SHOWN"'
    $2 == "-" { extra++; extra_bytes += $5 }
    $2 == "f" && $4 == "-" { absent++; absent_bytes += $3 }
    $2 == "f" && $4 == "f" { if ($3 == $5) same++; else other++; replaced += $5 }
    $4 == "b" || ($2 "" != $4 "" && $2 != "-" && $4 != "-") { clash++ }
    $4 == "-" || ($2 == "d" && $4 == "d") || ++known > 20 { next }
    { first = first (first == "" ? "" : ",") "{\"path\":\"" cut($1) "\",\"point\":" shown($2, $3) ",\"target\":" ($4 == "b" ? "\"below a file\"" : shown($4, $5)) "}" }
    END {
      printf "\"absent\":{\"files\":%.0f,\"bytes\":%.0f},\"sameLength\":%.0f,\"otherLength\":%.0f,\"clash\":%.0f,\"replacedBytes\":%.0f", absent, absent_bytes, same, other, clash, replaced
      printf ",\"extra\":{\"files\":%.0f,\"bytes\":%.0f},\"first\":[%s]", extra, extra_bytes, first
    }'
}

# ---------------------------------------------------------------- compare [observe]

check_compare() {
  check_selected
  [[ ${P[level]} == listing || ${P[level]} == full ]] || refuse bad-parameter 'compare has the levels listing and full'
}

# Compares the selection in the point with the live target. What is only at the target makes it different when that is asked for.
# Unlike verify it compares checksums of what has the same length although the listings differ: of what a restore left alone, one wants to know.
compare() {
  local equal=true tolerated=yes missing changed
  [[ ${P[exact]} == no ]] || tolerated=''
  read_selection
  list_at
  point_commands
  ozone_batch "${COMMANDS_OF_POINT[@]}"
  ((FAILED_AT == 0)) || stop_unchanged "${MISSING_OF_POINT[FAILED_AT - 1]}"
  require_snapshot section.2 "${P[targetId]}" target
  require_target_bucket section.4
  read_point 3
  require_matched
  read_target 5 || unreadable 'key list of the target'
  if ! comm -23 left right >left.differs || ! comm -13 left right >right.differs; then
    refuse environment 'the listings could not be compared'
  fi
  if [[ ${P[level]} == full ]]; then
    comm -12 left right | awk -F '\t' '$2 == "f" { print $1 }' >paths || refuse environment 'the files to compare could not be listed'
    RIGHT_ROOT=ofs://${P[replica]}/
    compare_checksums
  fi
  missing=$(wc -l <left.differs) changed=$(wc -l <right.differs)
  if ((missing > 0)) || [[ -z $tolerated && -s right.differs ]]; then equal=false; fi
  finish ok '' '' "{\"level\":\"${P[level]}\",\"equal\":$equal,\"point\":$(summary left),\"target\":$(summary right),\"checksums\":$CHECKSUMS,$(differences missing extra "$tolerated")}"
}

# ---------------------------------------------------------------- restore [restore]

check_restore() {
  check_selected
  ((10#${P[fence]} > 0 && 10#${P[copySeconds]} > 0 && 10#${P[maps]} > 0)) || refuse bad-parameter "fence, copySeconds and maps must not be 0"
  [[ ${P[deleteExtra]} == no || ${P[overwrite]} != never ]] || refuse bad-parameter 'what may overwrite nothing may delete nothing either'
  [[ ${P[deleteExtra]} == no || -z ${P[since]} ]] || refuse bad-parameter 'of what changed since a snapshot nothing is extra'
}

# Copies the selection from the point into the target, with one distcp, in place too. Everything that can be refused is refused before
# anything is changed; a copy that dies leaves whole files only, and running it again goes on from there.
restore() {
  local directory
  directory=$(bucket_directory)
  lock_bucket "$directory"
  check_fence "$directory/fence"
  read_selection
  list_at
  point_commands
  ozone_batch "${COMMANDS_OF_POINT[@]}"
  ((FAILED_AT == 0)) || stop_unchanged "${MISSING_OF_POINT[FAILED_AT - 1]}"
  read_bucket section.1 || unreadable 'bucket info of the source'
  require_layout "${P[source]}" read
  require_target_bucket section.4
  require_layout "${P[replica]}" write
  TARGET_LAYOUT=$B_LAYOUT
  require_snapshot section.2 "${P[targetId]}" target
  read_point 3
  require_matched
  read_target 5 || unreadable 'key list of the target'
  (set -o pipefail && meet) || refuse environment 'the point and the target could not be compared'
  keep_or_refuse
  plan_copy
  raise_fence "$directory/fence"
  copied 0 0
  COPY_BEGUN=$SECONDS
  make_unit
  [[ ! -s names && -z $DELETING ]] || copy_selected
  finish ok '' '' "$(data_restore null '""')"
}

end_restore() { end_copy; }

# null log
data_restore() { echo "{\"copy\":$COPY,\"log\":$2}"; }

# bucket what
require_layout() {
  [[ $B_LAYOUT == FILE_SYSTEM_OPTIMIZED || $B_LAYOUT == LEGACY ]] ||
    refuse layout "the bucket $1 has the layout $B_LAYOUT, which distcp cannot $2. By hand, key by key: ozone sh key get o3://${P[source]}/.snapshot/${P[target]}/<key> <file>, then ozone sh key put o3://${P[replica]}/<key> <file>"
}

# Writes to `keep` what is to be there afterwards of what the point has, "path TAB type".
keep_or_refuse() {
  local clashes first
  if [[ ${P[overwrite]} == never ]]; then
    awk -F '\t' '$4 == "-" { print $1 "\t" $2 }' both >keep
    return
  fi
  clashes=$(awk -F '\t' '$4 != "-" && $2 "" != $4 ""' both | tee clashes | wc -l)
  first=$(head -n 1 clashes | cut -f 1 | head -c 300)
  ((clashes == 0)) || refuse clash "distcp replaces no file by a directory or the other way round: $clashes paths, the first is $first"
  cut -f 1,2 left >keep
}

readonly MOST_NAMED=500 MOST_NAMED_BYTES=100000
UNIT='' WAY=unit DELETING='' FILTERED='' TARGET_LAYOUT=''

# Sets UNIT: the deepest directory that holds all that is to be copied, '' for the bucket. distcp takes its target as a pattern when it
# deletes, and Hadoop's configuration fills in ${…}: of a directory with such letters the one above it is the unit. And WAY, how
# distcp is told: "unit" by its path, "named" its files or entries one by one (sources), "many" all of its entries. What may overwrite
# nothing is copied entry by entry and without -update: so distcp leaves alone also what comes there during the copy.
plan_copy() {
  UNIT=$(awk -F '\t' '
    { path = $1; if ($2 == "f" && !sub(/\/[^\/]*$/, "", path)) path = "" }
    NR == 1 { common = path }
    { while (common != "" && path != common && index(path, common "/") != 1) if (!sub(/\/[^\/]*$/, "", common)) common = "" }
    END { while (common ~ /[][*?{}$\\]/) if (!sub(/\/[^\/]*$/, "", common)) common = ""; print common }' keep) || plan_failed
  [[ ${P[deleteExtra]} == no ]] || plan_deletion
  if ! below_unit <keep >names || ! below_unit <left.all >all; then plan_failed; fi
  if [[ -z $DELETING ]] && ! grep -qvE $'^[^/]+\tf$' names && few names; then
    WAY=named
    cut -f 1 names >sources
    return
  fi
  if [[ ${P[overwrite]} == never && (-s right.all || -n ${P[selection]}) ]]; then
    WAY=many
    cut -f 1 names | cut -d / -f 1 | sort -u >sources || plan_failed
    if few sources; then
      WAY=named
      if ! awk -F '[/\t]' '!judging { known[$0]; next } $1 in known' sources judging=1 all >all.named || ! mv all.named all; then plan_failed; fi
    fi
  fi
  cut -f 1 names >kept
  cut -f 1 all | comm -13 kept - >left.out || plan_failed
  [[ ! -s left.out ]] || write_filter
}

plan_failed() { refuse environment 'what is to be copied could not be listed'; }

# Only a whole bucket, or one directory, can lose what the point has not.
plan_deletion() {
  local path
  if [[ -z ${P[selection]} ]]; then
    UNIT='' DELETING=yes
    return
  fi
  path=$(cut -c 3- selection)
  [[ $(wc -l <selection) == 1 && $(head -c 1 selection) == l ]] || refuse selection-unsafe 'only a bucket or one directory can lose what the point has not'
  grep -q $'\td\t' left || return 0 # a file: there is nothing below it
  [[ $UNIT == "$path" ]] || refuse selection-unsafe "distcp cannot delete below a directory of this name"
  DELETING=yes
}

# The lines that lie below the unit, and type and path of each from there on.
below_unit() { awk -F '\t' -v OFS='\t' -v unit="${UNIT:+$UNIT/}" 'unit == "" || index($1, unit) == 1 { print substr($1, length(unit) + 1), $2 }'; }

# file: few enough lines for a command line
few() { (($(wc -l <"$1") <= MOST_NAMED && $(wc -c <"$1") <= MOST_NAMED_BYTES)); }

# Writes `filter`: one regular expression of Java for the paths that distcp leaves out, from the shorter of both lists, what is
# kept or what is left out. The names stand in it as a tree, by what they begin with alike: on 2 cores a path was judged against
# 10,000 names in 15 microseconds, against a mere list of them in 1,000. distcp walks directories that are left out all the same.
write_filter() {
  local list=kept before='(?!(?:' after=')\z).+'
  if (($(wc -l <left.out) < $(wc -l <kept))); then list=left.out before='(?:' after=')'; fi
  # Not with -v, which would take the backslash of the end away (gawk).
  BEFORE=$before AFTER=$after awk -v root="/${P[source]#*/}/.snapshot/${P[target]}/${UNIT:+$UNIT/}" "$AWK_NAMES"'
    function quoted(s,   out, i, c) {
      if (s ~ /[\001-\037\177]/) {
        for (i = 1; i <= length(s); i++) { c = substr(s, i, 1); out = out (c in hex ? "\\x" hex[c] : c ~ plain ? c : "\\" c) }
        return out
      }
      gsub(/[^A-Za-z0-9\/_=\200-\377-]/, "\\\\&", s)
      return s
    }
    # the letter at a place: never a part of one, which UTF-8 writes as several bytes
    function letter_at(s, at) { match(substr(s, at, 4), /^([\300-\377][\200-\277]*|.|\n)/); return substr(s, at, RLENGTH) }
    # Prints the names from lo to hi, which are alike before `at`, as alternatives.
    function alternatives(lo, hi, at, depth,   i, k, p, c, n) {
      for (i = lo; i <= hi; i = k + 1) {
        if (i > lo) printf "|"
        k = i
        if (hi - lo > 3 && depth < 50 && length(name[i]) >= at) {
          c = letter_at(name[i], at)
          while (k < hi && substr(name[k + 1], at, length(c)) == c) k++
        }
        if (k == i) { printf "%s", quoted(substr(name[i], at)); continue }
        n = length(name[i])
        for (p = at + length(c); p <= n; p += length(c)) { c = letter_at(name[i], p); if (substr(name[k], p, length(c)) != c) break }
        printf "%s(?:", quoted(substr(name[i], at, p - at))
        alternatives(i, k, p, depth + 1)
        printf ")"
      }
    }
    BEGIN {
      plain = "[A-Za-z0-9/_=\200-\377-]"
      for (i = 1; i < 32; i++) hex[sprintf("%c", i)] = sprintf("%02x", i)
      hex[sprintf("%c", 127)] = "7f"
    }
    { name[NR] = raw($0) }
    END {
      if (bad) exit 1
      printf "(?s)ofs://[^/]+%s%s", quoted(root), ENVIRON["BEFORE"]
      alternatives(1, NR, 1, 0)
      print ENVIRON["AFTER"]
    }' "$list" >filter || plan_failed
  # distcp takes a filter that it cannot read for none, and ends with 0 (3.4.3).
  [[ -s filter && -r filter ]] || plan_failed
  FILTERED=yes
}

# Where the unit is missing, distcp would copy a single entry under the name of the unit, and not find what to delete.
make_unit() {
  local exit_code
  if [[ -z $UNIT ]] || UNIT=$UNIT awk -F '\t' '$1 == ENVIRON["UNIT"] && $2 == "d" { found = 1; exit } END { exit !found }' right.all; then return; fi
  JVM_STARTS+=1
  hadoop_fs -mkdir -p "ofs://${P[replica]}/$UNIT" >"$WORK/distcp.log" 2>&1
  exit_code=$?
  ((exit_code > 0)) || return 0
  ERROR=$(tail -c 1000 "$WORK/distcp.log")
  case $ERROR in *'Unable to create directory: '* | *': Is not a directory'*) refuse clash "a directory above what is selected is a file at the target: $ERROR" ;; esac
  classify_error "$exit_code"
  case $ERROR_CODE in timeout | unknown-host | connection | no-kdc) finish unreachable "$ERROR_CODE" "$ERROR" ;; esac
  copy_failed copy-failed "the directory could not be made: hadoop fs ended with exit code $exit_code"
}

copy_selected() {
  local options=() sources listed root="ofs://${P[source]}/.snapshot/${P[target]}${UNIT:+/$UNIT}"
  case $WAY in
    unit) sources=("$root") ;;
    many) sources=("$root/*") ;;
    named)
      words "$root/" <sources >sources.words || refuse environment 'the names of what is to be copied could not be written'
      read_words sources.words
      sources=("${WORDS[@]}")
      ;;
  esac
  # A LEGACY bucket takes no time for a directory: with -pt distcp ends with 25 when all else is done (2.2.0, 3.4.3).
  # And distcp sets the time of what it leaves alone, too, which the next snapshot difference would call a rename of each file.
  if ! { [[ $TARGET_LAYOUT == LEGACY ]] && grep -q $'\td$' names; } && [[ ${P[overwrite]} == never || ! -s right ]]; then options=(-pt); fi
  case ${P[overwrite]}:$WAY in
    always:*) options+=(-overwrite) ;;
    if-different:* | never:unit) options+=(-update) ;;
  esac
  [[ -z $DELETING ]] || options+=(-delete)
  [[ -z $FILTERED ]] || options+=(-filters "$WORK/scratch/filter")
  distcp ${options[@]+"${options[@]}"} -- "${sources[@]}" "ofs://${P[replica]}${UNIT:+/$UNIT}"
  listed=$(grep -m 1 -o 'Number of paths in the copy list: [0-9]*' "$WORK/distcp.log")
  [[ ${listed##* } == "$(wc -l <names)" ]] ||
    copy_failed copy-failed "distcp copied another selection than was planned: ${listed##* } paths instead of $(wc -l <names)"
}

# ---------------------------------------------------------------- remove-scratch [restore]

check_remove_scratch() {
  [[ ${P[replica]##*/} =~ ^odr-drill-[a-z0-9.-]+$ ]] || refuse scratch-name "${P[replica]} is no scratch bucket by its name"
}

# Deletes a scratch bucket with all in it, and proves that it is gone: Ozone 2.2.0 ends with 0 when it could not delete it.
remove_scratch() {
  local bucket=o3://${P[replica]} listed line commands=() last
  lock_bucket "$(bucket_directory)"
  ozone_batch "bucket info $bucket" "snapshot list --all $bucket"
  if ((FAILED_AT > 0)); then
    [[ $ERROR_CODE != @(bucket|volume)-missing ]] || finish ok '' '' '{"removed":false}'
    stop_unchanged bucket-missing
  fi
  require_target_bucket section.1
  listed=$(snapshot_objects section.2 array) || unreadable 'snapshot list of the scratch bucket'
  while read -r line; do
    [[ $line == *'"status":"ACTIVE"'* ]] || continue
    [[ $line =~ ^\{\"name\":\"([a-z0-9.-]+)\" ]] || unreadable 'snapshot list of the scratch bucket'
    commands+=("snapshot delete $bucket ${BASH_REMATCH[1]}")
  done <<<"$listed"
  commands+=("bucket delete -r --yes $bucket" "bucket info $bucket")
  last=${#commands[@]}
  ozone_batch "${commands[@]}"
  if ((FAILED_AT == last)) && [[ $ERROR_CODE == bucket-missing ]]; then finish ok '' '' '{"removed":true}'; fi
  ((FAILED_AT == 0 || FAILED_AT == last)) || finish failed "$ERROR_CODE" "$ERROR"
  # A bucket with a snapshot, or with one that is deleted and not purged yet, loses what is in it and stays.
  finish failed not-gone "it is not proved that ${P[replica]} is gone: $(head -c 500 "section.$((last - 1))")"
}

# ---------------------------------------------------------------- restrict [restore]

# How long a cluster may take that may be gone: nobody waits for it.
readonly RESTRICT_SECONDS=60

# Leaves only reading and listing of the ACL of a bucket, or makes it exactly `acls` again.
restrict() {
  local bucket=o3://${P[replica]} before wanted after BATCH_SECONDS=$RESTRICT_SECONDS
  ozone_batch "bucket info $bucket" "bucket getacl $bucket"
  ((FAILED_AT == 0)) || stop_unchanged bucket-missing
  require_target_bucket section.1
  before=$(acl_entries section.2) || unreadable 'bucket getacl'
  # What could not be set again is not taken away.
  ! grep -vxE "|$ACL" <<<"$before" >unusual || refuse acl-unusual "the ACL of ${P[replica]} has an entry that is not handled: $(head -c 200 unusual)"
  if [[ -n ${P[acls]} ]]; then wanted=$(tr , '\n' <<<"${P[acls]}" | sort -u); else wanted=$(reading_only <<<"$before"); fi
  if [[ $wanted == "$before" ]]; then finish ok '' '' "$(data_restrict "$before" "$before")"; fi
  [[ -n $wanted ]] || refuse acl-unusual "nobody in the ACL of ${P[replica]} may read or list: nothing would be left of it"
  ozone_batch "bucket setacl -a ${wanted//$'\n'/,} $bucket" "bucket getacl $bucket"
  case $FAILED_AT:$ERROR_CODE in 1:permission-denied | 1:no-ticket | 1:no-kdc | 1:unknown-host | 1:connection) stop_unchanged bucket-missing ;; esac
  ((FAILED_AT == 0)) || finish failed "$ERROR_CODE" "$ERROR"
  after=$(acl_entries section.2) || finish failed unreadable 'the ACL could not be read back: the output was not understood'
  [[ $after == "$wanted" ]] || finish failed acl-differs "the ACL of ${P[replica]} is not what was set: ${after//$'\n'/,}"
  finish ok '' '' "$(data_restrict "$before" "$after")"
}

# file: the ACL of a bucket as setacl takes it, one entry per line, in the order of bytes
acl_entries() {
  records array "$1" type name aclScope aclList | awk -F '\t' '
    BEGIN { split("READ=r WRITE=w CREATE=c LIST=l DELETE=d READ_ACL=x WRITE_ACL=y ALL=a NONE=n", known, " "); for (i in known) { split(known[i], it, "="); letter[it[1]] = it[2] } }
    {
      gsub(/"/, ""); gsub(/[][ ]/, "", $4); n = split($4, right, ","); rights = ""
      for (i = 1; i <= n; i++) { if (!(right[i] in letter)) exit 1; rights = rights letter[right[i]] }
      if ($3 != "ACCESS" && $3 != "DEFAULT" || NR > 100) exit 1
      print tolower($1) ":" ($1 == "WORLD" || $1 == "ANONYMOUS" ? "" : $2) ":" rights ($3 == "DEFAULT" ? "[DEFAULT]" : "")
    }' | sort -u
  [[ "${PIPESTATUS[*]}" == '0 0 0' ]]
}

# Entries without a right to read or to list are left out.
reading_only() {
  awk -F : '{
      scope = sub(/\[DEFAULT\]$/, "", $3) ? "[DEFAULT]" : ""; rights = ($3 ~ /[ra]/ ? "r" : "") ($3 ~ /[la]/ ? "l" : "")
      if (rights != "") print $1 ":" $2 ":" rights scope
    }' | sort -u
}

quoted() { sed '/^$/d; s/.*/"&"/' <<<"$1" | paste -s -d ,; }

# before after: entries, one per line
data_restrict() {
  echo "{\"before\":[$(quoted "$1")],\"after\":[$(quoted "$2")]}"
}

# ---------------------------------------------------------------- create-bucket [protect restore]

# Ozone gives the keys of a new bucket to who writes them alone. Those that the documents of this host read as, by the first part of their principals, have to read them too.
grants_to_others() {
  local radius name own=${PRINCIPAL%%[/@]*} acl=''
  for radius in observe protect restore; do
    name=${CONF[principal_$radius]:-}
    name=${name%%[/@]*}
    [[ -z $own || -z $name || $name == "$own" || $acl == *"user:$name:"* ]] || acl+=",user:$name:rl,user:$name:rl[DEFAULT]"
  done
  echo "${acl#,}"
}

# The replica's bucket, and its volume, if they are missing.
create_bucket() {
  local bucket=o3://${P[replica]} command="bucket create -l ${P[layout]}" created=true acl last commands
  [[ -z ${P[replication]} ]] || command+=" -t ${P[replication]%%/*} -r ${P[replication]#*/}"
  ((10#${P[quotaBytes]} == 0)) || command+=" --space-quota $((10#${P[quotaBytes]}))"
  ((10#${P[quotaNamespace]} == 0)) || command+=" --namespace-quota $((10#${P[quotaNamespace]}))"
  [[ -z ${P[encryptionKey]} ]] || command+=" -k ${P[encryptionKey]}"
  commands=("$command $bucket")
  acl=$(grants_to_others)
  [[ -z $acl ]] || commands+=("bucket addacl -a $acl $bucket")
  last=$((${#commands[@]} + 1))
  commands+=("bucket info $bucket")
  ozone_batch "${commands[@]}"
  case $FAILED_AT:$ERROR_CODE in
    1:exists)
      created=false last=1
      ozone_batch "bucket info $bucket"
      ;;
    1:volume-missing)
      last=$((last + 1))
      ozone_batch "volume create ${bucket%/*}" "${commands[@]}"
      ;;
    1:permission-denied | 1:no-ticket | 1:no-kdc | 1:unknown-host | 1:connection) stop_unchanged volume-missing ;;
  esac
  ((FAILED_AT == 0)) || finish failed create-failed "$ERROR"
  read_bucket "section.$last" || finish failed unreadable 'the bucket could not be read back: the output was not understood'
  finish ok '' '' "{\"created\":$created,\"bucket\":$BUCKET_JSON,\"acls\":null}}"
}

# ---------------------------------------------------------------- tidy and delete [destroy]

check_tidy() { check_removals 10 "(temp${UUID}s[0-9]{8}-[0-9]{6}\.[0-9]{3}|odr-tmp-[a-z0-9.-]{1,40})"; }

# odr-<policy>-<slot>-<attempt>; temporaries of ours look alike.
check_delete() {
  check_removals 100 'odr-[a-z][a-z0-9-]{0,30}[a-z0-9]-[0-9]{8}t[0-9]{6}z-[1-9][0-9]{0,8}'
  [[ ,${P[remove]} != *,odr-tmp-* ]] || refuse bad-parameter 'delete does not delete temporary snapshots'
}

# most name-pattern
check_removals() {
  local item n=0
  for item in ${P[remove]//,/ }; do
    [[ $item =~ ^$2=$UUID$ ]] || refuse bad-parameter "${P[verb]} does not delete $item"
    n=$((n + 1))
  done
  ((n <= $1)) || refuse bad-parameter "${P[verb]} deletes at most $1 snapshots"
  [[ -z $(sed 's/=[^,]*//g; s/,/\n/g' <<<"${P[remove]}" | sort | uniq -d) ]] || refuse bad-parameter 'a snapshot is named twice'
}

# Deletes temporary snapshots of the replica. The bucket lock keeps copies out, whose temporaries are in use.
tidy() { remove_snapshots replica temp odr-tmp-; }

# Deletes recovery points of one side, that of the bucket `source`: none when one of them is not there or another snapshot by now.
delete() { remove_snapshots source odr-; }

# side prefix…: deletes, by their names, those that are ACTIVE with the expected ids in a listing just before. What is gone by then is
# read from a listing in the JVM of the deletions, or in one more when it stopped at a deletion that failed.
remove_snapshots() {
  local bucket=o3://${P[$1]} prefix item lists=() deletions=() asked='' removed='' kept='' changed='' unproved='' failed=0 code='' error='' first n=0
  lock_bucket "$(bucket_directory "$1")"
  for prefix in "${@:2}"; do lists+=("snapshot list --all -p $prefix $bucket"); done
  ozone_batch "${lists[@]}"
  ((FAILED_AT == 0)) || stop_unchanged "$1-missing"
  read_lists 1 "${#lists[@]}" || unreadable "snapshot list of the $1"
  for item in ${P[remove]//,/ }; do
    look_up "$item"
    case $REPLY in
      '') asked+=" $item" deletions+=("snapshot delete $bucket ${item%=*}") && continue ;;
      'deleted already') ;;
      *) changed=${item%=*} ;;
    esac
    keep "$item" "$REPLY"
  done
  if [[ ${P[verb]} == delete && -n $changed ]]; then
    for item in $asked; do keep "$item" 'not tried'; done
    refuse changed-meanwhile "nothing was deleted: $changed is not there or another snapshot" "{\"removed\":[],\"kept\":[${kept#,}]}"
  fi

  if [[ -n $asked ]]; then
    ozone_batch "${deletions[@]}" "${lists[@]}"
    failed=$FAILED_AT code=$ERROR_CODE error=$ERROR first=$((${#deletions[@]} + 1))
    if ((failed > 0 && failed < first)); then
      ozone_batch "${lists[@]}"
      first=1
    fi
    if ((FAILED_AT > 0)) || ! read_lists "$first" "${#lists[@]}"; then LISTED=''; fi
  fi
  for item in $asked; do
    n=$((n + 1))
    REPLY='not proved'
    [[ -z $LISTED ]] || look_up "$item"
    case $REPLY in
      'not there' | 'deleted already')
        removed+=",{\"name\":\"${item%=*}\",\"id\":\"${item#*=}\"}"
        continue
        ;;
      '') REPLY='still there' ;;
    esac
    if ((n == failed)); then REPLY=$code; elif ((failed > 0 && n > failed)); then REPLY='not tried'; fi
    keep "$item" "$REPLY"
    unproved=${item%=*}
  done
  removed="{\"removed\":[${removed#,}],\"kept\":[${kept#,}]}"
  ((failed == 0)) || finish failed "$code" "$error" "$removed"
  [[ -z $unproved ]] || finish failed not-proved "no deletion failed, but it is not proved that $unproved is gone" "$removed"
  finish ok '' '' "$removed"
}

# first-section how-many: sets LISTED, which is not empty
read_lists() {
  local n
  LISTED=$'\n'
  for ((n = $1; n < $1 + $2; n++)); do LISTED+=$(snapshot_objects "section.$n" array)$'\n' || return 1; done
}

# item: sets REPLY to '' when that snapshot is active, else to what became of it
look_up() {
  local known
  known=$(grep -F "{\"name\":\"${1%=*}\"," <<<"$LISTED")
  case $known in
    '') REPLY='not there' ;;
    *"\"id\":\"${1#*=}\""*'"status":"ACTIVE"'*) REPLY='' ;;
    *"\"id\":\"${1#*=}\""*) REPLY='deleted already' ;;
    *) REPLY="another snapshot: $known" ;;
  esac
}

# item why: into the list of what is kept
keep() {
  json_string "$2"
  kept+=",{\"name\":\"${1%=*}\",\"id\":\"${1#*=}\",\"why\":$REPLY}"
}

# ---------------------------------------------------------------- versions [look]

readonly MOST_POINTS=100 MOST_ENTRIES=100

# Sets LOOKED_PATH: bytes that are a path within a bucket and cannot mean anything else.
check_versions() {
  local commas=${P[points]//[^,]/}
  ((${#commas} < MOST_POINTS)) || refuse bad-parameter "versions looks into at most $MOST_POINTS points"
  LOOKED_PATH=$(set -o pipefail && base64 -d <<<"${P[path64]}" 2>/dev/null | tr '\000-\037\177' '\n' && echo .) ||
    refuse bad-parameter 'path64 is not base64'
  LOOKED_PATH=${LOOKED_PATH%.}
  if ((${#LOOKED_PATH} > 1024)) || [[ $LOOKED_PATH == *$'\n'* || /$LOOKED_PATH/ =~ /\.{0,2}/ || $LOOKED_PATH/ == .snapshot/* ]] ||
    LC_ALL=$JAVA_LOCALE grep -qaxv '.*' <<<"$LOOKED_PATH"; then
    refuse bad-parameter 'path64 is no path within the bucket: no / at its ends, no empty, . or .. parts, no control characters, not below .snapshot, UTF-8, at most 1024 bytes'
  fi
}

# Three JVMs at most, however many points: where the path is, the checksums where it is a file, the ids. The ids come last: what
# was read before is then proved to be of these snapshots, which nobody can change and whose ids do not come back.
versions() {
  local name type exit_code word words=() files=()
  export LOOKED_ROOT=ofs://${P[source]}/.snapshot/ LOOKED_PATH
  word=$(awk "$AWK_NAMES"'BEGIN { print literal(ENVIRON["LOOKED_PATH"]) }')
  tr ',=' '\n\t' <<<"${P[points]}" >points
  while read -r name _; do words+=("$LOOKED_ROOT$name/$word"); done <points
  JVM_STARTS+=1
  hadoop_fs -stat '%b %Y %F' "${words[@]}" >stats 2>errors
  exit_code=$?
  located "$exit_code" >places || not_located "$exit_code"

  while read -r name _ type _; do [[ $type != file ]] || files+=("$LOOKED_ROOT$name/$word"); done <places
  : >sums
  if ((${#files[@]} > 0)); then
    JVM_STARTS+=1
    # One that cannot be read (its datanodes do not answer) hides neither where the path is nor the others.
    hadoop_fs -checksum "${files[@]}" >sums 2>errors
    exit_code=$?
    ((exit_code < 124)) || not_located "$exit_code"
  fi

  ozone_batch "snapshot list --all -p odr- o3://${P[source]}"
  ((FAILED_AT == 0)) || stop_unchanged source-missing
  snapshot_objects section.1 array >listed || unreadable 'snapshot list'
  finish ok '' '' "{\"versions\":[$(found_versions)]}"
}

# exit-code: for each point "name TAB id TAB type TAB bytes TAB time". Hadoop (3.4.3) answers in the order of its words, leaves out those that are
# missing and names each of them as it was meant; whatever else it complains of, or one answer too many or too few, is exit 1.
located() {
  awk -F '\t' -v code="$1" '
    file == 1 { name[++n] = $1; id[n] = $2 }
    file == 2 && /^-?stat: / { missing[$0]; told++ }
    file == 3 { answer[++answers] = $0 }
    END {
      for (i = 1; i <= n; i++) {
        line = "stat: `" ENVIRON["LOOKED_ROOT"] name[i] "/" ENVIRON["LOOKED_PATH"] "\047: No such file or directory"
        if (line in missing) { gone++; print name[i] "\t" id[i] "\tabsent\tnull\tnull"; continue }
        if (answer[++at] !~ /^[0-9]+ [0-9]+ (directory|regular file)$/) exit 1
        split(answer[at], part, " ")
        print name[i] "\t" id[i] "\t" (part[3] == "directory" ? "directory\tnull" : "file\t" part[1]) "\t" part[2]
      }
      exit !(at + 0 == answers + 0 && gone + 0 == told + 0 && code == (gone > 0))
    }' file=1 points file=2 errors file=3 stats
}

# exit-code
not_located() {
  ERROR=$(grep -aE '^-?(stat|checksum): ' errors | grep -av ': No such file or directory$' | head -c 1000)
  [[ $ERROR != *'has layout: OBJECT_STORE'* ]] || refuse layout "$ERROR"
  [[ -n $ERROR ]] || ERROR="hadoop fs ended with exit code $1 and an answer that does not fit the question"
  classify_error "$1"
  stop_unchanged unreadable
}

found_versions() {
  awk -F '\t' '
    file == 1 { if (/"status":"ACTIVE"/) active[substr($0, 1, index($0, ",\"created\":"))]; next }
    file == 2 { if ($2 ~ /^[A-Za-z0-9-]+$/ && $3 ~ /^[0-9a-f]+$/) sum[$1] = "\"" $2 " " $3 "\""; next }
    {
      shown = "{\"name\":\"" $1 "\",\"id\":\"" $2 "\","
      path = ENVIRON["LOOKED_ROOT"] $1 "/" ENVIRON["LOOKED_PATH"]
      checksum = $3 == "file" && path in sum ? sum[path] : "null"
      if (!(shown in active)) { $3 = "no-snapshot"; $4 = $5 = checksum = "null" }
      printf "%s%s\"state\":\"%s\",\"bytes\":%s,\"modified\":%s,\"checksum\":%s}", comma, shown, $3, $4, $5, checksum
      comma = ","
    }' file=1 listed file=2 sums file=3 places
}

# ---------------------------------------------------------------- changes [look]

check_changes() { ((10#${P[limit]} >= 1 && 10#${P[limit]} <= MOST_ENTRIES)) || refuse bad-parameter "limit must be from 1 to $MOST_ENTRIES"; }

# One page of what changed between two snapshots, which are proved by their ids in the same JVM.
changes() {
  local bucket=o3://${P[source]} entries='' token next=null
  ozone_batch "snapshot info $bucket ${P[base]}" "snapshot info $bucket ${P[target]}" "$(report_command "${P[token]}")"
  case $FAILED_AT:$ERROR_CODE in
    1:snapshot-missing) refuse base-missing "$ERROR" ;;
    2:snapshot-missing) refuse target-missing "$ERROR" ;;
    1:* | 2:*) stop_unchanged source-missing ;;
  esac
  require_snapshot section.1 "${P[baseSourceId]}" base
  require_snapshot section.2 "${P[targetId]}" target
  [[ $ERROR != *'Token '*' has invalid '* || $FAILED_AT == 0 ]] || refuse token-refused "$ERROR"
  ((FAILED_AT == 0)) && read_report 3
  submit_missing
  if [[ $DIFF_EMPTY != null ]]; then
    entries=$(page_entries "section.$DIFF_SECTION") || unreadable 'snapshot diff'
    if token=$(records object "section.$DIFF_SECTION" snapshotDiffReport.nextToken); then
      [[ $token =~ ^\"[0-9]{1,40}\"$ ]] || unreadable 'snapshot diff'
      next=$token
    fi
  elif [[ $DIFF_STATUS == 'done' ]]; then
    DIFF_STATUS=pending # since it was submitted; its page was not read
  fi
  finish ok '' '' "{\"status\":\"$DIFF_STATUS\",\"reason\":$DIFF_REASON,\"entries\":[$entries],\"next\":$next}"
}

# section: the entries as JSON objects, the paths as Ozone escaped them
page_entries() {
  awk '
    function text() { sub(/^ *"[A-Za-z]+" : "(\.\/)?/, ""); sub(/",?$/, ""); return $0 }
    function entry() {
      if (kind == "" && path == "" && to == "") return
      if (kind !~ /^[-+MR]$/ || path == "" || (kind == "R") != (to != "")) { bad = 1; exit 1 }
      printf "%s{\"kind\":\"%s\",\"path\":\"%s\",\"to\":%s}", comma, kind, path, to == "" ? "null" : "\"" to "\""
      comma = ","; kind = path = to = ""
    }
    /^      "diffType" : "/ { entry(); kind = text(); next }
    /^      "sourcePath" : "\.\// { path = text(); next }
    /^      "targetPath" : "\.\// { to = text(); next }
    END { if (!bad) entry(); exit bad }' "$1"
}

# ---------------------------------------------------------------- divergence [look]

# What both sides changed since they were equal, in one JVM. Each is compared with itself, because times of two clusters cannot be: the
# source from `base` to `target`, the replica from its own snapshot `since` to what it holds now.
divergence() {
  local source=o3://${P[source]} replica=o3://${P[replica]} missing
  missing=(source-missing base-missing target-missing base-missing target-missing replica-missing since-missing since-missing replica-missing)
  ozone_batch "bucket info $source" "snapshot info $source ${P[base]}" "snapshot info $source ${P[target]}" \
    "key list --all -p .snapshot/${P[base]}/ $source" "key list --all -p .snapshot/${P[target]}/ $source" \
    "bucket info $replica" "snapshot info $replica ${P[since]}" "key list --all -p .snapshot/${P[since]}/ $replica" "key list --all $replica"
  ((FAILED_AT == 0)) || stop_unchanged "${missing[FAILED_AT - 1]}"
  require_snapshot section.2 "${P[baseSourceId]}" base
  require_snapshot section.3 "${P[targetId]}" target
  require_snapshot section.7 "${P[sinceId]}" since
  listing section.4 ".snapshot/${P[base]}/" source.then >/dev/null || unreadable 'key list of the base'
  listing section.5 ".snapshot/${P[target]}/" source.now >/dev/null || unreadable 'key list of the target'
  listing section.8 ".snapshot/${P[since]}/" replica.then >/dev/null || unreadable 'key list of the replica since'
  listing section.9 '' replica.now >/dev/null || unreadable 'key list of the replica'
  (set -o pipefail && compare_times source && compare_times replica && comm -12 source.paths replica.paths >both) ||
    refuse environment 'the listings could not be compared'
  finish ok '' '' "{\"source\":$(<source.json),\"replica\":$(<replica.json),\"both\":{\"paths\":$(wc -l <both),$(first_paths <both)}"
}

# side: writes the paths of its files that are otherwise now, and what became of them as JSON
compare_times() {
  join -t $'\t' -a 1 -a 2 -e - -o 0,1.2,1.3,2.2,2.3 "$1.then" "$1.now" |
    awk -F '\t' '$2 "" != $4 "" || $3 "" != $5 ""' >"$1.parted" && cut -f 1 "$1.parted" >"$1.paths" &&
    awk -F '\t' '
      $2 == "-" { added++ }
      $4 == "-" { deleted++; next }
      { bytes += $4 }
      END { printf "{\"added\":%d,\"changed\":%d,\"deleted\":%d,\"bytes\":%.0f,", added, NR - added - deleted, deleted, bytes }' "$1.parted" >"$1.json" &&
    first_paths <"$1.paths" >>"$1.json"
}

# The first 20 lines as JSON, and the end of the object
first_paths() {
  awk "$AWK_SHOWN"'NR <= 20 { first = first (NR > 1 ? "," : "") "\"" cut($0) "\"" } END { printf "\"first\":[%s]}", first }'
}

# ---------------------------------------------------------------- buckets [look]

# One JVM for the volumes, one for the buckets of those that a glob can meet. Links are left out: they are of another bucket.
buckets() {
  local service=o3://${P[source]%%/*} volume glob globs volumes=() commands=() n
  ozone_batch "volume list --all $service"
  ((FAILED_AT == 0)) || stop_unchanged unreadable
  records array section.1 name >listed || unreadable 'volume list'
  IFS=, read -r -a globs <<<"${P[globs]}"
  while IFS='"' read -r _ volume _; do
    for glob in "${globs[@]}"; do
      # shellcheck disable=SC2053 # as a pattern
      [[ $volume == ${glob%%/*} ]] || continue
      volumes+=("$volume") commands+=("bucket list --all $service/$volume")
      break
    done
  done <listed
  : >named
  if ((${#commands[@]} > 0)); then
    ozone_batch "${commands[@]}"
    ((FAILED_AT == 0)) || stop_unchanged unreadable
    for ((n = 1; n <= ${#commands[@]}; n++)); do
      records array "section.$n" name link >listed || unreadable 'bucket list'
      awk -F '\t' -v volume="${volumes[n - 1]}" '$2 == "false" { print "\"" volume "/" substr($1, 2) }' listed >>named
    done
  fi
  finish ok '' '' "{\"volumes\":${#volumes[@]},\"buckets\":[$(paste -s -d , named)]}"
}

# ---------------------------------------------------------------- doctor [doctor]

readonly MOST_BUCKETS=20 CLUSTER_SECONDS=60
readonly TOOLS=(ozone hadoop curl flock timeout setsid awk sort comm join sha256sum base64 find xargs)

check_doctor() {
  local commas=${P[buckets]//[^,]/}
  ((${#commas} < MOST_BUCKETS)) || refuse bad-parameter "doctor looks at no more than $MOST_BUCKETS buckets"
}

# Facts, no opinions: how this host is for the verbs of this document. It must answer on a host that can do nothing else, so it
# takes no lock and keeps no record; all it writes is a file of its own below the state folder, which it removes at once.
doctor() {
  local tools='' name json buckets=() source replica=null ozone=null hadoop=null java=null ofs=null keytab=null problem=''
  if ! LOOSE=$(mktemp -d /tmp/odr-doctor.XXXXXXXX) || ! cd "$LOOSE"; then refuse environment 'cannot make a folder in /tmp'; fi
  log_in "$LOOSE" || problem=$ERROR
  for name in "${TOOLS[@]}"; do command -v "$name" >/dev/null || tools+=",\"$name\""; done
  json="\"document\":\"$RADIUS\",\"missing\":[${tools#,}]"
  json_string "$(id -un 2>/dev/null || id -u)"
  json+=",\"user\":$REPLY,\"ticket\":$(ticket),\"locale\":${JAVA_LOCALE:+\"$JAVA_LOCALE\"}"
  [[ -n $JAVA_LOCALE ]] || json+=null
  json_string "$KEYTAB"
  [[ -z $KEYTAB ]] || keytab="{\"path\":$REPLY,\"file\":$(owner_and_mode "$KEYTAB")}"
  json_string "${problem:0:1500}"
  json+=",\"login\":{\"keytab\":$keytab,\"problem\":$REPLY}"
  json+=",\"hooks\":$(hook_facts),\"yarn\":$(yarn_facts),\"config\":$(owner_and_mode "$HOST_CONFIG"),\"state\":$(state_facts)"
  IFS=, read -r -a buckets <<<"${P[buckets]}"
  cluster "${P[source]%%/*}" "${buckets[@]}"
  source=$CLUSTER
  if [[ -n ${P[replica]} ]]; then
    cluster "${P[replica]%%/*}" "${buckets[@]}"
    replica=$CLUSTER
  fi
  if [[ $RADIUS == observe ]]; then
    version_of ozone
    ozone=$REPLY
    JVM_STARTS+=1
    java=$(java_version)
    version_of hadoop
    hadoop=$REPLY
    if [[ $hadoop != null && $source == *'"state":"read","layout"'* ]]; then
      JVM_STARTS+=1
      ofs=$(reads_ofs "ofs://${P[source]%/*}")
    fi
  fi
  json+=",\"versions\":{\"ozone\":$ozone,\"hadoop\":$hadoop,\"java\":$java},\"readsOfs\":$ofs,\"may\":$(may_do)"
  finish ok '' '' "{$json,\"source\":$source,\"replica\":$replica}"
}

# seconds command…: nothing where there is no `timeout` to end it
bounded() { command -v timeout >/dev/null && timeout -k 5 "$@" </dev/null; }

# program: sets REPLY to the first version number that it prints (Ozone draws a picture around its own), or null
version_of() {
  REPLY=null
  if command -v "$1" >/dev/null; then
    JVM_STARTS+=1
    REPLY=$(LC_ALL=$JAVA_LOCALE bounded 30 "$1" version 2>/dev/null | grep -aoE '[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*' | head -n 1)
    [[ -n $REPLY ]] && REPLY="\"${REPLY:0:60}\"" || REPLY=null
  fi
}

java_version() {
  local said
  said=$(bounded 20 "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | grep -aoE 'version "[0-9][0-9A-Za-z._+-]{0,40}"' | head -n 1)
  echo "${said:+${said#version }}" | grep . || echo null
}

# The Kerberos ticket of this document, as MIT's klist shows it; null without one.
ticket() {
  local said principal until renewable
  said=$(bounded 10 klist 2>/dev/null)
  principal=$(sed -n 's/^Default principal: //p' <<<"$said" | head -n 1)
  [[ -n $principal ]] || { echo null; return; }
  until=$(awk '$5 ~ /^krbtgt\// { print $3, $4; exit }' <<<"$said")
  until=$(date -d "${until:-none}" +%s%3N 2>/dev/null) || until=null
  renewable=$(awk 'found && /renew until/ { sub(/.*renew until /, ""); print $1, $2; exit } { found = $5 ~ /^krbtgt\// }' <<<"$said")
  renewable=$(date -d "${renewable:-none}" +%s%3N 2>/dev/null) || renewable=null
  json_string "$principal"
  echo "{\"principal\":$REPLY,\"expires\":$until,\"renewable\":$renewable}"
}

# path
owner_and_mode() {
  local found
  found=$(stat -L -c '%U %a' "$1" 2>/dev/null) || { echo null; return; }
  json_string "$1"
  echo "{\"path\":$REPLY,\"owner\":\"${found% *}\",\"mode\":\"${found#* }\"}"
}

# The hooks that could be run here: whose names are in the list of this host, and why not.
hook_facts() {
  local key hooks=''
  for key in "${!CONF[@]}"; do
    [[ $key == hook_* ]] || continue
    HOOK_SAID=''
    allowed_hook "${key#hook_}"
    json_string "$HOOK_SAID"
    hooks+=",{\"name\":\"${key#hook_}\",\"problem\":$REPLY}"
  done
  echo "[${hooks#,}]"
}

# What this identity, which copies, hears of the YARN that host.conf names; null when it names none.
yarn_facts() {
  local manager history=null largest
  if [[ $RADIUS != protect || -z ${CONF[yarn_rm]} ]]; then
    echo null
    return
  fi
  if ask_yarn yarn_rm cluster/scheduler; then
    largest=$(sed -nE 's/^scheduler\.schedulerInfo\.maximumAllocation\.memory\t([0-9]{1,12})$/\1/p' answer)
    manager="{\"state\":\"answered\",\"largestMB\":${largest:-null},\"queues\":[$(queue_names | head -n 300 | sed 's/.*/"&"/' | paste -s -d ,)]}"
  else
    not_asked && manager=$REPLY
  fi
  if [[ -n ${CONF[yarn_history]} ]]; then
    if ask_yarn yarn_history history/info; then history='{"state":"answered"}'; else not_asked && history=$REPLY; fi
  fi
  echo "{\"manager\":$manager,\"history\":$history,\"asks\":$(container_sizes)}"
}

# MiB that the configuration of this host's Hadoop asks for a map and for the master of its application, without a JVM; null where it says nothing.
container_sizes() {
  local folder
  folder=$(timeout 20 hadoop envvars 2>/dev/null 8>&- 9>&- </dev/null | sed -nE "s/^HADOOP_CONF_DIR='(.+)'$/\1/p")
  # Some awks go to their end when a file is missing, and some do not.
  cat "$folder/mapred-site.xml" 2>/dev/null | awk '
    function number(name,   i) {
      for (i = properties; i > 0; i--)
        if (index(property[i], "<name>" name "</name>") && match(property[i], /<value>[0-9]+<\/value>/)) return substr(property[i], RSTART + 7, RLENGTH - 15)
      return "null"
    }
    { text = text $0 }
    END {
      gsub(/<!--([^-]|-[^-])*-->/, "", text); gsub(/[ \t\r]/, "", text)
      properties = split(text, property, "</property>")
      printf "{\"map\":%s,\"master\":%s}", number("mapreduce.map.memory.mb"), number("yarn.app.mapreduce.am.resource.mb")
    }'
}

not_asked() {
  json_string "${NO_ANSWER:0:300}"
  REPLY="{\"state\":\"not-answered\",\"message\":$REPLY}"
}

state_facts() {
  local probe=${CONF[state]}/operations/doctor.$$ writable=false facts free inodes
  mkdir -p "${CONF[state]}/operations" 2>/dev/null
  if echo doctor 2>/dev/null >"$probe" && [[ -s $probe ]]; then writable=true; fi
  rm -f "$probe" 2>/dev/null
  facts=$(owner_and_mode "${CONF[state]}")
  free=$(df -Pk "${CONF[state]}" 2>/dev/null | awk 'NR == 2 && $4 ~ /^[0-9]+$/ { print $4 }')
  inodes=$(df -Pi "${CONF[state]}" 2>/dev/null | awk 'NR == 2 && $4 ~ /^[0-9]+$/ && $2 > 0 { print $4 }')
  echo "{\"folder\":$facts,\"writable\":$writable,\"freeKB\":${free:-null},\"freeInodes\":${inodes:-null}}"
}

# What the role of this host may do of what no host needs, asked by reading at most one item each; null where nothing was asked:
# only with the AWS CLI that the host's configuration names.
may_do() {
  local may='' words
  if [[ $RADIUS != observe || -z ${AWS_SSM_REGION_NAME:-} || ! -x ${CONF[aws]:-} ]]; then
    echo null
    return
  fi
  for words in 'ssm list-commands --max-items 1' 'dynamodb list-tables --max-items 1' 'stepfunctions list-state-machines --max-items 1' \
    'lambda list-functions --max-items 1' 's3api list-buckets'; do
    # shellcheck disable=SC2086 # our own words
    ! bounded 15 "${CONF[aws]}" --region "$AWS_SSM_REGION_NAME" --no-cli-pager $words >/dev/null 2>&1 || may+=",\"${words%% --*}\""
  done
  echo "[${may#,}]"
}

# url: whether Hadoop knows Ozone's file system; null when something else was in the way
reads_ofs() {
  if LC_ALL=$JAVA_LOCALE bounded "$CLUSTER_SECONDS" hadoop fs "${CLIENT[@]}" -stat %F "$1" >/dev/null 2>ofs.err; then
    echo true
  elif grep -qE 'No FileSystem for scheme|ClassNotFoundException|NoClassDefFoundError' ofs.err; then
    echo false
  else
    echo null
  fi
}

# service bucket…: sets CLUSTER to what this identity finds there. Each bucket that cannot be read costs one more JVM, six at
# most; a cluster that does not answer is asked once.
cluster() {
  local service=$1 at=0 tries=0 n info bucket found='' acls=null wait=null owner=null acl_at commands
  local -r asked=("${@:2}")
  local BATCH_SECONDS=''
  BETWEEN=''
  if [[ -z $(command -v ozone) || -z $(command -v timeout) || -z $(command -v awk) ]]; then
    ERROR_CODE=environment ERROR='ozone, timeout or awk is not on PATH'
    not_answered "$service"
    return
  fi
  while ((at < ${#asked[@]} && tries++ < 6)); do
    commands=()
    for bucket in "${asked[@]:at}"; do commands+=("bucket info o3://$service/$bucket" "snapshot list --all o3://$service/$bucket"); done
    [[ $RADIUS != observe ]] || commands+=("bucket getacl o3://$service/${asked[0]}")
    acl_at=${#commands[@]}
    # The last one, since not everybody may. Without Kerberos nobody is the owner of anything.
    [[ -z $KEYTAB$TICKET ]] || commands+=("volume info o3://$service/${asked[0]%%/*}")
    BATCH_SECONDS=$(seconds_left)
    ((BATCH_SECONDS < CLUSTER_SECONDS)) || BATCH_SECONDS=$CLUSTER_SECONDS
    ozone_batch "${commands[@]}"
    for ((n = 0; at < ${#asked[@]}; n++, at++)); do
      info=$((2 * n + 1))
      if ((FAILED_AT == info)); then
        case $ERROR_CODE in timeout | unknown-host | connection | no-kdc)
          not_answered "$service"
          return
          ;;
        esac
        json_string "${ERROR:0:300}"
        found+=",{\"bucket\":\"${asked[at]}\",\"state\":\"not-read\",\"code\":\"$ERROR_CODE\",\"message\":$REPLY}"
      else
        seen_bucket "${asked[at]}" "$info" "$((FAILED_AT == info + 1))"
        found+=,$REPLY
      fi
      if ((FAILED_AT == info || FAILED_AT == info + 1)); then
        ((at++))
        break
      fi
    done
    if [[ $RADIUS == observe ]] && ((FAILED_AT == 0 || FAILED_AT > acl_at)); then acls=$(acl_list "section.$acl_at") && acls="[$acls]" || acls=null; fi
    [[ -z $KEYTAB$TICKET || $FAILED_AT != 0 ]] || owner=$(records object "section.${#commands[@]}" owner) || owner=null
  done
  if [[ $RADIUS == observe && -n $BETWEEN ]]; then diff_wait "$service" && wait=$REPLY; fi
  CLUSTER="{\"service\":\"$service\",\"state\":\"read\",\"buckets\":[${found#,}],\"acls\":$acls,\"volumeOwner\":$owner,\"diffWaitMs\":$wait}"
}

# service
not_answered() {
  json_string "${ERROR:0:500}"
  CLUSTER="{\"service\":\"$1\",\"state\":\"not-answered\",\"code\":\"$ERROR_CODE\",\"message\":$REPLY}"
}

# bucket section whether-the-list-failed: sets REPLY; BETWEEN to a bucket and two of its snapshots, newer first
seen_bucket() {
  local row layout link owner created listed snapshots=null temporary=null active
  fill_link "section.$2"
  if ! row=$(records object "section.$2" bucketLayout link owner creationTime); then
    REPLY="{\"bucket\":\"$1\",\"state\":\"not-read\",\"code\":\"unreadable\",\"message\":\"the output of ozone sh was not understood\"}"
    return
  fi
  IFS=$'\t' read -r layout link owner created <<<"$row"
  if (($3 == 0)) && listed=$(snapshot_objects "section.$(($2 + 1))" array); then
    snapshots=$(grep -c . <<<"$listed")
    temporary=$(grep -cE '^\{"name":"(temp[0-9a-f]{8}-|odr-tmp-)' <<<"$listed")
    active=$(sed -nE 's/^\{"name":"([a-z0-9.-]{3,63})",.*"created":([0-9]+),"status":"ACTIVE".*/\2 \1/p' <<<"$listed" | sort -rn | awk '{ print $2 }')
    [[ -n $BETWEEN || $active != *$'\n'* ]] || BETWEEN="$1 ${active%%$'\n'*} ${active##*$'\n'}"
  fi
  REPLY="{\"bucket\":\"$1\",\"state\":\"read\",\"layout\":$layout,\"link\":$link,\"owner\":$owner,\"created\":$created"
  REPLY+=",\"snapshots\":$snapshots,\"temporary\":$temporary}"
}

# service: sets REPLY to the wait, in ms, that its manager asks of whoever waits for a difference. Asked backwards: nobody
# submits that one, and asking for a report submits nothing.
diff_wait() {
  local bucket newer older
  read -r bucket newer older <<<"$BETWEEN"
  ozone_batch "snapshot diff --get-report --json -p 1 o3://$1/$bucket $newer $older"
  ((FAILED_AT == 0)) && [[ $(records object section.1 jobStatus) == '"NOT_FOUND"' ]] &&
    REPLY=$(records object section.1 waitTimeInMs) && [[ $REPLY =~ ^[0-9]+$ ]]
}

# ---------------------------------------------------------------- batch [observe batch]

readonly MOST_MEMBERS=25 MEMBER_FIELDS=(operation bucket target targetId base baseSourceId baseReplicaId replicaCreated fence fenceSeed)
OWN_LOCK=() BUCKET_LOCK=()
declare -i ASKED=0

check_batch() {
  local name
  [[ ' survey snapshot seal-unchanged ' == *" ${P[verb]} "* ]] || refuse bad-parameter "${P[verb]} takes no batch"
  for name in source replica; do
    [[ ${P[$name]} != */* ]] || refuse bad-parameter "of a batch $name is a service, its members name the buckets"
  done
  [[ -n ${P[source]} ]] || refuse bad-parameter 'a batch needs the parameter source'
  IFS=';' read -r -a MEMBERS <<<"${P[batch]}"
  ((${#MEMBERS[@]} <= MOST_MEMBERS)) || refuse bad-parameter "a batch has at most $MOST_MEMBERS members"
  [[ -z $(printf '%s\n' "${P[operation]}" "${MEMBERS[@]%%|*}" | sort | uniq -d) ]] || refuse bad-parameter 'an operation is there twice'
}

# Operations on several buckets, each with its record, its locks and its answer as if it had come alone; only what they ask of Ozone is
# asked for all of them in one JVM. A verb runs in a subshell from its beginning until it asks what has no answer yet; with
# that answer it begins again. So until its last question it must not do what it may not do twice.
batch() {
  local n asking replies='' folder
  # What a delivery that died has left is none of this one's.
  if ! folder=$(mktemp -d "$WORK/scratch/members.XXXXXX") || ! cd "$folder"; then refuse environment "cannot write in $WORK"; fi
  for n in "${!MEMBERS[@]}"; do open_member "$n"; done
  while :; do
    asking=()
    for n in "${!MEMBERS[@]}"; do
      [[ ! -s $n/reply ]] || continue
      member "$n" >"$n/reply"
      [[ -s $n/reply ]] || asking+=("$n")
    done
    ((${#asking[@]} > 0)) || break
    answer_members "${asking[@]}"
  done
  for n in "${!MEMBERS[@]}"; do
    { read -r _ && IFS= read -r REPLY; } <"$n/reply" || finish failed internal "a member of the batch ended without an answer"
    replies+=,$REPLY
  done
  finish ok '' '' "{\"replies\":[${replies#,}]}"
}

# member: takes the lock of its operation, as long as this script lives.
open_member() {
  local lock directory=${CONF[state]}/operations/${MEMBERS[$1]%%|*}
  if ! mkdir -p "$1" "$directory" || ! exec {lock}>>"$directory/lock"; then refuse environment "cannot write in $directory"; fi
  flock -n "$lock" && OWN_LOCK[$1]=$lock
  [[ ${P[verb]} != seal-unchanged || -z ${OWN_LOCK[$1]:-} ]] || if_defined lock_replica_of "$1"
}

# member: sets the parameters to its own
member_parameters() {
  local at fields side
  IFS='|' read -r -a fields <<<"${MEMBERS[$1]}"
  for at in "${!MEMBER_FIELDS[@]}"; do P[${MEMBER_FIELDS[at]}]=${fields[at]:-}; done
  for side in source replica; do [[ -z ${P[$side]} ]] || P[$side]+=/${P[bucket]}; done
  P[fence]=${P[fence]:-0} P[fenceSeed]=${P[fenceSeed]:-no} P[batch]=''
}

# member: its verb, from the beginning
member() (
  # shellcheck disable=SC2030 # its own
  FINISHED='' WORK='' IN_BATCH=$1
  # shellcheck disable=SC2030,SC2031 # a count of its own
  JVM_STARTS=0
  trap on_exit EXIT
  member_parameters "$1"
  directory=${CONF[state]}/operations/${P[operation]}
  [[ -n ${OWN_LOCK[$1]:-} ]] || refuse operation-busy 'another delivery of this operation is still running on this host'
  if [[ -e $directory/result ]]; then replay "$directory/result"; fi
  WORK=$directory
  if [[ ! -e $1/begun ]]; then
    [[ ! -e $WORK/started ]] ||
      finish interrupted delivery-died 'an earlier delivery of this operation died half way; what it had done by then is not known'
    if ! printf '%s\n' "$STARTED_AT" >"$WORK/started" || ! : >"$1/begun"; then refuse environment "cannot write in $WORK"; fi
  fi
  cd "$1" || refuse environment "cannot read what was answered"
  check_parameters
  "${P[verb]//-/_}"
)

# command…: the answer, if it is there; else this is what the member asks, and for now its end.
ask_with_others() {
  local n files=()
  ASKED+=1
  if [[ ! -e answer.$ASKED/state ]]; then
    if ! mkdir -p "answer.$ASKED" || ! printf '%s\n' "$@" >asked || ! printf '%s\n' "$ASKED" >question; then
      refuse environment 'the question could not be written'
    fi
    FINISHED=yes
    exit 0
  fi
  # shellcheck disable=SC2031 # the member's
  JVM_STARTS+=1
  { read -r FAILED_AT && IFS= read -r ERROR_CODE; } <"answer.$ASKED/state"
  ERROR=$(<"answer.$ASKED/error")
  for ((n = 1; n <= $#; n++)); do [[ ! -e answer.$ASKED/section.$n ]] || files+=("answer.$ASKED/section.$n"); done
  ((${#files[@]} == 0)) || ln -f -t . "${files[@]}" || refuse environment 'what was answered could not be read'
}

# member…: asks in one JVM what they ask. Ozone stops at the first command that fails: those behind it get another one. Of a service that
# does not answer nothing more is asked: each of them would wait as long.
answer_members() {
  local left=("$@") n at i k asked commands counts cut names dead='' why=''
  while ((${#left[@]} > 0)); do
    commands=() counts=() cut=() names=()
    for n in "${left[@]}"; do
      readarray -t asked <"$n/asked"
      for ((k = 0; k < ${#asked[@]}; k++)); do
        [[ -z $dead || ${asked[k]} != *"$dead"* ]] || break
        commands+=("${asked[k]}") names+=("$n/answer.$(<"$n/question")/section.$((k + 1))")
      done
      counts+=("$k") cut+=("$((k < ${#asked[@]} ? k + 1 : 0))")
    done
    FAILED_AT=0 at=0
    if ((${#commands[@]} > 0)); then
      SECTIONS=$(printf '%s\n' "${names[@]}")
      ozone_batch "${commands[@]}"
      SECTIONS=''
    fi
    for i in "${!left[@]}"; do
      if ((FAILED_AT > 0 && FAILED_AT <= at + counts[i])); then
        answer_member "${left[i]}" "$((FAILED_AT - at))" "$ERROR_CODE" "$ERROR"
        case $ERROR_CODE in timeout | unknown-host | connection | no-kdc)
          [[ ${commands[FAILED_AT - 1]} =~ o3://[^/]*/ ]]
          dead=${BASH_REMATCH[0]} why=$ERROR
          ;;
        esac
        left=("${left[@]:i + 1}")
        continue 2
      fi
      if ((cut[i] > 0)); then answer_member "${left[i]}" "${cut[i]}" connection "it was not asked, as it did not answer: $why"; else answer_member "${left[i]}" 0 '' ''; fi
      at=$((at + counts[i]))
    done
    return
  done
}

# member failed-at code error
answer_member() {
  local folder
  folder=$1/answer.$(<"$1/question")
  if ! printf '%s' "$4" >"$folder/error" || ! printf '%s\n' "$2" "$3" >"$folder/state"; then refuse environment 'what was answered could not be written'; fi
}

# ---------------------------------------------------------------- main

main() {
  clean_environment
  trap on_exit EXIT
  trap on_signal TERM INT HUP
  read_parameters
  read_host_config
  if [[ ${1:-} == --detached ]]; then if_defined "go_on_${P[verb]//-/_}"; fi
  if [[ ${P[verb]} != doctor ]]; then
    open_operation
    # shellcheck disable=SC2031 # that of this shell
    [[ ${P[verb]} == probe ]] || log_in "$WORK/scratch" || if_defined stop_unchanged "$ERROR_CODE"
  fi
  if [[ -n ${P[batch]} ]]; then if_defined batch; else "${P[verb]//-/_}"; fi
}

main "$@"
