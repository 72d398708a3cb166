#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the journal has of all that the other scripts did: no denial by AppArmor, no warning of LVM or udev, few lines of ours.
. "$SRC/tests/host/lib.sh"

inside <<'END'
journalctl --no-pager >/tmp/journal
check_equal "AppArmor denied nothing" "" "$(grep 'apparmor="DENIED"' /tmp/journal || true)"
journalctl --no-pager -p warning >/tmp/warnings
# what LVM prints while it activates a group at boot has the priority of a warning
check_equal "no warning of LVM, device-mapper or udev" "" "$(grep -E '(lvm|dmeventd|systemd-udevd|dmsetup|kernel: device-mapper)' /tmp/warnings |
    grep -vE 'PV .* online, VG .* is complete|VG .* finished|CONFIG_IMA_DISABLE_HTABLE|is taking a long time' || true)"
check_equal "no unit of ours was killed, or failed" "" "$(grep -E 'systemd\[1\]: mayfly.*(Failed|killed|timed out)' /tmp/journal || true)"
END
