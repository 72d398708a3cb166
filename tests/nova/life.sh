# SPDX-License-Identifier: Apache-2.0
# The real Nova on disks of Mayfly's: made, stopped, started, rebooted, sent to Glance while the guest runs, deleted. What the
# guest wrote is there again each time, and nowhere in plaintext; a guest that is off has no disk open; who deletes destroys the key.
# nova: -d 6G -m 3G -t 560
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
. "$SRC/lab/lib-nova.sh"
virsh() { command virsh -q -c qemu:///system "$@"; }
read -r disk _ <<<"$LAB_DISKS"
marker=PLAINTEXT-$(head -c 12 /dev/urandom | xxd -p)

nova_host_up "$disk"
nova admin flavor small 128 1 1 64 trait=CUSTOM_MAYFLY_ENCRYPTED
nova admin image guest "$SRC/build/lab/guest.qcow2" qcow2
check "the host says that its disks are encrypted" lab_wait 60 nova_has_trait

nova alice create one guest small
id=$(nova alice id one)
name=$(virsh domname "$id")
check_equal "three disks are open, under their names" \
    "${id}_disk-dmcrypt ${id}_disk.eph0-dmcrypt ${id}_disk.swap-dmcrypt" "$(our_maps | paste -sd ' ')"
check_equal "Alice has a key, and nobody else" 1 "$(openstack api secrets alice bob | wc -l)"
guest_up "$name"
guest "$name" "mark $marker" 'marked' >/dev/null
check_equal "nothing of it is on the disk in plaintext" 0 "$("$LAB_HOME/search" "$disk" "$marker" | tail -n 1)"
check "it is there for who has the key" search_open "$id" "$marker"

check "suspend is refused" nova alice refused one '{"suspend":null}'
check_equal "  and the server goes on" ACTIVE "$(nova alice status one)"
check "  the reason is told" grep -q 'written to the host in plaintext' "$LAB_JOB/compute.log"

nova alice snapshot one copy >/tmp/copy
check_equal "a snapshot of the running guest is a raw image of the whole disk" "raw $((1 << 30))" "$(cat /tmp/copy)"
check_equal "  Nova has no file of it" "" "$(find /var/lib/nova/instances /var/lib/nova/snapshots -size +64M ! -path '*/_base/*' 2>/dev/null || true)"
check_equal "  and no volume, map or key is left of it" "3 3 1" "$(our_volumes | wc -l) $(our_maps | wc -l) $(openstack api secrets alice bob | wc -l)"

nova alice action one SHUTOFF '{"os-stop":null}'
check_equal "a guest that is off has no disk open" "" "$(our_maps)"
nova alice action one ACTIVE '{"os-start":null}'
guest_up "$name"
check "what it wrote is there" grep -q "$marker" <(guest "$name" read 'done')
nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
guest_up "$name"
check "and after a hard reboot" grep -q "$marker" <(guest "$name" read 'done')
check_equal "Nova made no files in the place of disks" "" "$(find /var/lib/nova/instances -name '*dmcrypt*')"

nova alice delete one
nothing_left
check_equal "and no file" "" "$(find /var/lib/nova/instances -path "*$id*")"
