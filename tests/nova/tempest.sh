# SPDX-License-Identifier: Apache-2.0
# Tests of OpenStack's own suite, Tempest, on servers with disks of Mayfly's: what it has for create, delete, rebuild, reboot, stop,
# rescue, shelve, resize, images of servers, and for volumes of Cinder beside their disks. In the end no volume, map, key or domain
# is left. See lab/nova/tempest.
#   tempest.sh [ID...]    these instead, below tempest.api
#
# Not in the list:
#   scenario, and all that asks a guest       signs in by ssh; there is no network (Neutron is a stand-in)
#   barbican-tempest-plugin's scenario of encrypted LVM disks      the same; tests/nova/life.sh does it by Nova's API
#   test_multiple_create                      asks for servers without saying networks=none
#   suspend, live and cold migration          the driver refuses them, see tests/nova/life.sh and rights.sh
# nova: -v -d 12G -d 8G -m 4G -t 5400
. "$SRC/tests/nova/lib.sh"
. "$SRC/lab/lib-cinder.sh"
read -r disk cinder_disk _ <<<"$LAB_DISKS"

# An entry is what is run together, on one server where its tests share one.
actions=compute.servers.test_server_actions.ServerActionsTestJSON
tests=(
    "$(echo compute.servers.test_delete_server.DeleteServersTestJSON.test_delete_server_while_in_{building,shelved,verify_resize}_state)"
    compute.servers.test_delete_server.DeleteServersTestJSON.test_delete_server_while_in_attached_volume
    compute.volumes.test_attach_volume.AttachVolumeTestJSON.test_attach_detach_volume
    "$(echo $actions.test_{reboot_server_hard,stop_start_server})"
    "$(echo $actions.test_{rebuild_server,rebuild_server_with_volume_attached})"
    "$(echo $actions.test_{resize_server_confirm,resize_server_revert_with_volume_attached})"
    "$actions".test_shelve_unshelve_server
    compute.servers.test_server_rescue.ServerRescueTestJSON
    compute.images.test_images.ImagesTestJSON
    compute.admin.test_delete_server
    compute.servers.test_create_server.ServersTestJSON
    compute.servers.test_create_server.ServersTestBootFromVolume
    compute.servers.test_multiple_create.MultipleCreateTestJSON.test_multiple_create_with_reservation_return
)
[ $# = 0 ] || tests=("$@")

# shellcheck disable=SC2086 # words
tempest() { openstack tempest "$(nova alice image-id guest)" "$(nova admin flavor-id tiny)" "$(nova admin flavor-id larger)" $1; }
how_many() { grep -cE "\.\.\. $1" /tmp/said || true; } # REGEX: its verdict

cinder_up "$cinder_disk"
stack_up
cinder_ready
nova admin flavor larger 160 0 0 0
passed=0 failed=0
for one in "${tests[@]}"; do
    begun=$SECONDS
    tempest "$one" >/tmp/said || { failed=$((failed + 1)) && cat /tmp/said; }
    echo "$(how_many ok) tests passed, $(how_many skipped) skipped, in $((SECONDS - begun)) s: $one"
    passed=$((passed + $(how_many ok)))
    in_order "after them"
done
for user in alice bob; do check "recover of $user" as "$user" mayfly recover; done # an administrator deleted one, and left its key
nothing_left
[ "$failed" = 0 ] || fail "$passed tests of Tempest passed; $failed times something of what is run together failed"
ok "$passed tests of Tempest passed"
