# SPDX-License-Identifier: Apache-2.0
# reboot, resize, rebuild: what the guest wrote stays, and it sees its disk grow; then other disks take the place of its own,
# also where their key is lost.
# lab: -d 2G -m 2G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
kept() { test "$(guest vm read 'done' | grep -c 'read vd. KEPT')" = 2; }

mayfly launch vm --image "$image" --root 160M --ephemeral 16M --memory 192M >/dev/null
guest_up vm >/dev/null
guest vm 'mark KEPT' marked >/dev/null
end=$(disk_field vm eph0 size_bytes)
check "the guest cannot write behind its disk" grep -q error <(guest vm "write vdb $end BEHIND" '(error|written)')

check "dry run of resize" grep -q 'make the map' <(mayfly resize vm --disk eph0 48M --dry-run)
check "resize of a running one" grep -q 'has grown' <(mayfly resize vm --disk eph0 48M)
check "  the guest sees it" grep -q written <(guest vm "write vdb $end BEHIND" '(error|written)')
check "  again: nothing to do" grep -q 'had that size' <(mayfly resize vm --disk eph0 48M)
refused 8 'cannot be made smaller' "what is smaller is refused" mayfly resize vm --disk eph0 32M
refused 4 'no disk swap' "a disk that it has not" mayfly resize vm --disk swap 32M

check "reboot" mayfly reboot vm
guest_up vm >/dev/null
check "  what it wrote is there" kept
mv /var/lib/mayfly/keys /var/lib/mayfly/away
check_fails 6 "a hard reboot without the key" mayfly reboot vm --hard
check_equal "  leaves it running" running "$(state_of vm)"
mv /var/lib/mayfly/away /var/lib/mayfly/keys
check "hard reboot" mayfly reboot vm --hard
guest_up vm >/dev/null
check "  what it wrote is there" kept
check "  also behind the old end" grep -q BEHIND <(guest vm "dump vdb $end 16" dumped)

mayfly stop vm --timeout 0 --force >/dev/null
world_changed
refused 1 'does not run' "one that does not run is not told to reboot" mayfly reboot vm
check "resize of a stopped one" mayfly resize vm --disk eph0 64M
mayfly open vm >/dev/null
device=$(disk_device vm eph0)
check_equal "  it opens as large" $((64 << 20)) "$(blockdev --getsize64 "$device")"
lvextend -q -L 80M "$(disk_lv vm eph0)" >/dev/null
check_equal "a resize that was cut off has a map that is too short" $((64 << 20)) "$(blockdev --getsize64 "$device")"
check "  the next one makes it longer" grep -q 'has grown' <(mayfly resize vm --disk eph0 80M)
check_equal "  while it is open" $((80 << 20)) "$(blockdev --getsize64 "$device")"
check "  with all that is on it" cmp <(dd if="$device" bs=1 skip="$end" count=6 status=none) <(printf BEHIND)
check_fails 1 "  and no key in the ring" grep -q mayfly: /proc/keys
mayfly close vm >/dev/null

old=$(our_keys) disk=$(disk_field vm root uuid)
check "dry run of rebuild" grep -q 'destroy the key' <(mayfly rebuild vm --image "$image" --dry-run)
world_changed
refused 4 'nowhere' "an image that is not there costs nothing" mayfly rebuild --yes vm --image /nowhere
check "rebuild" mayfly rebuild --yes vm --image "$image"
check_equal "  it stays shut off" "shut off" "$(state_of vm)"
check_fails 1 "  its old key is gone" grep -qF "$old" <(our_keys)
check_equal "  it has one key" 1 "$(our_keys | wc -l)"
check_fails 1 "  and other disks" test "$disk" = "$(disk_field vm root uuid)"
check_equal "  of the same size" $((80 << 20)) "$(disk_field vm eph0 size_bytes)"
check "start" mayfly start vm
check "  the guest finds what launch makes" grep -q 'vda:root:ext4,vdb:ephemeral0:ext4' <(guest_up vm)
check_equal "  and nothing of what it wrote" 2 "$(guest vm read 'done' | grep -c 'read vd. none')"
check "delete" mayfly delete --yes vm
nothing_left

lab_config key_manager.backend=ephemeral
mayfly launch e --root 16M --ephemeral 16M --memory 64M >/dev/null
world_changed
refused 1 'ephemeral' "a disk whose key is in the kernel alone does not grow" mayfly resize e --disk root 32M
mayfly stop e --timeout 0 --force >/dev/null
mayfly close e --yes >/dev/null
check_fails 7 "as after a reboot of the host, its key is gone" mayfly start e
lab_config
check "rebuild gives it one that is kept" mayfly rebuild --yes --empty e
check_equal "  in the key manager of now" 1 "$(our_keys | wc -l)"
check "start" mayfly start e
check "recover finds all in order" grep -q 'All is in order' <(mayfly recover)
mayfly delete --yes e >/dev/null
nothing_left
