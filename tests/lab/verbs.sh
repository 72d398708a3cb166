# SPDX-License-Identifier: Apache-2.0
# Every verb on real parts: real guests boot from an image on encrypted disks, keep what they wrote over stop and start,
# and are gone with their keys when deleted.
# lab: -d 3G -m 2G -t 500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image

check "a dry run tells its steps" grep -q 'write image' <(mayfly launch vm --dry-run --image "$image" --root 300M --swap 32M)
nothing_left

check "launch of two" mayfly launch vm --count 2 --shared-key --image "$image" --root 300M --ephemeral 48M \
    --ephemeral 48M,fs=vfat --swap 32M --memory 192M
check_equal "one secret serves both" 1 "$(our_keys | wc -l)"
check_equal "four disks each" 8 "$(our_volumes | wc -l)"
check_equal "list names them" "running running" \
    "$(mayfly list --json | python3 -ISc 'import json,sys; print(*[i["state"] for i in json.load(sys.stdin)["instances"]])')"

ready=$(guest_up vm-1)
echo "$ready"
check "the guest sees its disks by label" grep -q 'vda:root:ext4,vdb:ephemeral0:ext4,vdc:EPHEMERAL1:vfat,vdd:-:swap' \
    <(tr -d '\r' <<<"$ready" | sed 's/ephemeral1/EPHEMERAL1/')
guest_up vm-2 >/dev/null
guest vm-1 'mark FIRST-MARK' marked >/dev/null
guest vm-1 sectors 'done' >/tmp/sectors
check_fails 1 "512-byte writes are right on 4096-byte sectors" grep -q bad /tmp/sectors
check_equal "  on all four disks" 4 "$(grep -c 'sectors vd. ok' /tmp/sectors)"
check_equal "the tag says 4096" 4096 "$(disk_field vm-1 root sector_bytes)"

check_fails 5 "a running instance is not closed" mayfly close vm-1
check "start of a running one changes nothing" grep -q 'was running' <(mayfly start vm-1)
check "stop" mayfly stop vm-1 --timeout 60
check_equal "it is shut off" "shut off" "$(state_of vm-1)"
check_fails 1 "its maps are closed" grep -q "$(basename "$(disk_device vm-1 root)")" <(our_maps)
check_equal "the other runs on" running "$(state_of vm-2)"

check "start" mayfly start vm-1
guest_up vm-1 >/dev/null
check_equal "what it wrote is there, on all disks" 4 "$(guest vm-1 read 'done' | grep -c 'read vd. FIRST-MARK')"

check "stop without waiting" mayfly stop vm-1 --timeout 0 --force
check "open" mayfly open vm-1
check_equal "it is open" open "$(state_of vm-1)"
check "a file system of the guest can be looked at from the host" \
    test "$(blkid -p -o value -s LABEL "$(disk_device vm-1 eph0)")" = ephemeral0
check "recover leaves what a person opened" mayfly recover
check_equal "  open" open "$(state_of vm-1)"
exec 7<"$(disk_device vm-1 eph0)"
check_fails 5 "a disk that someone holds is not closed" mayfly close vm-1
exec 7<&-
check "close" mayfly close vm-1
check "again: nothing to do" grep -q 'was closed' <(mayfly close vm-1)

check_fails 1 "virsh start cannot be used yet without the map, and harms nothing" \
    virsh -q -c qemu:///system start vm-1
check "delete" mayfly delete vm-1
check_equal "the shared secret stays for the other" 1 "$(our_keys | wc -l)"
check_equal "which still has its disks" 4 "$(our_volumes | wc -l)"
check "the other answers" grep -q 'MAYFLY-GUEST done' <(guest vm-2 read 'done')
check_fails 4 "a deleted instance is not found" mayfly start vm-1
check "delete of the last user" mayfly delete vm-2
nothing_left
check "recover has nothing to do" grep -q 'All is in order' <(mayfly recover)
