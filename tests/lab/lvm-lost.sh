# SPDX-License-Identifier: Apache-2.0
# A disk on which each write takes long, and kill -9 of the broker and of lvm at each of LVM's commands: nothing stays suspended
# after recover, no volume is lost, and who reads and writes a disk goes on.
# lab: -d 512M -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
# An offset, since LVM must not find its label on the disk itself, too.
sectors=$(($(blockdev --getsz /dev/ubda) - 2048))
delay() { echo "0 $sectors delay /dev/ubda 2048 0 /dev/ubda 2048 $1"; } # milliseconds a write
slow() {
    delay "$1" | dmsetup load slow
    dmsetup resume slow
}
delay 0 | dmsetup create slow
host_up /dev/mapper/slow
install -d -o mayfly -m 700 /run/files

mayfly launch vm --root 32M --memory 64M --no-start >/dev/null
root=$(disk_lv vm root) map=$(disk_device vm root)
mayfly open vm >/dev/null

suspended() { dmsetup info -c --noheadings -o suspended,name | grep -v ' slow$' | grep -i '^suspended' || true; }
is_suspended() { [ -n "$(suspended)" ]; }
write_map() { timeout 60 dd if=/dev/zero of="$map" bs=4k count=1 oflag=direct conv=notrunc status=none; }
lvm_gone() { ! pidof lvm >/dev/null; }
in_order() {
    slow 0
    lab_wait 300 lvm_gone
    lab_wait 120 recovered
    check_equal "  nothing is suspended" "" "$(suspended)"
    check "  the disk is written to" write_map
}

# No deadline: LVM takes as long as its disk does, and the client waits, telling so.
slow 24000
mayfly resize vm --disk root 40M 2>/tmp/err || fail "$(cat /tmp/err)"
ok "a disk grows although each write takes 24 seconds"
check "  which is told" grep -q 'still waiting' /tmp/err
in_order

# kill VICTIM WHEN COMMAND...: kill -9 once WHEN holds.
kill_at() {
    local victim=$1 when=$2 worker
    shift 2
    slow 3000
    "$@" >/tmp/out 2>&1 &
    worker=$!
    lab_wait 240 "$when" || fail "$*: '$when' never was so"
    kill -KILL "$(pgrep -n -x "$victim")" || fail "$*: $victim had ended by then"
    wait "$worker" || true
}
lvm_works() { pidof lvm >/dev/null; }

for victim in mayfly-broker lvm; do
    size=48M
    [ "$victim" != lvm ] || size=64M
    kill_at "$victim" is_suspended mayfly resize vm --disk root "$size"
    if [ "$victim" = lvm ]; then
        check "kill -9 of lvm while it resizes leaves a volume suspended" is_suspended
        check "  doctor tells" grep -q 'is suspended' <(mayfly doctor 2>&1 || true)
    fi
    in_order
    [ "$victim" != lvm ] || check "  recover has said so" grep -q 'resumed' /tmp/recovered
    kill_at "$victim" is_suspended mayfly snapshot vm "/run/files/$victim.qcow2"
    in_order
    kill_at "$victim" lvm_works mayfly launch "other-$victim" --root 8M --memory 64M --no-start
    in_order
    mayfly delete --yes "other-$victim" >/dev/null 2>&1 || true
    mayfly launch "gone-$victim" --root 8M --memory 64M --no-start >/dev/null
    kill_at "$victim" lvm_works mayfly delete --yes "gone-$victim"
    in_order
    mayfly delete --yes "gone-$victim" >/dev/null 2>&1 || true # cut off before it had begun, perhaps
    check_equal "  $victim: of others nothing is left" 1 "$(our_volumes | wc -l)"
done
check "the volume is what its instance needs" test -b "$root"
mayfly close vm >/dev/null
mayfly delete --yes vm >/dev/null
nothing_left
