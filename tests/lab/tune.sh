# SPDX-License-Identifier: Apache-2.0
# show tells how disks go through dm-crypt, and why; tune gives open maps another table while a guest, and the host, write to
# them: what they wrote is there, no key stays behind, and a table that a cut-off tune left does no harm.
# lab: -d 1G -m 2G -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
crypt=ephemeral_storage_encryption
one() { lab_config $crypt.workqueues=on $crypt.same_cpu=on; }
other() { lab_config $crypt.workqueues=off $crypt.discard=true $crypt.high_priority=on; }

table() { dmsetup table "$(basename "$(disk_device vm "$1")")"; }
told() { # ROLE OPTION FIELD: what show --json tells
    mayfly show vm --json | python3 -ISc '
import json, sys
disks = json.load(sys.stdin)["instance"]["disks"]
print(*[d["table"][sys.argv[2]].get(sys.argv[3], "-") for d in disks if d["role"] == sys.argv[1]])' "$1" "$2" "$3"
}
check_one() { # ROLE
    check "  $1: queues, on the same processor" grep -q ' 4 same_cpu_crypt submit_from_crypt_cpus sector_size' <(table "$1")
}
check_other() {
    check "  $1: discards, no queues" grep -q ' 5 allow_discards no_read_workqueue no_write_workqueue sector_size' <(table "$1")
}

one
mayfly launch vm --image "$image" --root 160M --ephemeral 64M --memory 192M >/dev/null
check_one eph0
guest_up vm >/dev/null
guest vm 'mark KEPT' marked >/dev/null
guest vm 'loop LOAD' looping >/dev/null

other
check_equal "show tells the choice" "off on off" "$(told eph0 workqueues choice) $(told eph0 discard choice) $(told eph0 same_cpu choice)"
check_equal "  what the open disk has" "on off on" \
    "$(told eph0 workqueues open_with) $(told eph0 discard open_with) $(told eph0 same_cpu open_with)"
check_equal "  and why" "as configured" "$(told eph0 workqueues reason)"
check_equal "  what the kernel has not is left out" "off" "$(told eph0 high_priority choice)"
check "  which is the reason" grep -q 'Linux 6.10' <(told eph0 high_priority reason)
check "  to people too" grep -qE '^eph0 +workqueues +off +on +as configured' <(mayfly show vm)

before=$(table root)
check "a dry run tells" grep -q 'tune the map of .*_disk: workqueues off, same_cpu off, discard on' <(mayfly tune vm --dry-run)
check_equal "  and changes nothing" "$before" "$(table root)"
mv /var/lib/mayfly/keys /var/lib/mayfly/away
check_fails 6 "without the key" mayfly tune vm
check_equal "  the table stays" "$before" "$(table root)"
mv /var/lib/mayfly/away /var/lib/mayfly/keys

check "tune, while the guest writes" grep -q 'vm: tuned' <(mayfly tune vm)
check_other root
check_other eph0
check "  again: nothing to do" grep -q 'vm: was up to date' <(mayfly tune --all)
for _ in 1 2; do
    one
    mayfly tune vm >/dev/null
    check_one root
    other
    mayfly tune vm >/dev/null
    check_other root
done
rounds=$(guest vm stop stopped | grep -o '[0-9]*$')
check "the guest wrote on meanwhile ($rounds rounds)" test "$rounds" -gt 0
check_equal "  and finds what it wrote" 2 "$(guest vm read 'done' | grep -c 'read vd. KEPT')"
check_fails 1 "no key in the ring" grep -q mayfly: /proc/keys

map=$(basename "$(disk_device vm eph0)")
dmsetup reload "$map" --table "0 $(blockdev --getsz "/dev/mapper/$map") zero" # as one that was cut off, and worse
one
check "a table that was loaded and not taken gives way" mayfly tune vm
check_one eph0
check_fails 1 "  and is gone" grep -q 'LIVE & INACTIVE\|INACTIVE' <(dmsetup info "$map" | grep Tables)
dmsetup reload "$map" --table "0 $(blockdev --getsz "/dev/mapper/$map") zero"
mayfly stop vm --timeout 0 --force >/dev/null
check_equal "or goes with the map" "" "$(our_maps)"
check "tune of what is not open" grep -q 'vm: was up to date' <(mayfly tune vm)

mayfly open vm >/dev/null
device=$(disk_device vm eph0)
head -c 48M /dev/urandom >/tmp/data
dd if=/tmp/data of="$device" bs=16k oflag=direct status=none &
other
check "tune, while the host writes" grep -q 'vm: tuned' <(mayfly tune --all)
one
check "  and back" grep -q 'vm: tuned' <(mayfly tune --all)
wait $!
check "  all is there" cmp <(dd if="$device" bs=1M count=48 iflag=direct status=none) /tmp/data
check "  also for the first table after it" sh -c "mayfly close vm && mayfly open vm && cmp -n 50331648 $device /tmp/data"
mayfly close vm >/dev/null
mayfly delete --yes vm >/dev/null
nothing_left

lab_config key_manager.backend=ephemeral
mayfly launch e --root 16M --memory 64M >/dev/null
check "one whose key is in the kernel alone is in tune" grep -q 'e: was up to date' <(mayfly tune e)
lab_config key_manager.backend=ephemeral $crypt.discard=true
world_changed
refused 1 'ephemeral' "  and stays with its table" mayfly tune e
mayfly delete --yes e >/dev/null
nothing_left
