#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A boot: instances with autostart come up, nobody waits for Mayfly, and LVM leaves the groups inside guests' disks alone.
. "$SRC/tests/host/lib.sh"

# A guest that has made a volume group of its disk, without any partition.
inside <<'END'
mayfly launch web --image debian.qcow2 --root 256M --ephemeral 64M --no-start
mayfly open web
map=/dev/mapper/$(our_maps | grep eph0)
wipefs -q -a "$map"
pvcreate -q "$map"
vgcreate -q guests "$map"
lvcreate -q -n data -L 8M guests >/dev/null
vgchange -q -an guests
mayfly close web
virsh -q autostart web
sync
END

reboot
inside <<'END'
booted
check_equal "it runs" running "$(virsh -q domstate web)"
guest_up web
check_equal "its disks are open" 2 "$(our_maps | wc -l)"
udevadm trigger --subsystem-match=block
udevadm settle
check_equal "the group inside its disk is not activated" "" "$(dmsetup ls | grep guests || true)"
no_unit_failed
nothing_to_recover
check_equal "recover has run, and had nothing to complain of" success "$(systemctl show -P Result mayfly-recover)"
check_equal "multi-user.target waits for none of our services" "" \
    "$(systemd-analyze critical-chain --no-pager multi-user.target | grep 'mayfly.*service' || true)"
without=$(</root/boot-without) with=$(systemctl show -P ActiveEnterTimestampMonotonic multi-user.target)
check "multi-user after $((with / 1000000)) s, where it was $((without / 1000000)) s without Mayfly" test $((with - without)) -le 10000000
mayfly delete --yes web
nothing_left
END
