# SPDX-License-Identifier: Apache-2.0
# Barbican does not answer while a server is started, rebooted, sent to Glance, rescued, rebuilt, deleted: each time Nova is told so,
# nothing is half made, and when Barbican answers again the same request, or Nova's own way out, works.
# nova: -d 8G -m 3G -t 900
. "$SRC/tests/nova/lib.sh"
away() { fault 'drop /v1/secrets'; }

stack_up
nova alice create one guest small
id=$(nova alice id one)
guest_of "$id"
write_marker "$id"
mine=${id}_disk

away
check "snapshot: fails" nova alice refused one '{"createImage":{"name":"never"}}'
check_equal "  the guest runs on, and no volume is left of it" "ACTIVE $mine $mine-dmcrypt" "$(nova alice settled one) $(our_volumes) $(our_maps)"
nova alice action one SHUTOFF '{"os-stop":null}'
check_equal "stop: works" "" "$(our_maps)"
check "start: fails" nova alice refused one '{"os-start":null}'
check_equal "  the server is off as before" "SHUTOFF $mine shut off" "$(nova alice settled one) $(our_volumes) $(virsh domstate "$id")"
check_equal "  and nothing is open" "" "$(our_maps)"
fault_end
nova alice action one ACTIVE '{"os-start":null}'
guest_of "$id"
check "  later it starts" has_marker "$id"

away
check "hard reboot: fails" nova alice refused one '{"reboot":{"type":"HARD"}}'
check_equal "  the server is in ERROR, closed" "ERROR $mine " "$(nova alice settled one) $(our_volumes) $(our_maps)"
fault_end
nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
guest_of "$id"
check "  said again it works" has_marker "$id"

away
check "rescue: fails" nova alice refused one '{"rescue":{}}'
check_equal "  no rescue disk is left" "ERROR $mine " "$(nova alice settled one) $(our_volumes) $(our_maps)"
fault_end
nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
guest_of "$id"
check "  a hard reboot brings it back" has_marker "$id"

away
check "rebuild: fails" nova alice refused one "{\"rebuild\":{\"imageRef\":\"$(nova alice image-id guest)\"}}"
check_equal "  the server is in ERROR, closed" "ERROR " "$(nova alice settled one) $(our_maps)"
fault_end
nova alice action one ACTIVE "{\"rebuild\":{\"imageRef\":\"$(nova alice image-id guest)\"}}"
guest_of "$id"
check_equal "  said again it works, by one key" "$mine 1" "$(our_volumes) $(count_keys)"
in_order rebuild

away
nova alice begin-delete one
check_equal "delete: fails, and the server is in ERROR" ERROR "$(nova alice settled one)"
fault_end
nova alice delete one
nothing_left
hidden
