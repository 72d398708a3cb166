# SPDX-License-Identifier: Apache-2.0
# How the broker ends: told to in the middle of something, killed, left by its client.
# lab: -d 100M -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/tests/lab/lib-broker.sh"
requires "$probe" "$broker"
lab_vg vg0 /dev/ubda
mkfifo /tmp/commands

# begin COMMANDS: a probe that goes on with what is written to descriptor 6. Sets $client and $server.
begin() {
    "$probe" "$broker" </tmp/commands >/tmp/answers 2>/tmp/sentences &
    client=$!
    exec 6>/tmp/commands
    echo "$1" >&6
    lab_wait 120 grep -q '^lock ok' /tmp/answers
    server=$(xargs <"/proc/$client/task/$client/children")
}
answered() { grep -qx "$1" /tmp/answers; }

begin "volume vg0 $a root 8388608 7
lock
create
open"
lab_wait 120 answered 'open ok'
check_equal "it is in a session of its own" "$server" "$(cut -d' ' -f6 "/proc/$server/stat")"
check_equal "no new privileges, a filter, few capabilities" "1 2 0000000000000000" \
    "$(awk '/^NoNewPrivs|^Seccomp:|^CapInh/ { print $2 }' "/proc/$server/status" | sort | xargs | awk '{ print $2, $3, $1 }')"
check "the network is not among them" \
    test $((0x$(awk '/^CapBnd/ { print $2 }' "/proc/$server/status") & 1 << 12)) = 0
kill -INT "$server"
kill -HUP "$server"
echo close >&6 # waits for the descriptor that the probe holds
sleep 0.3
kill -TERM "$server"
lab_wait 120 answered 'close EBUSY'
ok "SIGTERM lets it finish what it does, and answer"
echo close >&6
lab_wait 120 answered 'close ECONNRESET'
ok "and then it ends"
check_equal "its lvm too" "" "$(pidof lvm || true)"
exec 6>&-
wait "$client"
check "the map is as it was" test -b "/dev/mapper/${a}_disk-dmcrypt"

begin "volume vg0 $a root 8388608 7
lock
close"
lab_wait 120 answered 'close ok'
kill -KILL "$server"
echo create >&6
lab_wait 120 answered 'create ECONNRESET'
check "who was killed is told of" grep -q 'killed by signal 9' /tmp/sentences
exec 6>&-
wait "$client"
lab_wait 120 bash -c '! pidof lvm'
ok "its lvm is gone with it"

# Told to end again and again while volumes are made: each is there wholly or not at all.
for pause in 0.05 0.1 0.15 0.2 0.3; do
    begin "lock $b"
    for n in 0 1 2 3; do
        printf 'volume vg0 %s eph%d 1048576 7\ncreate\n' "$b" "$n" >&6
    done
    sleep "$pause"
    kill -TERM "$server"
    exec 6>&-
    wait "$client"
    made=$(grep -cx 'create ok' /tmp/answers || true)
    check_equal "after $pause s: what was answered is there" "$made" "$(volumes vg0 | grep -o "$b" | wc -l)"
    talk "and is removed" "
volume vg0 $b eph0 1048576 7
lock
remove
volume vg0 $b eph1 1048576 7
remove
volume vg0 $b eph2 1048576 7
remove
volume vg0 $b eph3 1048576 7
remove" "ok ok ok ok ok"
done
