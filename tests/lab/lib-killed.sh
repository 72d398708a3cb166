# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at random moments of what lib-torture.sh does, behind which this is to be sourced. killed_rounds ROUNDS SECONDS VICTIM...

# The newest process of that name that is at work.
victim_of() { pgrep -n -x "$1"; }

# What has to be started again by hand.
revive() { :; }

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

killed_rounds() {
    local rounds=$1 limit_sec=$2 round victim made=0 victims=("${@:3}")
    RANDOM=2014
    torture_step
    torture_inspect
    for round in $(seq "$rounds"); do
        [ "$SECONDS" -lt "$limit_sec" ] || break # on a slow machine
        victim=${victims[round % ${#victims[@]}]}
        RANDOM=$((RANDOM + round))
        (torture_step) >/tmp/step 2>&1 &
        worker=$!
        kill_one "$victim" || true
        wait "$worker" || true
        grep '^-- ' /tmp/step
        revive "$victim"
        echo "round $round, kill -9 of $victim"
        lab_wait 120 not_busy
        torture_recover
        torture_inspect
        made=$round
    done
    ok "$made of $rounds rounds in $SECONDS s"
}
