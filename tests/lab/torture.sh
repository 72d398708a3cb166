# SPDX-License-Identifier: Apache-2.0
# Twelve power cuts at random moments of random things done to four instances. After each boot recover leaves no volume, map, key
# or domain that shouldn't be, every instance that was there has what was written to it, and the disk has no byte of that in
# the clear. The moments come from a fixed seed. On a slow machine it leaves off after TORTURE_SECONDS, and says how many there
# were. `make torture` makes 200.
# host: -t 30000
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

cuts=${TORTURE_CUTS:-12} seed=${TORTURE_SEED:-2014} limit_sec=${TORTURE_SECONDS:-900}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 512M "$work/disk"
truncate -s 64M "$work/state"

lab() { # SCRIPT
    "$SRC/lab/run" -m 1G -t 1200 -s "$BUILD" -d "$work/disk" -d "$work/state" -- \
        env SRC="$SRC" BUILD="$BUILD" bash -c '
            . "$SRC/lab/lib.sh"; . "$SRC/lab/lib-mayfly.sh"
            lab_state /dev/ubdb
            lab_qemu_user=libvirt-qemu # who reaches the sockets of disks
            host_up /dev/ubda
            ledger=/run/lab/state/ledger
            . "$SRC/tests/lab/lib-torture.sh"
            torture_recover
            torture_inspect
            '"$1"
}

# How long things take, for moments to be chosen from: the first of all, a launch of four.
lab '
    RANDOM='"$seed"'
    start=$(date +%s%N)
    torture_step
    echo "a step takes $((($(date +%s%N) - start) / 1000000)) ms"
    sync' | tee "$work/out"
step_ms=$(sed -n 's/^a step takes \([0-9]*\) ms$/\1/p' "$work/out")

RANDOM=$seed made=0
for i in $(seq "$cuts"); do
    [ "$SECONDS" -lt "$limit_sec" ] || break
    moment_ms=$((RANDOM % step_ms))
    echo "cut $i of $cuts, after $moment_ms ms"
    status=0
    lab '
        RANDOM='"$RANDOM"'
        (sleep '"$(printf '%d.%03d' $((moment_ms / 1000)) $((moment_ms % 1000)))"'; : >"$LAB_JOB/POWERCUT") &
        while true; do torture_step; done' >"$work/out" 2>&1 || status=$?
    grep -E '^(ok|--|failed)' "$work/out" || true
    [ "$status" = 99 ] || fail "cut $i at $moment_ms ms, seed $seed: the lab ended with $status: $(tail -n 20 "$work/out")"
    made=$i
done
lab 'marks_read=$(for name in "${torture_names[@]}"; do entry "$name"; done | wc -l); ok "$marks_read instances at the end"; sync'
check_equal "nothing that was written is on the disk in the clear" 0 "$("$SRC/lab/search" "$work/disk" MAYFLY-PLAINTEXT)"
check "  where the tags of volumes are" test "$("$SRC/lab/search" "$work/disk" mayfly.instance)" -gt 0
ok "$made of $cuts power cuts in $SECONDS s, nothing left, nothing lost"
