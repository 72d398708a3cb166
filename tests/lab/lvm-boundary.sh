# SPDX-License-Identifier: Apache-2.0
# Where LVM's world touches ours: what an administrator sets in lvm.conf, other volume groups and their locks, volumes with
# names like ours, and what others make of our volumes: snapshots, caches, mirrors.
# lab: -d 512M -d 100M -d 200M -m 1G -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda libvirt.images_volume_group=vg0,vg2
lab_vg vg1 /dev/ubdb # nobody's of ours
export DM_DISABLE_UDEV=1 # for the LVM commands of others, below

mayfly launch vm --root 16M --ephemeral 16M --ephemeral 8M --memory 64M --no-start >/dev/null
mayfly launch pair --count 2 --shared-key --root 8M --memory 64M --no-start >/dev/null
uuid=$(virsh -q -c qemu:///system domuuid vm | tr -d ' \n')
root=${uuid}_disk eph0=${uuid}_disk.eph0
for volume in $(our_volumes); do lvchange -q --addtag backup "vg0/$volume" >/dev/null; done # sorts before ours
before=$(mayfly list --json)
keys=$(our_keys)

# --- settings
settings=(
    'report { list_item_separator = " " prefixes = 1 quoted = 0 }
     log { prefix = "x: " indent = 1 command_names = 1 verbose = 3 silent = 1 level = 7 }'
    'report { list_item_separator = ";" quoted = 0 aligned = 0 buffered = 0 headings = 0 separator = "|" }
     global { units = "H" suffix = 1 si_unit_consistency = 0 }'
    'report { prefixes = 1 columns_as_rows = 1 lvs_sort = "-lv_tags" vgs_sort = "-vg_name"
         compact_output = 1 compact_output_cols = "lv_tags,origin" lvs_cols = "lv_name" vgs_cols = "vg_name" }
     log { report_command_log = 0 command_log_cols = "log_message" command_log_selection = "log_type=error" }'
    'report { output_format = "basic" binary_values_as_numeric = 1 mark_hidden_devices = 0 }'
)
for setting in "${settings[@]}"; do
    echo "$setting" >/etc/lvm/lvmlocal.conf
    check_equal "$setting: list" "$before" "$(mayfly list --json)"
    check "  recover" grep -q 'All is in order' <(mayfly recover)
    check_fails 4 "  an error is one" mayfly show nosuch 2>/dev/null
done
check_equal "with none of them a key is destroyed" "$keys" "$(our_keys)"
echo "${settings[0]}" >/etc/lvm/lvmlocal.conf
check "with one of them a launch" mayfly launch other --root 8M --memory 64M --no-start
check "  and a delete" mayfly delete --yes other
rm /etc/lvm/lvmlocal.conf

# --- groups
exec 7>/run/lock/lvm/V_vg1
flock 7
check_equal "a group of others is locked: list" "$before" "$(timeout 60 mayfly list --json)"
check "  open" timeout 60 mayfly open vm
check "  close" timeout 60 mayfly close vm
exec 7>&-
check "one of ours that does not exist is told" grep -q 'volume group vg2.*does not exist' <(mayfly doctor || true)

# --- names that only begin like ours
lvcreate -q -y -Zn -Wn -n "${uuid}_disk_backup" -L 4M vg0 >/dev/null
lvcreate -q -y -Zn -Wn -n "${uuid}_disk-old" -L 4M vg0 >/dev/null
lvcreate -q -y -Zn -Wn -n "${uuid}_disk.eph0-$(printf 'x%.0s' $(seq 60))" -L 4M vg0 >/dev/null
check "volumes named after ours keep nobody from opening" mayfly open vm
mayfly close vm >/dev/null
check_equal "  nor are they listed" "$before" "$(mayfly list --json)"
lvremove -q -y "vg0/${uuid}_disk_backup" "vg0/${uuid}_disk-old" >/dev/null

# --- dmeventd
install -d -o mayfly -m 700 /run/files
check "an export of ours" mayfly export vm /run/files/vm.qcow2
check_equal "  starts no dmeventd" "" "$(pidof dmeventd || true)"

# --- what depends on our volumes
left() { lvs --noheadings -o lv_name vg0 | tr -d ' ' | grep -cx "$1"; }
held_back() { # WHAT PATTERN: nothing takes it along
    world_changed
    refused 8 "$2" "$1: delete" mayfly delete --yes vm
}
lvcreate -q -s -n backup-of-eph0 -L 8M "vg0/$eph0" >/dev/null
held_back "a snapshot of others" 'snapshot vg0/backup-of-eph0 depends on it'
refused 8 'snapshot vg0/backup-of-eph0' "  rebuild" mayfly rebuild --yes --empty vm
refused 8 'snapshot vg0/backup-of-eph0' "  remove-disk" mayfly remove-disk --yes vm eph0
check "  another disk can be removed" mayfly remove-disk --yes vm eph1
check_equal "  it is there" 1 "$(left backup-of-eph0)"
mkdir -p /run/held
exec 7</dev/vg0/backup-of-eph0
held_back "one that is held open" 'backup-of-eph0'
exec 7<&-
lvremove -q -y vg0/backup-of-eph0 >/dev/null
lvcreate -q -s -n "${uuid}_disk_backup" -L 8M "vg0/$root" >/dev/null
held_back "one with the name that backup scripts give" "${uuid}_disk_backup depends on it"
lvremove -q -y "vg0/${uuid}_disk_backup" >/dev/null

vgextend -q vg0 /dev/ubdc >/dev/null
if lvconvert -q -y --type mirror -m1 --mirrorlog core "vg0/$eph0" /dev/ubdc >/dev/null 2>&1; then
    held_back "a mirror leg" 'layout'
    lvconvert -q -y -m0 "vg0/$eph0" /dev/ubdc >/dev/null
fi
lvcreate -q -y -Zn -Wn -n fast -L 16M vg0 /dev/ubdc >/dev/null
if lvconvert -q -y --type writecache --cachevol fast "vg0/$eph0" >/dev/null 2>&1; then
    held_back "a cache" 'has a cache'
    lvconvert -q -y --splitcache "vg0/$eph0" >/dev/null
fi
lvcreate -q -y -n pool --type thin-pool -L 16M --poolmetadatasize 4M -Zn vg0 >/dev/null 2>&1 || true
if lvchange -q -an "vg0/$eph0" && lvchange -q -pr "vg0/$eph0" &&
    lvcreate -q -y -s -n thin --thinpool vg0/pool "vg0/$eph0" >/dev/null 2>&1; then
    held_back "a thin volume whose external origin is ours" 'thin depends on it'
    lvremove -q -y vg0/thin >/dev/null
fi
lvchange -q -prw "vg0/$eph0" || true
world_changed
check "without them it is deleted" mayfly delete --yes vm
check_equal "  whole" 0 "$(our_volumes | grep -c "$uuid" || true)"

# --- what lies in plaintext is overwritten
lab_config libvirt.images_volume_group=vg0,vg2 libvirt.volume_clear=zero ephemeral_storage_encryption.enabled=false
mayfly launch bare --root 16M --memory 64M --no-start >/dev/null
lv=$(our_volumes | grep -v -f <(virsh -q -c qemu:///system domuuid pair-1; virsh -q -c qemu:///system domuuid pair-2))
repeat PLAINTEXT-MARK 16M | dd of="/dev/vg0/$lv" bs=1M oflag=direct iflag=fullblock status=none
lvcreate -q -s -n keeps-old-blocks -L 24M "vg0/$lv" >/dev/null
world_changed
refused 8 'keeps-old-blocks' "a plain disk of which somebody has a snapshot" mayfly delete --yes bare
check "  is not overwritten" grep -qa PLAINTEXT-MARK "/dev/vg0/$lv"
lvremove -q -y vg0/keeps-old-blocks >/dev/null
mayfly delete --yes bare >/dev/null
check_fails 1 "a deleted plain disk leaves nothing of what it held" grep -qa PLAINTEXT-MARK /dev/ubda
