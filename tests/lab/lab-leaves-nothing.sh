# SPDX-License-Identifier: Apache-2.0
# Whatever way a lab ends, no process of it stays, and none of its folders.
# host: -t 1620
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
export TMPDIR=$job/tmp
mkdir "$TMPDIR"

# members SESSION: ids of its processes; zombies wait for their parent and are none.
members() {
    ps -e -o pid=,sid=,stat= | awk -v s="$1" '$2 == s && $3 !~ /^Z/ { print $1 }'
}

# launchers: ids of processes that have our folder in their arguments.
launchers() {
    ps -e -o pid=,args= | awk -v path="$job" -v self=$$ '
        index($0, path) && !index($0, "awk") && $1 != self { print $1 }'
}

gone() { [ -z "$(launchers)" ] && [ -z "$(members "$session")" ] && [ -z "$(ls -A "$TMPDIR")" ]; }

# up COMMAND OPTION...: a lab in the background, up; sets pid and session.
up() {
    local command=$1
    shift
    rm -rf "$job/job"
    setsid "$SRC/lab/run" -j "$job/job" "$@" -- sh -c 'touch "$LAB_JOB/up"; '"$command" \
        >/dev/null 2>&1 &
    pid=$!
    lab_wait 120 test -e "$job/job/up"
    session=$(cat "$job/job/pid")
    [ "$(members "$session" | wc -l)" -gt 1 ] || fail "the search does not find a running lab"
    [ "$(launchers | wc -l)" -gt 2 ] || fail "the search does not find lab/run and its keeper"
    [ -n "$(ls -A "$TMPDIR")" ] || fail "the lab's folder is not where this test looks"
}

# leaves_nothing STATUS WHAT
leaves_nothing() {
    local status=0
    wait "$pid" || status=$?
    check_equal "$2: status" "$1" "$status"
    check "  nothing is left" lab_wait 120 gone
}

# Each way out is late enough for `up` to have looked, on a busy machine too.
up 'sleep 4'
leaves_nothing 0 "the end of the command"
up 'sleep 60 & sleep 4'
leaves_nothing 0 "the command, but not its children"
up 'sleep 60' -t 8
leaves_nothing 124 "time-out"
up 'sleep 60' -p 4
leaves_nothing 99 "power cut"
up 'sleep 4; echo c >/proc/sysrq-trigger'
leaves_nothing 125 "crash"
for signal in TERM INT HUP KILL; do
    up 'sleep 60' -d 64M -u
    kill -s "$signal" "$pid"
    leaves_nothing "$((128 + $(kill -l "$signal")))" "SIG$signal to lab/run"
done
up 'sleep 60'
kill -KILL "$session"
leaves_nothing 125 "SIGKILL to the kernel itself"

# SIGKILL at moments when the lab is not up yet
for delay in 0.03 0.05 0.1 0.2 0.4; do
    rm -rf "$job/job"
    setsid "$SRC/lab/run" -j "$job/job" -- sleep 60 >/dev/null 2>&1 &
    pid=$!
    sleep "$delay"
    kill -KILL "$pid"
    wait "$pid" || true
    session=$(cat "$job/job/pid" 2>/dev/null || echo none)
    check "SIGKILL after $delay s leaves nothing" lab_wait 120 gone
done
