# SPDX-License-Identifier: Apache-2.0
# kill -9 of mayfly, of the processes that serve disks, and of libvirtd, at random moments of random things that a user without root
# does to two instances whose disks are files: recover leaves nothing that shouldn't be, and every instance that was there has what
# was written to it. The moments come from a fixed seed.
# lab: -d 512M -d 16M -m 1G -t 1800
# shellcheck disable=SC2016 # what is in single quotes is for the user's shell
. "$SRC/lab/lib.sh"
. "$SRC/tests/lab/lib-pool.sh"
pool_home ext4 /dev/ubda /dev/ubdb
# The user's libvirtd starts anew with the next connection.
pool_user '. "$SRC/tests/lab/lib-killed.sh"
    victim_of() { # of a keeper and its worker either
        local pid ppid
        pid=$(pgrep -n -x "$1") || return 1
        read -r _ _ _ ppid _ <"/proc/$pid/stat"
        if [ "$1" = mayfly-disks ] && [ "$ppid" != 1 ] && [ $((RANDOM % 2)) = 0 ]; then pid=$ppid; fi
        echo "$pid"
    }
    killed_rounds 9 240 mayfly mayfly-disks libvirtd'
