# SPDX-License-Identifier: Apache-2.0
# The host reboots with three instances: of those whose keys the host may read one comes up by itself and one by plain virsh,
# with the host's own credentials; the third is refused, and says how it can be started: by its owner.
# host: -t 4500
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"
requires slirp-fullbolt socat

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 512M "$work/disk"
truncate -s 64M "$work/state"

boot() { # SCRIPT: runs on the host, which then loses its power
    local status=0
    "$SRC/lab/openstack/lab" -o "$work/services" -m 1G -t 2100 -s "$BUILD" -d "$work/disk" -d "$work/state" -- \
        env SRC="$SRC" BUILD="$BUILD" bash -c '
            . "$SRC/lab/lib.sh"; . "$SRC/lab/lib-mayfly.sh"; . "$SRC/lab/lib-openstack.sh"
            virsh() { command virsh -q -c qemu:///system "$@"; }
            lab_state /dev/ubdb
            '"$1"'
            sync
            lab_powercut' || status=$?
    [ "$status" = 99 ] || fail "the lab ended with $status, not by a power cut"
}

boot '
    openstack_host_up /dev/ubda key_manager.host_access=read
    as alice mayfly launch shared --root 16M --memory 64M
    as alice mayfly launch auto --root 16M --memory 64M
    virsh autostart auto
    repeat SHARED 16M | dd of="$(disk_device shared root)" bs=1M iflag=fullblock oflag=direct status=none
    openstack_config key_manager.host_access=none
    as alice mayfly launch private --root 16M --memory 64M
    check_equal "all run" 3 "$(virsh list --name | grep -c .)"'

boot '
    openstack_reach
    lab_vg vg0 /dev/ubda
    openstack_config key_manager.host_access=read
    install_hook
    check_equal "after the reboot no map is there" "" "$(our_maps)"
    lab_libvirtd
    auto_runs() { [ "$(state_of auto)" = running ]; }
    check "one comes up by itself" lab_wait 300 auto_runs
    check_equal "  and is the only one" 1 "$(our_maps | wc -l)"
    virsh destroy auto
    requests_forget
    check "virsh start" virsh start shared
    check_equal "  with one token, and one request for the key" "1 1" \
        "$(count_requests "POST /v3/auth/tokens") $(count_requests "GET .*/payload")"
    check "  what was written is there" \
        cmp <(repeat SHARED 16M) <(dd if="$(disk_device shared root)" bs=1M iflag=direct status=none)
    check "virsh destroy" virsh destroy shared
    check_equal "  closes it" "" "$(our_maps)"

    check_fails 1 "virsh start of what the host may not read" virsh start private 2>/tmp/err
    check "  virsh says why, and the way out: $(grep -o "instance private.*" /tmp/err)" grep -q "403.*mayfly start private" /tmp/err
    check_equal "  nothing is open" "" "$(our_maps)"
    check "mayfly start, by alice" as alice mayfly start private
    check_equal "  it runs" running "$(state_of private)"
    check "recover finds all in order" as alice mayfly recover
    as alice mayfly delete --yes shared private auto
    nothing_left'
