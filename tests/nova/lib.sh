# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts of this folder share: a host with nova-compute, flavors and an image; and whose is all that there is on it.
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
. "$SRC/lab/lib-nova.sh"
virsh() { command virsh -q -c qemu:///system "$@"; }
read -r disk _ <<<"$LAB_DISKS"
marker=PLAINTEXT-$(head -c 12 /dev/urandom | xxd -p)
uuid_like='[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'

# The image guest, and flavors: tiny (root as large as the image), small (root of 1 GiB), full (with an ephemeral disk and swap) and
# large (root of 2 GiB).
stack_up() {
    nova_host_up "$disk"
    nova admin flavor tiny 128 0 0 0
    nova admin flavor small 128 1 0 0
    nova admin flavor full 128 1 1 64 trait=CUSTOM_MAYFLY_ENCRYPTED
    nova admin flavor large 128 2 0 0
    nova admin image guest "$SRC/build/lab/guest.qcow2" qcow2
}

count_keys() { our_keys | wc -l; }
has_run() { [ "$(virsh domstate "$1")" != "shut off" ]; } # UUID

# All that is of an instance, a line each, with its UUID.
belongings() {
    our_volumes | sed 's/^/volume /'
    our_maps | sed 's/^/map /'
    our_keys | sed 's/^/key /'
    virsh list --all --uuid | { grep . || true; } | sed 's/^/domain /'
    find /var/lib/nova/instances -mindepth 1 -maxdepth 1 -printf 'folder %f\n' | grep -E "$uuid_like" || true
}

# What no server of Nova's owns, and maps of one whose guest is off.
without_owner() {
    local what uuid
    nova admin servers >/tmp/servers
    belongings | while read -r what; do
        uuid=$(grep -oE "$uuid_like" <<<"$what" | tail -n 1)
        if ! grep -q "^$uuid " /tmp/servers; then
            echo "$what: no server"
        elif [[ $what == map* ]] && ! has_run "$uuid"; then
            echo "$what: is off"
        fi
    done
    find /var/lib/nova /var/lib/libvirt/qemu/save /dev/shm -type f \( -size +64M -o -name '*dmcrypt*' -o -name 'disk*' \) \
        ! -path '*/_base/*' -printf 'file %p\n' 2>/dev/null || true
}

all_owned() { [ -z "$(without_owner)" ]; }

# in_order WHAT: after it nothing is without an owner, and what a guest wrote is in no file but its console's, where it said so.
in_order() {
    check_equal "$1: all that is here has an owner" "" "$(without_owner)"
    no_file_has_it
}

no_file_has_it() {
    check_equal "  and no file has what a guest wrote" "" "$(grep -rlF --exclude=console.log "$marker" /var/lib/nova /var/lib/libvirt /var/lib/mayfly || true)"
}

# Nor is it anywhere on the disk below the volume group.
hidden() {
    check_equal "nothing that a guest wrote is on the disk in plaintext" 0 "$("$LAB_HOME/search" "$disk" "$marker" | tail -n 1)"
}

# Types the marker into the guest of a server, and finds it where it may be: so a search that finds nothing means something.
write_marker() { # UUID
    local name
    name=$(virsh domname "$1")
    guest "$name" "mark $marker" 'marked' >/dev/null
    check "what the guest wrote is found with its key" search_open "$1" "$marker"
}
has_marker() { # UUID: each of its disks
    guest "$(virsh domname "$1")" read 'done' >/tmp/read
    grep -q "MAYFLY-GUEST read .* $marker" /tmp/read && ! grep 'MAYFLY-GUEST read ' /tmp/read | grep -qv "$marker"
}
guest_of() { guest_up "$(virsh domname "$1")"; } # UUID: waits for it
