# SPDX-License-Identifier: Apache-2.0
# lab/run: the exit status, what is told on stderr, the environment, the RAM.
# host: -t 2160
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
lab=("$SRC/lab/run" -j "$job/job")

# ends STATUS SAYS WHAT OPTION...: SAYS is a pattern for stderr, or empty: nothing is said.
ends() {
    local wanted=$1 says=$2 what=$3 status=0
    shift 3
    "${lab[@]}" "$@" >"$job/out" 2>"$job/err" || status=$?
    check_equal "$what" "$wanted" "$status"
    if [ -z "$says" ]; then
        check_fails 1 "  and the lab itself says nothing" grep '^lab:' "$job/err"
    else
        check "  and it is said: $says" grep -q "^lab: .*$says" "$job/err"
    fi
}

ends 0 "" "success" -- true
ends 7 "" "a failed command" -- sh -c 'echo to out; echo to err >&2; exit 7'
check_equal "stdout is stdout" "to out" "$(cat "$job/out")"
check_equal "stderr is stderr" "to err" "$(cat "$job/err")"
ends 127 "" "no such command" -- no-such-command
ends 143 "" "a command killed by a signal" -- sh -c 'kill $$'
for status in 99 124 125; do
    ends $status "" "a command's own $status" -- sh -c "exit $status"
done
ends 124 "time-out" "a time-out" -t 2.5 -- sleep 60
suspended='export DM_DISABLE_UDEV=1; dmsetup create held --table "0 65536 linear /dev/ubda 0" && mke2fs -q /dev/mapper/held && mount /dev/mapper/held /mnt &&
    dd if=/dev/zero of=/mnt/zeros bs=64k count=1 2>/dev/null && dmsetup suspend --noflush --nolockfs held'
ends 124 "time-out.*while it syncs" "a device that does not answer in the end" -t 10 -d 32M -- sh -c "$suspended"
check "  with what waits for the device" grep -q "^lab: .*task:.*state:D" "$job/err"
ends 125 "the kernel died" "a crash" -- sh -c 'echo c >/proc/sysrq-trigger'
check "  with the console's tail" grep -q "sysrq triggered crash" "$job/err"
ends 125 "the kernel died" "a reboot" -- busybox reboot -f
ends 125 "the kernel died" "a kernel that does not come up" -k init=/no/such/init -- true
ends 125 "no such file" "a disk that is not there" -d "$job/none" -- true
ends 125 "no command" "no command"

rm -f "$job/job/seen"
"${lab[@]}" -- sh -c 'echo early; until [ -e "$LAB_JOB/seen" ]; do sleep 0.1; done' >"$job/out" &
pid=$!
check "output is seen while the command runs" lab_wait 120 grep -q early "$job/out"
check "  the command still runs" kill -0 "$pid"
touch "$job/job/seen"
wait "$pid"

cd "$job" || exit
check_equal "quoting and the working directory are kept" "$job a  b|\$c'" \
    "$("$SRC/lab/run" -- sh -c 'echo "$PWD $1|$2"' sh 'a  b' "\$c'")"
check_equal "the environment is the lab's" "/root C.UTF-8 " \
    "$(SECRET=1 "$SRC/lab/run" -- sh -c 'echo "$HOME $LC_ALL ${SECRET-}"')"
check_equal "root, a fresh /tmp, a root that forgets" "0 yes" \
    "$("$SRC/lab/run" -- sh -c 'echo "$(id -u) $(touch /etc/lab-was-here && echo yes)"')"
check_fails 1 "  and forgot" test -e /etc/lab-was-here
mkdir "$job/shown" && echo seen >"$job/shown/file"
cd / || exit
check_fails 2 "a folder below /tmp is hidden" "$SRC/lab/run" -- ls "$job/shown"
check_equal "  but for -s, which shows it" seen "$("$SRC/lab/run" -s "$job/shown" -- cat "$job/shown/file")"
check_fails 1 "  read-only" "$SRC/lab/run" -s "$job/shown" -- touch "$job/shown/more"
mkdir "$job/lab" && sed 's/^KERNEL = .*/KERNEL = "no-such-kernel"/' "$SRC/lab/run" >"$job/lab/run"
check_fails 125 "a machine without the kernel" /usr/bin/python3 -IS "$job/lab/run" -- true 2>"$job/err"
check "  is told the package" grep -q "package user-mode-linux" "$job/err"
check "a size makes a disk" "$SRC/lab/run" -d 300M -- \
    sh -c 'test "$(blockdev --getsize64 /dev/ubda)" = 314572800'
check "modules" "$SRC/lab/run" -- sh -c 'for m in dm-crypt dm-snapshot dm-flakey dm-log-writes \
    dm-thin-pool loop nbd; do modprobe $m || exit 1; done'

if [ "$(id -u)" = 0 ]; then
    chmod 755 "$job"
    cp -r "$SRC/lab" "$job/own" # the checkout may lie where only root can go
    check_equal "an ordinary user has a lab, too" "0 254" "$(TMPDIR=/tmp setpriv --reuid 65534 \
        --regid 65534 --clear-groups "$job/own/run" -d 32M -- sh -c '
        pvcreate -q /dev/ubda && vgcreate -q vg0 /dev/ubda && lvcreate -qyZn -n a -L 8M vg0
        echo "$(id -u) $((0x$(stat -Lc %t /dev/vg0/a)))"' | tail -1)"
fi

# A string in the lab's RAM: written there from its complement, so that it is nowhere else.
rm -f "$job/job/up"
"${lab[@]}" -- sh -c 'tr A-Z N-ZA-M <<END >/tmp/here
ZNLSYL-ENZ-FRNEPU
END
    touch "$LAB_JOB/up"; sleep 60' &
pid=$!
lab_wait 120 test -e "$job/job/up"
found=$(for word in MAYFLY-RAM-SEARCH MAYFLY-MAR-SEARCH; do
    printf %s "$word" | xxd -p
done | "$SRC/lab/ram-search" "$job/job" | xargs)
kill -TERM "$pid"
check "the RAM can be searched ($found)" test "${found% *}" -gt 0
check_equal "  and is not all the same" 0 "${found#* }"
wait "$pid" || true
