# SPDX-License-Identifier: Apache-2.0
# The broker's life and refusals again, where udevd runs, as it does on real hosts.
# lab: -u -d 500M -d 100M -t 4500
. "$SRC/lab/lib.sh"
check "udevd runs" test -S /run/udev/control
bash "$SRC/tests/lab/broker-life.sh"
lvremove -q -y vg0 >/dev/null 2>&1 || true
bash "$SRC/tests/lab/broker-refusals.sh"
