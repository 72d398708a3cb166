#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The host is switched off while guests run: they end, their disks are closed, nothing hangs, and nothing is to be put in order.
. "$SRC/tests/host/lib.sh"

inside <<'END'
mayfly launch web --image debian.qcow2 --root 256M --count 2
guest_up web-1
guest_up web-2
END
machine off
ok "off, within the time"
up
inside <<'END'
booted
journalctl -b -1 --no-pager >/tmp/journal
check_equal "the guests were shut down" 2 "$(grep -cE 'libvirt-guests.sh.*Shutdown of guest web-[12] complete' /tmp/journal)"
check_equal "  and their disks closed" 2 "$(grep -cE 'instance web-[12] .*: close: done' /tmp/journal)"
check_equal "no unit had to be killed" "" "$(grep -E 'systemd.*(timed out|Killing process|SIGKILL)' /tmp/journal || true)"
check_equal "no device was busy" "" "$(grep -iE 'device-mapper.*(busy|error)|Failed to deactivate|still in use' /tmp/journal || true)"
no_unit_failed
nothing_to_recover
mayfly start web-1
guest_up web-1
mayfly delete --yes web-1 web-2
nothing_left
END
