# SPDX-License-Identifier: Apache-2.0
# kill -TERM, Ctrl-C and kill -9 in the middle of a launch: undone, and said by the exit status; after kill -9, by recover.
# lab: -d 2G -m 1G -t 400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
set -m # each job is a process group, as in a terminal
mkfifo /tmp/progress

# launch_until LINE: starts a launch, and comes back when its progress has a line that begins so; its pid is in $pid.
launch_until() {
    local line
    mayfly --progress-fd 9 launch v --count 3 --image "$image" --root 300M --swap 16M --no-start 2>/tmp/err 9>/tmp/progress &
    pid=$!
    exec 8</tmp/progress
    while IFS= read -r line <&8 && [[ $line != "$1"* ]]; do :; done
    cat <&8 >/dev/null & # so that it never waits for us
    exec 8<&-
}

interrupt() { # SIGNAL STATUS LINE
    local status=0
    launch_until "$3"
    kill "-$1" -- "-$pid"
    wait "$pid" || status=$?
    cat /tmp/err
    check_equal "SIG$1 at '$3'" "$2" "$status"
    nothing_left
}

for line in 'step lock' 'step create a key' 'step create volume' 'step write image' 'progress 67108864' \
    'step format' 'step define'; do
    interrupt TERM 143 "$line"
    interrupt INT 130 "$line"
done

# Its broker may still be at work for a moment, and keeps its locks so long.
recovered() { mayfly recover >/tmp/recovered && ! grep -q '^busy' /tmp/recovered; }

for line in 'step create volume' 'progress 67108864' 'step define'; do
    launch_until "$line"
    kill -KILL "$pid"
    wait "$pid" || true
    lab_wait 30 recovered
    nothing_left
done
