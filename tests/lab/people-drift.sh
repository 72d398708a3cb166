# SPDX-License-Identifier: Apache-2.0
# What people do to instances without Mayfly: a mount on the host, a managed save, virsh suspend, undefine, a disk-only
# snapshot, a block copy. Verbs that it would harm refuse, and change nothing; list, show and doctor tell of it.
# lab: -d 1G -m 2G -t 2400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
virsh() { command virsh -q -c qemu:///system "$@"; }
mkdir -p /run/images /srv/o /mnt/disk
lvcreate -qq -y -n files -L 96M vg0 # overlays are opened as the disks are, past the page cache
mkfs.ext4 -q /dev/vg0/files
mount /dev/vg0/files /srv/o
truncate -s 16M /run/images/empty
chmod 644 /run/images/empty

kinds() { # NAME: what show finds
    mayfly show "$1" --json | python3 -ISc '
import json, sys
print(*[f["kind"] for f in json.load(sys.stdin)["instance"]["findings"]])'
}
told() { # KIND NAME: by list, and so by show and doctor, which look as it does
    check_equal "it is found" "$1" "$(mayfly list | awk -v name="$2" '$1 == name { print $NF }')"
}
theirs() { # NAME: a domain of somebody else's, without anything that keeps its memory from being saved
    virsh define /dev/stdin <<END
<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
<features><acpi/></features><devices><controller type='usb' model='none'/></devices></domain>
END
}

# ---------------------------------------------------------------------------------------- a mount on the host
mayfly launch web --root 16M --ephemeral 32M,fs=ext4 --memory 64M --no-start >/dev/null
mayfly open web >/dev/null
check_equal "nothing is found" "" "$(kinds web)"
mount "$(disk_device web eph0)" /mnt/disk
told held web
world_changed
refused 5 'in use on this host by mount /mnt/disk' "start of what is mounted" mayfly start web
refused 5 'in use on this host' "  rebuild" mayfly rebuild --yes web --image /run/images/empty
refused 5 'in use on this host' "  delete" mayfly delete --yes web
check_fails 1 "  virsh start" virsh start web 2>/tmp/err
check "    and virsh says why" grep -q 'in use on this host by mount /mnt/disk' /tmp/err
check "  doctor tells" grep -q '^warning  *instance web .*/mnt/disk' <(mayfly doctor)
umount /mnt/disk
exec 7<"$(disk_device web eph0)"
check_fails 1 "  a process that has it open is seen, too" virsh start web 2>/tmp/err
check "    and told of" grep -q 'in use on this host' /tmp/err
exec 7<&-
check "start, once it is let go of" mayfly start web
check_equal "  state" running "$(state_of web)"

# --------------------------------------------------------------- a disk of a running guest, given to another one
theirs other
virsh start other
# By another node: as it is where each QEMU has a /dev of its own, so that its locks do not meet another's.
number=$(stat -Lc '%Hr %Lr' "$(disk_device web root)")
mknod /dev/data b "${number% *}" "${number#* }"
virsh attach-disk other /dev/data vdb --live
told shared-disk web
check "  doctor names the domain, and the way out" grep -q '^warning  *instance web .*domain other has its disk root.*virsh detach-disk other vdb' <(mayfly doctor)
virsh attach-disk other "$(disk_lv web eph0)" vdc --live
check "the volume below an encrypted disk is told to be that" grep -q 'other has its disk eph0 .*in plaintext' <(mayfly show web)
virsh destroy other
virsh undefine other
check_equal "  and gone with that domain" "" "$(kinds web)"

# ------------------------------------------------------------------------------------------------ its states
virsh suspend web
check_equal "a suspended guest is paused" paused "$(state_of web)"
told halted web
world_changed
refused 5 'paused.*virsh resume' "  start" mayfly start web
SECONDS=0
refused 5 'paused.*--force' "  stop" mayfly stop web
check "  which does not wait for it" test "$SECONDS" -lt 30
virsh resume web
check_equal "  and runs on" running "$(state_of web)"
lab_stop_libvirtd
check_equal "without libvirt its state is unknown" unknown "$(state_of web)"
check "  list says so, too" grep -q '^web .* unknown .* unknown$' <(mayfly list 2>/dev/null)
check_equal "  and JSON, that libvirt was not asked" False "$(mayfly list --json 2>/dev/null | python3 -ISc '
import json, sys
print(json.load(sys.stdin)["instances"][0]["domain_known"])')"
lab_start_libvirtd

# ------------------------------------------------------------------------------------- undefined while it runs
virsh dumpxml --inactive web >/tmp/web.xml
virsh undefine web
told transient web
world_changed
refused 8 'transient.*virsh define' "reboot --hard of a domain that has no definition" mayfly reboot --hard web
refused 8 'transient' "  rebuild" mayfly rebuild --yes web --image /run/images/empty
mayfly stop web --timeout 60 2>/tmp/err &
stop=$!
sleep 10 # it has no system that would power off, so that it is waited for
virsh destroy web
check "stop, while somebody ends it" wait "$stop"
check_equal "  closes its disks" "" "$(our_maps)"
check_equal "  its domain is gone" "no domain" "$(state_of web)"
virsh define /tmp/web.xml
check_equal "  and back, once it is defined again" "shut off" "$(state_of web)"

# ------------------------------------------------------------------------- a disk-only snapshot, a block copy
mayfly start web >/dev/null
virsh snapshot-create-as web s1 --disk-only --diskspec vda,file=/srv/o/over.qcow2 --diskspec vdb,snapshot=no
told overlay web
world_changed
refused 8 '/srv/o/over.qcow2' "export of a disk below an overlay" mayfly export web /srv/o/file --disk root
refused 8 '/srv/o/over.qcow2' "  rebuild" mayfly rebuild --yes web --image /run/images/empty
check "  the other disk grows" mayfly resize web 48M --disk eph0
mayfly stop web --force --timeout 0 >/dev/null
check "  shut off it is seen as well" grep -qE '^(overlay|replaced)$' <(kinds web)
mayfly start web 2>/tmp/err
check "  a start tells" grep -q '/srv/o/over.qcow2' /tmp/err
check "committed" virsh blockcommit web vda --active --pivot --wait
check_equal "  nothing is found" "" "$(kinds web)"

virsh undefine web --snapshots-metadata # a block copy wants a domain without a definition, or --transient-job
virsh blockcopy web vdb --dest /srv/o/copy --format raw
check "a block copy is found" grep -q block-copy <(kinds web)
world_changed
refused 8 '/srv/o/copy' "  resize" mayfly resize web 64M --disk eph0
virsh blockjob web vdb --abort
virsh define /tmp/web.xml
check_equal "  and gone" "" "$(kinds web)"
virsh snapshot-create-as web s2 --disk-only --no-metadata --diskspec vda,file=/srv/o/kept.qcow2 --diskspec vdb,snapshot=no
mayfly delete --yes web 2>/tmp/err
check "delete tells of the file that stays" grep -q 'overlay /srv/o/kept.qcow2' /tmp/err
nothing_left

# --------------------------------------------------------------------------------------------- a managed save
theirs other
check "disks for a domain of others" mayfly add-disks other --root 16M --ephemeral 16M
virsh start other
virsh managedsave other
check_equal "  its saved memory leaves no map" "" "$(our_maps)"
told managed-save other
world_changed
refused 5 'managed save' "rebuild" mayfly rebuild --yes other --image /run/images/empty
refused 5 'managed save' "  open" mayfly open other
check "delete" mayfly delete --yes other
check_equal "  leaves no memory behind" "" "$(ls /var/lib/libvirt/qemu/save)"
check "  but the domain, which starts" virsh start other
virsh managedsave other
world_changed
refused 5 'managed save' "add-disks for a domain that is saved" mayfly add-disks other --root 16M
virsh managedsave-remove other
virsh undefine other

# ------------------------------------------------------------------------------------ plain disks, and a clone
lab_config ephemeral_storage_encryption.enabled=false
mayfly launch plain --root 16M --ephemeral 16M --memory 64M --no-start >/dev/null
check "show has no table of options for plain disks, and the device of each" grep -qE '^eph0 .*/dev/vg0/' <(mayfly show plain)
check_fails 1 "  which no option concerns" grep -q '^Disk  *Option' <(mayfly show plain)
exec 7<"$(disk_lv plain eph0)"
world_changed
refused 5 'in use' "remove-disk of a plain disk that is held" mayfly remove-disk --yes plain eph0
exec 7<&-
check "remove-disk" mayfly remove-disk --yes plain eph0
virsh dumpxml --inactive plain | sed -e '/<disk/,/<\/disk>/d' -e '/<uuid>/d' -e 's|<name>plain|<name>clone|' >/tmp/clone.xml
virsh define /tmp/clone.xml
check_fails 1 "a clone has the mark, and is refused" virsh start clone 2>/tmp/err
check "  as what it is" grep -q 'clone of an instance' /tmp/err
check "  doctor, too" grep -q '^warning  *domain clone .*clone' <(mayfly doctor)
virsh metadata clone urn:mayfly:domain:1 --config --remove
check "  which starts without it" virsh start clone
virsh destroy clone
virsh undefine clone

# --------------------------------------------------------------------------------------------- nobody reads on
mayfly launch more --count 2 --root 16M --memory 64M --no-start >/dev/null
{ mayfly -v delete --yes plain more-1 more-2 || echo $? >/tmp/status; } 2>&1 | true
check_equal "a verb whose reader is gone goes on to its end, and says so" 141 "$(cat /tmp/status)"
nothing_left
