# SPDX-License-Identifier: Apache-2.0
# kill -9 of mayfly, of its broker and of libvirtd at random moments of random things done to four instances: recover leaves
# nothing that shouldn't be, and every instance that was there has what was written to it. The moments come from a fixed seed.
# lab: -d 512M -m 1G -t 5400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
. "$SRC/tests/lab/lib-torture.sh"

rounds=9
RANDOM=2014
torture_step
torture_inspect

victim_of() { # WHAT: the newest process of that name that is at work, or libvirtd
    if [ "$1" = libvirtd ]; then cat /run/libvirtd.pid; else pgrep -n -x "$1"; fi
}

kill_one() { # WHAT: as soon as it is there, and a random moment more
    local pid
    while ! pid=$(victim_of "$1"); do
        kill -0 "$worker" 2>/dev/null || return 0
        sleep 0.02
    done
    sleep "0.$(printf '%02d' $((RANDOM % 50)))"
    kill -KILL "$pid" 2>/dev/null && echo "killed $1"
}

# The broker of a mayfly that was killed may still be at work for a moment, and keeps its locks so long.
not_busy() { ! { mayfly recover || true; } | grep -q '^busy'; }

victims=(mayfly mayfly-broker libvirtd)
for round in $(seq "$rounds"); do
    [ "$SECONDS" -lt 400 ] || break # on a slow machine
    victim=${victims[round % 3]}
    RANDOM=$((RANDOM + round))
    (torture_step) >/tmp/step 2>&1 &
    worker=$!
    kill_one "$victim" || true
    wait "$worker" || true
    grep '^-- ' /tmp/step
    if [ "$victim" = libvirtd ]; then
        rm -f /run/libvirtd.pid
        lab_libvirtd
    fi
    echo "round $round, kill -9 of $victim"
    lab_wait 120 not_busy
    torture_recover
    torture_inspect
    made=$round
done
ok "$made of $rounds rounds in $SECONDS s"
