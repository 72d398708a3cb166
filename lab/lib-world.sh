# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What there is of Mayfly's on a host: volumes, maps, keys, domains. To be sourced behind lab/lib.sh, in a lab or on a whole host.

our_volumes() { lvs --noheadings -o lv_name -S 'tags="mayfly=1"' | tr -d ' ' | sort; }
our_maps() { dmsetup ls | { grep -o "[^[:space:]]*-dmcrypt" || true; } | sort; }
our_keys() { find /var/lib/mayfly/keys -type f ! -name seal.key ! -name identity -printf '%f\n' | sort; }
our_domains() { virsh -q -c qemu:///system list --all --name | { grep -v "^$" || true; } | sort; }

# Everything that a command which was refused must not have changed.
world() {
    echo "volumes: $(lvs --noheadings -o lv_name,lv_size,lv_tags | sort)"
    echo "maps: $(our_maps)"
    echo "keys: $(our_keys)"
    echo "domains: $(our_domains)"
}

# nothing_left: no volume, map, key or domain of ours.
nothing_left() {
    check_equal "no volume is left" "" "$(our_volumes)"
    check_equal "no map is left" "" "$(our_maps)"
    check_equal "no key is left" "" "$(our_keys)"
    check_equal "no domain is left" "" "$(our_domains)"
}
