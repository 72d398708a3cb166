# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# On the host of the tests, behind lab/lib.sh and lab/lib-world.sh.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
cd /root || exit

# as USER COMMAND...: in a login of the user's.
as() {
    local user=$1
    shift
    (cd "/home/$user" && setpriv --reuid "$user" --regid "$user" --init-groups env HOME="/home/$user" USER="$user" "$@")
}

# What the guest said on its console since anybody read it.
guest_is_up() { # NAME
    timeout 5 cat "$(virsh -q ttyconsole "$1")" >>"/run/console.$1" || true
    grep -qa 'MAYFLY-GUEST ready' "/run/console.$1"
}
guest_up() { # NAME
    lab_wait 900 guest_is_up "$1" || fail "$1 did not come up: $(tail -c 500 "/run/console.$1")"
    rm -f "/run/console.$1"
}

booted() { # and whoever is started at boot, and not awaited, has ended
    systemctl is-system-running --wait >/dev/null || true
    # shellcheck disable=SC2016 # for that bash
    lab_wait 900 bash -c '[ "$(systemctl show -P ActiveState mayfly-recover)" != activating ] && [ -z "$(systemctl list-jobs --no-legend)" ]'
}

no_unit_failed() { check_equal "no unit has failed" "" "$(systemctl --failed --no-legend --plain)"; }

nothing_to_recover() {
    mayfly recover --dry-run >/tmp/recover || true
    check "nothing is to be put in order: $(cat /tmp/recover)" grep -q 'All is in order' /tmp/recover
}
