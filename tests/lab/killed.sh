# SPDX-License-Identifier: Apache-2.0
# kill -9 of mayfly, of its broker, of processes that serve disks and of libvirtd at random moments of random things done to four
# instances, of either engine: recover leaves nothing that shouldn't be, and every instance that was there has what was written to
# it. The moments come from a fixed seed.
# lab: -d 512M -m 1G -t 5400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
lab_qemu_user=libvirt-qemu # who reaches the sockets of disks
host_up /dev/ubda
. "$SRC/tests/lab/lib-torture.sh"
torture_launch+=(--engine user) # until the engine is changed

. "$SRC/tests/lab/lib-killed.sh"

victim_of() { # the newest process of that name that is at work, or libvirtd
    if [ "$1" = libvirtd ]; then cat /run/libvirtd.pid; else pgrep -n -x "$1"; fi
}
revive() {
    [ "$1" = libvirtd ] || return 0
    rm -f /run/libvirtd.pid
    lab_libvirtd
}
killed_rounds 12 400 mayfly mayfly-broker mayfly-disks libvirtd
