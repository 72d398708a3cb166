# SPDX-License-Identifier: Apache-2.0
# kill -TERM, Ctrl-C and kill -9 in the middle of a launch with an image: undone, and said by the exit status; after kill
# -9, by recover. killed.sh does more of the last.
# lab: -d 2G -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
set -m # each job is a process group, as in a terminal
launch=(mayfly --progress-fd 9 launch v --count 3 --image "$image" --root 300M --swap 16M --no-start)

interrupt() { # SIGNAL STATUS LINE
    local status=0
    until_progress "$3" "${launch[@]}"
    kill "-$1" -- "-$pid"
    wait "$pid" || status=$?
    cat /tmp/err
    check_equal "SIG$1 at '$3'" "$2" "$status"
    nothing_left
}

for line in 'step lock' 'step create 3 keys' 'step create volume' 'step write image' 'progress 1' \
    'step format' 'step define'; do
    interrupt TERM 143 "$line"
done
for line in 'step create volume' 'progress 1'; do
    interrupt INT 130 "$line"
done

until_progress 'progress 1' "${launch[@]}"
kill -KILL "$pid"
wait "$pid" || true
lab_wait 120 recovered
nothing_left

# A signal after the point of no return: the operation is finished.
mayfly launch r --image "$image" --root 300M --no-start >/dev/null
status=0
until_progress 'progress 1' mayfly --progress-fd 9 rebuild r --image "$image" --yes
kill -TERM -- "-$pid"
wait "$pid" || status=$?
check_equal "SIGTERM while a rebuild writes the image" 0 "$status"
check "  it says that it goes on" grep -q 'can no longer be undone' /tmp/err
check_equal "  and the instance is whole" "shut off" "$(state_of r)"

# The second signal ends mayfly at once, whatever it waits for.
handles_signals() { grep -q '^SigCgt:.*[4-7]...$' "/proc/$1/status"; }
kill -STOP "$(</run/libvirtd.pid)"
mayfly start r 2>/tmp/err &
pid=$!
lab_wait 60 handles_signals "$pid"
sleep 2
kill -TERM "$pid"
lab_wait 10 grep -q 'A second signal ends mayfly at once' /tmp/err
kill -INT "$pid"
begun=$SECONDS status=0
wait "$pid" || status=$?
check_equal "libvirtd hangs: the second signal ends start" 130 "$status"
check "  at once" test $((SECONDS - begun)) -le 5
kill -CONT "$(</run/libvirtd.pid)"
check "  recover finds nothing to do" grep -q 'All is in order' <(mayfly recover)
