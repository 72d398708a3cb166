# SPDX-License-Identifier: Apache-2.0
# Whose keys: a server with a config drive is rescued, grows and is rebuilt by its owner; an administrator deletes it. Its disks are
# gone then, its key is left to the owner, and goes with the owner's next recover. What cannot be is refused, and changes nothing.
# nova: -d 8G -m 3G -t 560
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
. "$SRC/lab/lib-nova.sh"
virsh() { command virsh -q -c qemu:///system "$@"; }
read -r disk _ <<<"$LAB_DISKS"

nova_host_up "$disk"
nova admin flavor small 128 1 0 0
nova admin flavor large 128 2 0 0
nova admin image guest "$SRC/build/lab/guest.qcow2" qcow2

nova bob create one guest small drive
id=$(nova bob id one)
name=$(virsh domname "$id")
guest_up "$name"
check_equal "the config drive is an encrypted disk" "${id}_disk-dmcrypt ${id}_disk.seed-dmcrypt" "$(our_maps | paste -sd ' ')"
check_equal "  and no file" "" "$(find /var/lib/nova/instances -name 'disk.config*')"
check "  it is one of Nova's" search_open "$id" config-2
check_equal "  which cannot be read on the volume" 0 "$("$LAB_HOME/search" "/dev/vg0/${id}_disk.seed" config-2 | tail -n 1)"

nova bob action one RESCUE '{"rescue":{}}'
guest_up "$name"
check "in rescue it has one disk more" test -e "/dev/mapper/${id}_disk.rescue-dmcrypt"
nova bob action one ACTIVE '{"unrescue":null}'
guest_up "$name"
check_equal "after it nothing is left of that" "${id}_disk ${id}_disk.seed" "$(our_volumes | paste -sd ' ')"

nova bob action one VERIFY_RESIZE "{\"resize\":{\"flavorRef\":\"$(nova admin flavor-id large)\"}}"
nova bob action one ACTIVE '{"confirmResize":null}'
check_equal "a larger flavor makes the disk larger" $((2 << 30)) "$(disk_field "$id" root size_bytes)"
guest_up "$name"

key=$(key_id "$id")
nova bob action one ACTIVE "{\"rebuild\":{\"imageRef\":\"$(nova bob image-id guest)\"}}"
guest_up "$name"
check_fails 1 "a rebuild gives it another key" test "$key" = "$(key_id "$id")"
check_equal "  and destroys the old one" 1 "$(openstack api secrets bob | wc -l)"

nova admin delete one
check_equal "who is no owner deletes the disks" "" "$(our_volumes)$(our_maps)$(our_domains)"
check_equal "  and leaves the key" 1 "$(openstack api secrets bob | wc -l)"
check "recover of somebody else leaves it, too" as alice mayfly recover
check_equal "  " 1 "$(openstack api secrets bob | wc -l)"
check "that of its owner destroys it" as bob mayfly recover
nothing_left
