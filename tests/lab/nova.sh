# SPDX-License-Identifier: Apache-2.0
# The real Nova in short, for every run of all tests: a server on disks of Mayfly's is made, sent to Glance while its guest runs,
# stopped, started, deleted; then its key is gone. tests/nova has all the rest.
# nova: -d 1G -m 2G -t 1800
. "$SRC/tests/nova/lib.sh"

nova_host_up "$disk"
nova admin flavor tiny 128 0 0 0
nova admin image guest "$SRC/build/lab/guest.qcow2" qcow2
nova alice create one guest tiny
id=$(nova alice id one)
guest_of "$id"
write_marker "$id"
hidden
check_equal "its disk is open, by one key" "${id}_disk-dmcrypt 1" "$(our_maps) $(count_keys)"

nova alice snapshot one copy >/tmp/copy
check_equal "a snapshot of the running guest is a raw image of the whole disk" "raw $((128 << 20))" "$(cat /tmp/copy)"

nova alice action one SHUTOFF '{"os-stop":null}'
check_equal "a guest that is off has no disk open" "" "$(our_maps)"
nova alice action one ACTIVE '{"os-start":null}'
guest_of "$id"
check "what it wrote is there" has_marker "$id"
in_order "all of that"

nova alice delete one
nothing_left
hidden
