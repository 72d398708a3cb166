# SPDX-License-Identifier: Apache-2.0
# A volume of a real Cinder (LVM, by iSCSI) beside a server's encrypted disks: attached while the guest runs, there after stop, start,
# a hard reboot and a resize, detached; and attached to a server that is deleted. Mayfly never takes it for its own, and it keeps
# what the guest wrote.
# nova: -v -d 8G -d 4G -m 4G -t 2400
. "$SRC/tests/nova/lib.sh"
. "$SRC/lab/lib-cinder.sh"
read -r disk cinder_disk _ <<<"$LAB_DISKS"
text=CINDER-$(head -c 4 /dev/urandom | xxd -p)~

# Where no file system of the guest's is: the volume is raw.
write_volume() { guest "$(virsh domname "$1")" "write $2 1048576 $text" "written $2" >/dev/null; } # UUID NAME
volume_has_it() { guest "$(virsh domname "$1")" "dump $2 1048576 16" "dumped $2" | grep -qF " $text"; }
volume_of() { echo "/dev/cinder-volumes/volume-$1"; }                                      # ID
sessions() { { iscsiadm -m session 2>/dev/null || true; } | wc -l; }

# What Mayfly has is the server's disk alone, and it finds nothing to do.
is_not_ours() {
    check_equal "  Mayfly's volume and map are the same" "$mine" "$(our_volumes) $(our_maps)"
    check_equal "  it knows of one disk" "root" "$(mayfly show "$id" --json | python3 -ISc '
import json, sys
print(*[disk["role"] for disk in json.load(sys.stdin)["instance"]["disks"]])')"
    check_fails 1 "  it never names that of Cinder" grep -E 'cinder|sd[a-z]|iscsi|'"$volume" <(mayfly list && mayfly show "$id" && as alice mayfly recover)
}

cinder_up "$cinder_disk"
stack_up
cinder_ready
nova alice create one guest tiny
id=$(nova alice id one)
guest_of "$id"
write_marker "$id"
mine="${id}_disk ${id}_disk-dmcrypt"
mayfly doctor >/tmp/doctor.before 2>&1 || true
nova alice volume data 1
volume=$(nova alice volume-id data)

nova alice attach one data
check_equal "the volume is attached by iSCSI" 1 "$(sessions)"
write_volume "$id" vdb
check "the guest writes to it" volume_has_it "$id" vdb
is_not_ours
mayfly doctor >/tmp/doctor.after 2>&1 || true
check "  and says the same of this host as before" diff /tmp/doctor.before /tmp/doctor.after
in_order attach

nova alice action one SHUTOFF '{"os-stop":null}'
check_equal "a guest that is off has no disk of Mayfly's open" "" "$(our_maps)"
nova alice action one ACTIVE '{"os-start":null}'
guest_of "$id"
check "started again, it has its volume" volume_has_it "$id" vdb
check "  and what it wrote to its disk" has_marker "$id"
nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
guest_of "$id"
check "so it has after a hard reboot" volume_has_it "$id" vdb
is_not_ours
in_order reboot

nova alice action one RESCUE '{"rescue":{}}'
guest_of "$id"
nova alice action one ACTIVE '{"unrescue":null}'
guest_of "$id"
check "and after a rescue" volume_has_it "$id" vdb
in_order rescue

nova alice action one SHELVED_OFFLOADED '{"shelve":null}'
check_equal "shelved, the server has neither a disk here nor the volume" "  0" "$(our_volumes) $(our_maps) $(sessions)"
nova alice action one ACTIVE '{"unshelve":null}'
guest_of "$id"
check "and after unshelve" volume_has_it "$id" vdb
check "  as it has what it wrote to its disk" has_marker "$id"
is_not_ours
in_order unshelve

nova alice action one VERIFY_RESIZE "{\"resize\":{\"flavorRef\":\"$(nova admin flavor-id small)\"}}"
guest_of "$id"
check "and after a resize" volume_has_it "$id" vdb
check_equal "  by which the disk of Mayfly's grew" $((1 << 30)) "$(disk_field "$id" root size_bytes)"
nova alice action one ACTIVE '{"confirmResize":null}'
in_order resize

nova_compute_down TERM
nova_compute_up
nova alice detach one data
check_equal "detached, after another start of nova-compute: no session is left" 0 "$(sessions)"
check "  and the guest has it no more" guest "$(virsh domname "$id")" 'dump vdb 0 16' "error no disk 'vdb'"
is_not_ours

nova alice attach one data
check "attached again, it has it" volume_has_it "$id" vdb
nova alice delete one
nothing_left
check_equal "the server is deleted: the volume is there, and free" "available 0" "$(nova alice volume-status data) $(sessions)"
check "  with what the guest wrote" test "$("$LAB_HOME/search" "$(volume_of "$volume")" "$text" | tail -n 1)" = 1
in_order delete
nova alice delete-volume data
check_equal "its owner deletes it" "" "$(lvs --noheadings cinder-volumes)"
hidden
