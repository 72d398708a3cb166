#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From a bare server to one that Mayfly can be used on, by README's own lines.
. "$SRC/tests/host/lib.sh"

check_equal "README makes the package first" "make deb" "$(readme 'As a Debian package' | head -n 1)"
inside <<END
watch_consoles
booted
systemctl show -P ActiveEnterTimestampMonotonic multi-user.target >/root/boot-without
vgcreate -q vg0 /dev/vdb
echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes
cd /share
$(readme 'As a Debian package' | tail -n +2)
cat >/etc/mayfly/mayfly.conf <<'CONF'
$(readme 'Then say in')
CONF
END

inside <<'END'
check_equal "dpkg finds it whole, but for its configuration" "" "$(dpkg --verify mayfly | grep -v /etc/mayfly/mayfly.conf || true)"
check_equal "nothing is in /usr/local" "" "$(find /usr/local -type f)"
no_unit_failed
mayfly doctor | tee /tmp/doctor
check_equal "doctor finds no fault" "" "$(grep ^failed /tmp/doctor || true)"
check "  and that libvirt has seen the hook" grep -qE '^ok +libvirt hook' /tmp/doctor
check "  and that AppArmor lets it run" grep -qE '^ok +AppArmor +confines libvirtd' /tmp/doctor
for unit in mayfly-broker@ mayfly-recover; do
    check "$unit.service is confined" systemd-analyze security --no-pager --threshold=25 $unit.service
done >/tmp/security || { cat /tmp/security; false; }

useradd -m -s /bin/bash ann
as ann mayfly doctor >/tmp/doctor 2>&1 || true
check "a user is told of the group that is missing" grep -qE '^warning +group mayfly .*adduser ann mayfly' /tmp/doctor
adduser -q ann mayfly
adduser -q ann libvirt
setpriv --reuid ann --regid ann --clear-groups env HOME=/home/ann USER=ann mayfly doctor >/tmp/doctor 2>&1 || true
check "  and to log in again" grep -qE '^warning +group mayfly .*log in again' /tmp/doctor
as ann mayfly doctor
for user in root ann; do
    install -o $user -m 600 /share/guest.qcow2 "$(getent passwd $user | cut -d: -f6)/debian.qcow2"
done
END
