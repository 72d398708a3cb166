# SPDX-License-Identifier: Apache-2.0
# The lab with and without systemd-udevd: who makes the nodes of devices.
# host: -t 1080
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

# In both labs the same: a volume and a map, made by commands that know nothing of the lab.
script='
    . "$LAB_HOME/lib.sh"
    lab_vg vg0 "$LAB_DISKS"
    lvcreate -q -Zn -Wn -y -n one -L 8M vg0 >/dev/null
    check "the volume has a node" test -b /dev/vg0/one
    dmsetup create two --table "0 8 zero"
    check "the map has a node" test -b /dev/mapper/two
    check "no cookie is left" test -z "$(dmsetup udevcookies --noheadings 2>&1 | grep 0xd4d)"
    dmsetup remove two
    check_fails 1 "and loses it" test -e /dev/mapper/two
'
"$SRC/lab/run" -d 64M -- bash -c "$script"'
    check_fails 1 "no udevd is to be seen" test -e /run/udev/control
    check_equal "the environment does not say so" "" "$(env | grep ^DM_ || true)"
'
"$SRC/lab/run" -u -d 64M -- bash -c "$script"'
    check "udevd is to be seen" test -e /run/udev/control
    check_equal "LVM waits for it" udev_sync=1 "$(lvmconfig --type full activation/udev_sync)"
    dmsetup create three --table "0 8 zero"
    check "udevd made the link" test -L /dev/mapper/three
'
