# SPDX-License-Identifier: Apache-2.0
# Absence is no evidence: volume groups and physical volumes that are not there, not whole, or not what they were. See
# lib-absence.sh.
# lab: -d 256M -d 64M -d 128M -d 256M -m 1G -t 1200
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/tests/lab/lib-absence.sh"
host_up /dev/ubda
lab_vg vg1 /dev/ubdc

vgextend -q vg0 /dev/ubdb >/dev/null
mayfly launch one --root 16M --memory 64M --no-start >/dev/null
vgcfgbackup -q -f /tmp/older vg0 >/dev/null
mayfly launch pair --count 2 --shared-key --root 16M --memory 64M --no-start >/dev/null
mayfly launch away --root 16M --memory 64M --no-start >/dev/null
mayfly launch last --count 1 --shared-key --root 4M --memory 64M --no-start >/dev/null

# /dev/ubda has one and pair-1, /dev/ubdb has pair-2 and away.
moved() { # LV: somebody makes it anew on the other disk
    local lv=$1 all
    mapfile -t all < <(tags "$lv" | sed 's/^/--addtag\n/')
    lvremove -q -y "${lv#/dev/}" >/dev/null
    lvcreate -q -Zn -Wn -y -n "${lv##*/}" -L 16M "${all[@]}" vg0 /dev/ubdb >/dev/null
}
second=$(disk_lv pair-2 root) away=$(disk_lv away root)
moved "$second"
moved "$away"
mapfile -t all < <(for name in one pair-1 away last-1; do disk_field "$name" root key; done)
remember "${all[@]}"
head_of() { dd if="$1" bs=1M count=1 iflag=direct status=none; }
put_head() { dd of="$1" bs=1M count=1 iflag=fullblock oflag=direct conv=fsync status=none; }
inactive() {
    vgchange -q -an vg0 >/dev/null
    rm -rf /dev/vg0 # stays without udev
}

# --- hidden
option '[libvirt]' 'images_volume_group = vg1'
tried "another group in the configuration" 'vg0 cannot be found' one
rm /etc/mayfly/mayfly.conf.d/absence.conf
lvm_setting 'devices { filter = [ "r|.*/ubd[ab]|", "a|.*|" ] }'
tried "a filter" 'vg0 cannot be found' one
lvm_setting 'devices { filter = [ "r|.*/ubdb|", "a|.*|" ] }'
tried "a filter for one physical volume" 'lacks a physical volume' one last-1
lvm_setting 'devices { filter = [ "r|.*/ubda|", "a|.*|" ] }'
tried "  and for the other" 'lacks a physical volume' away last-1
mkdir -p /etc/lvm/devices
printf '%s\n' VERSION=1.1.1 "IDTYPE=devname IDNAME=/dev/ubdc DEVNAME=/dev/ubdc PVID=." >/etc/lvm/devices/absence.devices
lvm_setting 'devices { use_devicesfile = 1 devicesfile = "absence.devices" }'
tried "a file of devices without its own" 'vg0 cannot be found' one
rm /etc/lvm/lvmlocal.conf
mended
vgchange -q -an vg0 >/dev/null
vgexport -q vg0 >/dev/null
tried "exported" 'exported' one
vgimport -q vg0 >/dev/null
head_of /dev/ubda >/tmp/head-a
head_of /dev/ubdb >/tmp/head-b
put_heads() {
    put_head /dev/ubda </tmp/head-a
    put_head /dev/ubdb </tmp/head-b
}
vgchange -q -y --systemid somebody vg0 >/dev/null
tried "of another system" 'system ID somebody' one
put_heads
mended

# --- damaged
{ head -c 8K /dev/zero; tail -c +8193 /tmp/head-b; } | put_head /dev/ubdb
tried "no label on a physical volume" 'lacks a physical volume' one last-1
{ head -c 8K /dev/zero; tail -c +8193 /tmp/head-a; } | put_head /dev/ubda
tried "  nor on the other" 'vg0 cannot be found' one
for disk in a b; do
    { head -c 4608 /tmp/head-$disk; repeat garbage 900K; } | head -c 1M | put_head /dev/ubd$disk
done
tried "unreadable metadata" 'vg0' one
put_heads
mended

# --- twice
put_head /dev/ubdd </tmp/head-a
tried "a copy of a physical volume" 'needs it' one last-1
head -c 1M /dev/zero | put_head /dev/ubdd
mended
inactive
hidden='devices { filter = [ "r|.*/ubd[ab]|", "a|.*|" ] }'
id=$(vgs --noheadings -o vg_uuid vg1 | tr -d ' ')
vgrename -q --config "$hidden" vg1 vg0 >/dev/null
tried "two groups of one name" 'vg0' one
lvm_setting "$hidden"
tried "another group in its place" 'none of its volumes' one
rm /etc/lvm/lvmlocal.conf
rm -rf /dev/vg0
vgrename -q "$id" vg1 >/dev/null
mended

# --- changed
inactive
vgrename -q vg0 vg2 >/dev/null
tried "another name" 'vg0 cannot be found' one
vgrename -q vg2 vg0 >/dev/null
mended
inactive
vgsplit -q vg0 vg2 /dev/ubdb >/dev/null
tried "split: volumes in another group" 'none of its volumes' pair-1
for name in pair-2 away; do
    virsh dumpxml --inactive --security-info $name >/tmp/$name.xml
    virsh undefine $name >/dev/null
done
vgchange -q -ay vg2 >/dev/null
tried "  and their domains undefined" 'of a group that is not configured' pair-1
vgchange -q -an vg2 >/dev/null
rm -rf /dev/vg2
for name in pair-2 away; do virsh define /tmp/$name.xml >/dev/null; done
vgmerge -q vg0 vg2 >/dev/null
inactive
vgsplit -q vg0 vg2 /dev/ubda >/dev/null
tried "  and the other half" 'none of its volumes' pair-2
vgmerge -q vg0 vg2 >/dev/null
mended
inactive
vgcfgbackup -q -f /tmp/now vg0 >/dev/null
vgcfgrestore -q -y -f /tmp/older vg0 >/dev/null
tried "metadata of before" 'none of its volumes'
vgcfgrestore -q -y -f /tmp/now vg0 >/dev/null
mended

# --- all is as it was
check "recover has nothing to do" mayfly recover
check "one opens" mayfly open one
check "and closes" mayfly close one
ok "$n_ways ways"
check "all go" mayfly delete --yes one pair-1 pair-2 away last-1
nothing_left
