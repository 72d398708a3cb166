# SPDX-License-Identifier: Apache-2.0
# Whose keys: a server with a config drive is rescued, grows and is rebuilt by its owner; an administrator deletes it. Its disks are
# gone then, its key is left to the owner, and goes with the owner's next recover. What cannot be is refused, and changes nothing.
# nova: -d 8G -m 4G -t 2700
. "$SRC/tests/nova/lib.sh"

stack_up
nova bob create one guest small drive
id=$(nova bob id one)
guest_of "$id"
check_equal "the config drive is an encrypted disk" "${id}_disk-dmcrypt ${id}_disk.seed-dmcrypt" "$(our_maps | paste -sd ' ')"
check "  it is one of Nova's" search_open "$id" config-2
check_equal "  which cannot be read on the volume" 0 "$("$LAB_HOME/search" "/dev/vg0/${id}_disk.seed" config-2 | tail -n 1)"
write_marker "$id"
hidden

before=$(our_volumes)$(our_maps)
check "cold migration is refused" nova admin refused one '{"migrate":null}'
check "  and live migration" nova admin refused one '{"os-migrateLive":{"host":null,"block_migration":"auto"}}'
check "  and a flavor with other ephemeral and swap disks" nova bob refused one "{\"resize\":{\"flavorRef\":\"$(nova admin flavor-id full)\"}}"
check_equal "  before anything is touched" "ACTIVE $before" "$(nova bob status one) $(our_volumes)$(our_maps)"

nova bob action one RESCUE '{"rescue":{}}'
guest_of "$id"
check "in rescue it has one disk more" test -e "/dev/mapper/${id}_disk.rescue-dmcrypt"
in_order rescue
nova bob action one ACTIVE '{"unrescue":null}'
guest_of "$id"
check_equal "after it nothing is left of that" "${id}_disk ${id}_disk.seed" "$(our_volumes | paste -sd ' ')"
in_order unrescue

nova bob action one SHELVED_OFFLOADED '{"shelve":null}'
check_equal "a shelved server has no disk and no key" " 0" "$(our_volumes)$(our_maps) $(count_keys)"
in_order shelve
nova bob action one ACTIVE '{"unshelve":null}'
guest_of "$id"
check "unshelved, what it wrote is there" has_marker "$id"
check_equal "  by a key" 1 "$(count_keys)"
in_order unshelve

larger="{\"resize\":{\"flavorRef\":\"$(nova admin flavor-id large)\"}}"
nova bob action one VERIFY_RESIZE "$larger"
check_equal "a larger flavor makes the disk larger" $((2 << 30)) "$(disk_field "$id" root size_bytes)"
guest_of "$id"
nova bob action one ACTIVE '{"revertResize":null}'
guest_of "$id"
check_equal "reverted, it stays so" $((2 << 30)) "$(disk_field "$id" root size_bytes)"
in_order revert
nova bob action one VERIFY_RESIZE "$larger"
nova bob action one ACTIVE '{"confirmResize":null}'
guest_of "$id"
check "confirmed, what it wrote is there" has_marker "$id"
in_order resize

key=$(key_id "$id")
nova bob action one ACTIVE "{\"rebuild\":{\"imageRef\":\"$(nova bob image-id guest)\"}}"
guest_of "$id"
check_fails 1 "a rebuild gives it another key" test "$key" = "$(key_id "$id")"
check_equal "  and destroys the old one" 1 "$(count_keys)"
check_fails 1 "  what it wrote is gone" has_marker "$id"
in_order rebuild

nova admin delete one
check_equal "who is no owner deletes the disks" "" "$(our_volumes)$(our_maps)$(our_domains)"
check_equal "  and leaves the key" 1 "$(count_keys)"
check "recover of somebody else leaves it, too" as alice mayfly recover
check_equal "  " 1 "$(count_keys)"
check "that of its owner destroys it" as bob mayfly recover
nothing_left
hidden
