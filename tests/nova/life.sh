# SPDX-License-Identifier: Apache-2.0
# The real Nova on disks of Mayfly's: made, stopped, started, rebooted, sent to Glance while the guest runs, deleted. What the
# guest wrote is there again each time, and nowhere in plaintext; a guest that is off has no disk open; who deletes destroys the key.
# nova: -d 8G -m 3G -t 900
. "$SRC/tests/nova/lib.sh"

stack_up
check "the host says that its disks are encrypted" lab_wait 60 nova_has_trait

nova alice create one guest full
id=$(nova alice id one)
check_equal "three disks are open, under their names" \
    "${id}_disk-dmcrypt ${id}_disk.eph0-dmcrypt ${id}_disk.swap-dmcrypt" "$(our_maps | paste -sd ' ')"
check_equal "Alice has a key, and nobody else" 1 "$(openstack api secrets alice bob | wc -l)"
check "the guest has its root, an ephemeral disk and swap" grep -qE 'vda:root:ext4,vdb:[^,]*:vfat,vdc:[^,]*:swap' <(guest_of "$id")
write_marker "$id"
hidden
in_order create

check "suspend is refused" nova alice refused one '{"suspend":null}'
check_equal "  and the server goes on" ACTIVE "$(nova alice status one)"
check "  the reason is told" grep -q 'written to the host in plaintext' "$LAB_JOB/compute.log"

nova alice action one PAUSED '{"pause":null}'
check_equal "a paused guest keeps its disks" 3 "$(our_maps | wc -l)"
nova alice action one ACTIVE '{"unpause":null}'
in_order pause

nova alice snapshot one copy >/tmp/copy
check_equal "a snapshot of the running guest is a raw image of the whole disk" "raw $((1 << 30))" "$(cat /tmp/copy)"
check_equal "  and no volume, map or key is left of it" "3 3 1" "$(our_volumes | wc -l) $(our_maps | wc -l) $(count_keys)"
in_order snapshot

nova alice action one SHUTOFF '{"os-stop":null}'
check_equal "a guest that is off has no disk open" "" "$(our_maps)"
nova alice action one ACTIVE '{"os-start":null}'
guest_of "$id"
check "what it wrote is there" has_marker "$id"
nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
guest_of "$id"
check "and after a hard reboot" has_marker "$id"
nova alice action one ACTIVE '{"reboot":{"type":"SOFT"}}'
guest_of "$id"
check "and after a soft one" has_marker "$id"
in_order reboot

nova_compute_down TERM
nova_compute_up
check_equal "nova-compute was started again: the guest runs on" 3 "$(our_maps | wc -l)"
nova alice action one SHUTOFF '{"os-stop":null}'
in_order "stop after it"

nova alice delete one
nothing_left
in_order delete
hidden
