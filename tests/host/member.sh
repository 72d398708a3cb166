#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The life of an instance by mayfly and by virsh, as a member of the group mayfly.
. "$SRC/tests/host/lib.sh"

inside <<'END'
as ann mayfly launch web --image debian.qcow2 --root 256M --ephemeral 64M --swap 32M
guest_up web
check_equal "three disks are open" 3 "$(our_maps | wc -l)"
as ann virsh -q -c qemu:///system destroy web
lab_wait 60 bash -c '! dmsetup ls | grep -q dmcrypt' || fail "disks stay open: $(our_maps)"
ok "virsh destroy closes them"
as ann mayfly start web
guest_up web
as ann virsh -q -c qemu:///system shutdown web
lab_wait 300 bash -c '! dmsetup ls | grep -q dmcrypt' || fail "disks stay open: $(our_maps)"
ok "virsh shutdown closes them"
# the host has no right to a key of hers
status=0
virsh -q start web 2>/tmp/err || status=$?
check "a virsh start, which is the host's, says whose key it is: $(cat /tmp/err)" test "$status" != 0
as ann mayfly delete --yes web
nothing_left
no_unit_failed
END
