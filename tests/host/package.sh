#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The package while an instance runs: upgrade, removal, reinstallation, purge. tests/package has the rest of its life.
. "$SRC/tests/host/lib.sh"

"$SRC/tests/next-deb" "$SRC"/build/deb/mayfly_*.deb "$MACHINE/share/next.deb"
inside <<'END'
mayfly launch web --image debian.qcow2 --root 256M
guest_up web
qemu=$(cat /run/libvirt/qemu/web.pid)
same_guest() { check_equal "$1" "$qemu" "$(cat /run/libvirt/qemu/web.pid)"; }

apt-get -q install /share/next.deb
check "upgraded" grep -q '+next$' <(dpkg-query -W -f '${Version}\n' mayfly)
same_guest "the guest goes on"
check_equal "  with its disk" 1 "$(our_maps | wc -l)"
no_unit_failed
mayfly stop web --timeout 120
check_equal "the new one stops it, and closes its disk" "" "$(our_maps)"
mayfly start web
guest_up web
qemu=$(cat /run/libvirt/qemu/web.pid)

apt-get -q remove mayfly | tee /tmp/apt
check "a removal says which disk stays open" grep -q '^    .*-dmcrypt' /tmp/apt
same_guest "the guest goes on"
no_unit_failed
virsh -q destroy web
check_equal "its disk stays open" 1 "$(our_maps | wc -l)"
check "without Mayfly domains of others start" bash -c 'virsh -q define /dev/stdin <<<"<domain type=\"kvm\"><name>other</name><memory unit=\"MiB\">32</memory><os><type>hvm</type></os></domain>" && virsh -q start other'
virsh -q destroy other
virsh -q undefine other

apt-get -q install /share/build/deb/mayfly_*.deb
mayfly recover
check_equal "reinstalled, it closes the disk" "" "$(our_maps)"
virsh -q start web
guest_up web
mayfly delete --yes web
nothing_left
check_equal "dpkg finds it whole, but for its configuration" "" "$(dpkg --verify mayfly | grep -v /etc/mayfly/mayfly.conf || true)"

apt-get -q purge mayfly
check_equal "purged without instances, it leaves no file but seals of keys" "" \
    "$(find / -xdev -name '*mayfly*' -not -path '/share/*' -not -path '/var/lib/dpkg/*' -not -path '/var/lib/systemd/*' -not -path '/var/lib/mayfly*' -not -path '/var/cache/*' -not -path '/tmp/*' -not -path '/var/tmp/*' -not -path '/home/*')"
no_unit_failed
END
