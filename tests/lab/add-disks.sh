# SPDX-License-Identifier: Apache-2.0
# A domain that others have defined gets its disks from mayfly add-disks, boots from them, and stays theirs when they are
# deleted; one more disk comes and goes, in a running guest and in one that is shut off.
# lab: -d 1G -m 2G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }
our_disks() { # NAME [--inactive]: those of ours that libvirt gives it
    virsh dumpxml "$@" | grep -o "dev='/dev/mapper/[^']*-dmcrypt'" || true
}
count_disks() { our_disks "$@" | wc -l; }
web_uuid=$(cat /proc/sys/kernel/random/uuid)

virsh define /dev/stdin <<END
<domain type='qemu'><name>web</name><uuid>$web_uuid</uuid><memory unit='MiB'>192</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><serial type='pty'/></devices></domain>
END
virsh dumpxml --inactive web >/tmp/before.xml
refused 4 'no such domain' "a domain that is not there" mayfly add-disks nobody --root 16M
check "add-disks for a domain of someone else" mayfly add-disks web --image "$image" --root 160M --swap 16M
check_equal "  its definition has both disks" 2 "$(count_disks web --inactive)"
check_fails 1 "  and no mark of ours" grep -q urn:mayfly <(virsh dumpxml --inactive web)
check_equal "  which are closed" "" "$(our_maps)"
check_equal "  list shows it as any" "web shut off" "$(mayfly list --json | python3 -ISc '
import json, sys
print(*[i["name"] + " " + i["state"] for i in json.load(sys.stdin)["instances"]])')"
world_changed
refused 5 'has other Mayfly disks' "add-disks once more" mayfly add-disks web --root 16M

check "virsh start opens them" virsh start web
check "  the guest boots from the image" grep -q 'vda:root:ext4,vdb:-:swap' <(guest_up web)
check "add-disk, while it runs" mayfly add-disk web --ephemeral 48M
check_equal "  both sides have it" "3 3" "$(count_disks web) $(count_disks web --inactive)"
sees() { guest web 'write vdc 20971520 HOT-MARK' "(written|error).*" | grep -q 'written vdc'; }
check "  and the guest writes to it" lab_wait 60 sees
world_changed
refused 8 'others have defined it' "delete while it runs" mayfly delete --yes web
check "stop" mayfly stop web --timeout 0 --force
check_equal "  has closed all three" "" "$(our_maps)"
check "virsh start" virsh start web
check "  the guest has the new disk again" grep -q 'vdc:ephemeral0:ext4' <(guest_up web)
check "  with what it wrote" grep -q HOT-MARK <(guest web 'dump vdc 20971520 16' 'dumped vdc')
key=$(our_keys)
check "remove-disk, while it runs" mayfly remove-disk --yes web eph0
check "  the guest has it no more" grep -q 'error no disk' <(guest web 'dump vdc 0 16' "(dumped|error).*")
check_equal "  nor has its definition" "2 2" "$(count_disks web) $(count_disks web --inactive)"
check_equal "  nor LVM" 2 "$(our_volumes | wc -l)"
check_equal "  and it is closed" 2 "$(our_maps | wc -l)"
check_equal "  the key is that of the other disks" "$key" "$(our_keys)"
world_changed
refused 4 'has no disk eph0' "again: it is not there" mayfly remove-disk --yes web eph0

check "stop" mayfly stop web --timeout 0 --force
check "add-disk, while it is shut off" mayfly add-disk web --ephemeral 24M,fs=vfat --json
check_equal "  its definition has it, and it is closed" "3 " "$(count_disks web --inactive) $(our_maps)"
mayfly open web >/dev/null
check_equal "  it is formatted" vfat "$(blkid -p -o value -s TYPE "$(disk_device web eph0)")"
exec 7<"$(disk_device web eph0)"
world_changed
refused 5 'its disk eph0 .*is in use on this host' "remove-disk of what someone holds" mayfly remove-disk --yes web eph0
exec 7<&-
mayfly close web >/dev/null
world_changed
refused 1 'is not an ephemeral disk' "remove-disk of the root disk" mayfly remove-disk --yes web root
check "remove-disk, while it is shut off" mayfly remove-disk --yes web eph0
check_equal "  its definition has it no more" 2 "$(count_disks web --inactive)"
check "delete" mayfly delete --yes web
virsh dumpxml --inactive web >/tmp/after.xml
check "  leaves the domain as it was" diff <(grep -v "<controller\|<address\|</controller" /tmp/before.xml) \
    <(grep -v "<controller\|<address\|</controller" /tmp/after.xml)
virsh undefine web
nothing_left

# For a program: the disks first, then the domain, which gets their devices from whoever defines it.
uuid=$(cat /proc/sys/kernel/random/uuid)
named() { # NAME FIELD: what --json tells of the disk with this name of ours
    mayfly show "$uuid" --json | python3 -ISc '
import json, sys
print(*[d[sys.argv[2]] for d in json.load(sys.stdin)["instance"]["disks"] if d.get("name") == sys.argv[1]])' "$@"
}
add_apart() {
    mayfly add-disks --uuid "$uuid" --image "$image" --root 160M,name=disk --ephemeral 24M,fs=vfat,name=disk.eph0 --json |
        python3 -ISc 'import json, sys; d = json.load(sys.stdin); print(d["changed"], len(d["instances"][0]["disks"]))'
}
check_equal "add-disks for a UUID without a domain" "True 2" "$(add_apart)"
check_equal "  said again it changes nothing" "False 2" "$(add_apart)"
check_equal "  the instance has no domain" "no domain" "$(state_of "$uuid")"
check "open" mayfly open "$uuid"
check_equal "  the disk with that name is formatted" vfat "$(blkid -p -o value -s TYPE "$(named disk.eph0 device)")"
check "close" mayfly close "$uuid"
check "resize by that name" mayfly resize "$uuid" 48M --disk disk.eph0
check_equal "  it has grown" $((48 << 20)) "$(named disk.eph0 size_bytes)"
check "recover leaves it alone" grep -q 'All is in order' <(mayfly recover)
virsh define /dev/stdin <<END
<domain type='qemu'><name>apart</name><uuid>$uuid</uuid><memory unit='MiB'>192</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><serial type='pty'/><disk type='block' device='disk'><driver name='qemu' type='raw' cache='none'/>
<source dev='$(named disk device)'/><target dev='vda' bus='virtio'/></disk></devices></domain>
END
check "the domain comes later, and its start opens them" virsh start apart
check "  the guest boots" grep -q 'vda:root:ext4' <(guest_up apart)
check "virsh destroy" virsh destroy apart
check_equal "  closes them" "" "$(our_maps)"
check "delete" mayfly delete --yes "$uuid"
check "  leaves the domain" virsh undefine apart
nothing_left

# No system runs in it that could let go of a disk.
check "launch from the built-in template" mayfly launch vm --root 16M --memory 64M
check "add-disk to it while it runs" mayfly add-disk vm --ephemeral 16M
world_changed
refused 5 'has not let go' "remove-disk from a guest that does not obey" mayfly remove-disk --yes vm eph0 --timeout 1
check_equal "  both sides still have it" "2 2" "$(count_disks vm) $(count_disks vm --inactive)"
check "stop" mayfly stop vm --timeout 0 --force
check "remove-disk" mayfly remove-disk --yes vm eph0
check "delete" mayfly delete --yes vm
nothing_left
check "recover has nothing to do" grep -q 'All is in order' <(mayfly recover)
