# SPDX-License-Identifier: Apache-2.0
# The tests of volumes and maps again, where udevd runs, as it does on real hosts.
# lab: -u -d 200M -d 100M -t 3600
. "$SRC/lab/lib.sh"
check "udevd runs" test -S /run/udev/control
for script in storage-dmcrypt storage-lvm; do
    bash "$SRC/tests/lab/$script.sh"
done
