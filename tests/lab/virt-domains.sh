#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab: -d 64M -m 1G -t 2700
# The connection to a real libvirtd: the unit test's domains, from the built-in template, with QEMU (TCG).
# shellcheck source=lab/lib.sh
. "$SRC/lab/lib.sh"
requires libvirtd virsh qemu-system-x86_64 "$BUILD/tests/unit/test_virt"

disk=${LAB_DISKS%% *}
export MAYFLY_TEST_URI=qemu:///system MAYFLY_TEST_DISK=$disk

status=0
output=$("$BUILD/tests/unit/test_virt" 2>&1) || status=$?
[ "$status" != 0 ] || fail "the test passed without libvirtd"
grep -q "run systemctl start libvirtd" <<<"$output" || fail "no libvirtd, and no word of it: $output"
ok "without libvirtd it says so"

lab_libvirtd
"$BUILD/tests/unit/test_virt" || fail "over qemu:///system (log: $(tail -3 /var/log/libvirt/libvirtd.log))"
ok "define, start, list, shut down, destroy, undefine over qemu:///system"

check_equal "no domain is left" "" "$(virsh -q -c qemu:///system list --all --name)"
check_equal "no file of one is left" "" "$(find /etc/libvirt/qemu /var/lib/libvirt/qemu -name 'mayfly-*')"

qemu_log=/var/log/libvirt/qemu/mayfly-test.log
check "the guest's RAM is left out of core dumps" grep -q 'dump-guest-core=off' "$qemu_log"
check "the disk is used past the page cache" grep -q '"cache":{"direct":true' "$qemu_log"
check "the guest sees 512-byte sectors on 4096" \
    grep -q '"logical_block_size":512,"physical_block_size":4096' "$qemu_log"
