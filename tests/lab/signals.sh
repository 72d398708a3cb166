# SPDX-License-Identifier: Apache-2.0
# kill -TERM and Ctrl-C in the middle of a launch: undone, and said by the exit status.
# lab: -d 2G -m 1G -t 400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
set -m # each job is a process group, as in a terminal

interrupt() { # SIGNAL STATUS SECONDS
    mayfly launch v --count 3 --image "$image" --root 300M --swap 16M --no-start 2>/tmp/err &
    local pid=$! status=0
    sleep "$3"
    kill "-$1" -- "-$pid"
    wait "$pid" || status=$?
    cat /tmp/err
    check_equal "SIG$1 after $3 s" "$2" "$status"
    nothing_left
}

for moment in 0.4 1.2 2 3 4.5; do
    interrupt TERM 143 "$moment"
    interrupt INT 130 "$moment"
done

mayfly launch v --root 300M --image "$image" --no-start 2>/dev/null &
pid=$!
sleep 2.5
kill -KILL "$pid"
wait "$pid" || true
check "recover after kill -9" mayfly recover
nothing_left
