# SPDX-License-Identifier: Apache-2.0
# Every verb on real parts: real guests boot from an image on encrypted disks, keep what they wrote over stop and start,
# and are gone with their keys when deleted.
# lab: -d 3G -m 2G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image

check "a dry run tells its steps" grep -q 'write image' <(mayfly launch vm --dry-run --image "$image" --root 300M --swap 32M)
nothing_left

check "launch of two" mayfly --progress-fd 5 launch vm --count 2 --shared-key --image "$image" --root 300M \
    --ephemeral 48M --ephemeral 48M,fs=vfat --swap 32M --memory 192M 5>/tmp/progress
# shellcheck disable=SC2016 # awk's own
check "progress is told, never goes back, and ends at all of both images" awk '
    /^progress/ { if ($2 < done || $3 != 2 * 134217728) bad = 1; done = $2 }
    END { exit !(done == 2 * 134217728 && !bad) }' /tmp/progress
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
check "open to look" mayfly open vm-1 --read-only
read_only() { blockdev --getro "$(disk_device vm-1 root)" "$(disk_device vm-1 eph0)" | xargs; }
check_equal "  nothing can be written" "1 1" "$(read_only)"
check_fails 1 "  not even by root" dd if=/dev/zero of="$(disk_device vm-1 root)" bs=4096 count=1 conv=notrunc oflag=direct status=none
check "a larger one" mayfly resize vm-1 60M --disk eph0
check_equal "  is read-only still" "1 1" "$(read_only)"
check "virsh start opens them anew" virsh -q -c qemu:///system start vm-1
check_equal "  for writing" "0 0" "$(read_only)"
check "stop" mayfly stop vm-1 --timeout 0 --force
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

check "virsh start opens the disks" virsh -q -c qemu:///system start vm-1
guest_up vm-1 >/dev/null
check "  what the guest wrote is there" grep -q 'read vda FIRST-MARK' <(guest vm-1 read 'done')
check "virsh destroy" virsh -q -c qemu:///system destroy vm-1
check_fails 1 "  closes them" grep -q "$(basename "$(disk_device vm-1 root)")" <(our_maps)
check "delete" mayfly delete --yes vm-1
check_equal "the shared secret stays for the other" 1 "$(our_keys | wc -l)"
check_equal "which still has its disks" 4 "$(our_volumes | wc -l)"
check "the other answers" grep -q 'MAYFLY-GUEST done' <(guest vm-2 read 'done')
check_fails 4 "a deleted instance is not found" mayfly start vm-1
check "delete of the last user" mayfly delete --yes vm-2
nothing_left
check "an xfs disk" mayfly launch x --ephemeral 320M,fs=xfs --no-start
mayfly open x >/dev/null
mkdir /tmp/xfs
check "  can be mounted, and read back after it was closed" mount "$(disk_device x eph0)" /tmp/xfs
echo kept >/tmp/xfs/file
umount /tmp/xfs
mayfly close x >/dev/null
mayfly open x >/dev/null
mount -o ro "$(disk_device x eph0)" /tmp/xfs
check_equal "  with what was written" kept "$(cat /tmp/xfs/file)"
umount /tmp/xfs
mayfly close x >/dev/null
mayfly delete --yes x >/dev/null

cat >/tmp/mine.xml <<'END'
<domain type='qemu'>
  <name>whatever</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <description>of my own making</description>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <controller type='sata' index='0'/>
    <serial type='pty'/>
  </devices>
</domain>
END
mayfly launch own --root 16M --swap 16M --vcpus 2 --no-start --domain-xml /tmp/mine.xml --json >/tmp/launched.json
check "launch prints JSON" python3 -ISc '
import json, sys
d = json.load(open("/tmp/launched.json"))
assert d["version"] == 1 and [i["name"] for i in d["instances"]] == ["own"]'
virsh -q -c qemu:///system dumpxml own >/tmp/own.xml
check "a domain of the operator's own making has the rest as it was" grep -q 'of my own making' /tmp/own.xml
check "  our disks" test "$(grep -c 'dev=./dev/mapper/.*-dmcrypt' /tmp/own.xml)" = 2
check "  and what was asked for" grep -q '<vcpu[^>]*>2</vcpu>' /tmp/own.xml
mayfly delete --yes own >/dev/null
check "recover prints JSON" python3 -ISc 'import json, sys; assert json.load(sys.stdin)["results"] == []' \
    < <(mayfly recover --json)
check "recover has nothing to do" grep -q 'All is in order' <(mayfly recover)
