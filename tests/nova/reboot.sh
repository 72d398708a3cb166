# SPDX-License-Identifier: Apache-2.0
# The host loses its power with three servers of two tenants: Nova starts those whose keys the host may have, the third waits in
# ERROR and says that its owner has to start it, which works. Then the host is lost: one is evacuated to another host, on new disks
# with a new key, by which its owner starts it.
# host: -t 4500
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"
requires slirp-fullbolt socat

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 8G "$work"/{lab,other}.disk
truncate -s 1G "$work"/{lab,other}.state

boot() { # HOST SCRIPT: runs on that host, which then loses its power
    local status=0
    "$SRC/lab/nova/lab" -o "$work/stack" -m 4G -t 1500 -s "$BUILD" -d "$work/$1.disk" -d "$work/$1.state" -- \
        env SRC="$SRC" BUILD="$BUILD" HOST="$1" bash -c '
            hostname "$HOST"
            . "$SRC/tests/nova/lib.sh"
            lab_state /dev/ubdb
            mkdir -p /run/lab/state/nova /var/lib/nova
            mount --bind /run/lab/state/nova /var/lib/nova
            '"$2"'
            sync
            lab_powercut' || status=$?
    [ "$status" = 99 ] || fail "the lab ended with $status, not by a power cut"
}

boot lab '
    stack_up
    for name in one two; do nova alice create "$name" guest small; done
    openstack_config key_manager.host_access=none
    nova bob create three guest small
    for name in one three; do guest_of "$(nova admin id "$name")"; done
    marker=BEFORE-THE-REBOOT
    write_marker "$(nova admin id one)"
    write_marker "$(nova admin id three)"'

boot lab '
    stack_up
    marker=BEFORE-THE-REBOOT
    starts() { [ "$(nova admin status "$1")" = ACTIVE ] && has_run "$(nova admin id "$1")"; }
    for name in one two; do check "$name comes back by itself" lab_wait 300 starts "$name"; done
    guest_of "$(nova admin id one)"
    check "  with what it wrote" has_marker "$(nova admin id one)"
    waits() { [ "$(nova admin status three)" = ERROR ]; }
    check "the third, whose key the host may not have, waits" lab_wait 300 waits
    check "  and says for whom: $(nova bob fault three)" grep -q "hard reboot" <(nova bob fault three)
    check_equal "  closed" 2 "$(our_maps | wc -l)"
    nova bob action three ACTIVE "{\"reboot\":{\"type\":\"HARD\"}}"
    guest_of "$(nova bob id three)"
    check "started by its owner, it has what it wrote" has_marker "$(nova bob id three)"
    in_order reboot'

boot other '
    stack_up
    is_lost() { nova admin hosts | grep -qx "lab down"; }
    check "Nova takes the first host for lost" lab_wait 300 is_lost
    nova admin action one ACTIVE "{\"evacuate\":{}}"
    id=$(nova admin id one)
    guest_of "$id"
    check_equal "evacuated, it has new disks here" "${id}_disk ${id}_disk-dmcrypt" "$(our_volumes) $(our_maps)"
    check_equal "  and a new key, of the administrator" 1 "$(openstack api secrets admin | grep -c " mayfly/")"
    nova alice action one ACTIVE "{\"reboot\":{\"type\":\"HARD\"}}"
    guest_of "$id"
    check "  by which its owner starts it" has_run "$id"'
