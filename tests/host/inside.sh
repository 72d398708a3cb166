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

# Consoles are logged from each guest's start on, also where libvirt starts it at boot.
watch_consoles() {
    install -m 755 /share/console /root/console
    cat >/etc/systemd/system/console-watch.service <<'UNIT'
[Unit]
Before=libvirtd.service
[Service]
ExecStart=/root/console watch 1
[Install]
WantedBy=multi-user.target
UNIT
    systemctl -q enable --now console-watch
}

guest_up() { # NAME: since it was last asked
    /root/console expect "$1" 'MAYFLY-GUEST ready[^\n]*(?=\n)' 900 >/dev/null || fail "$1 did not come up"
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
