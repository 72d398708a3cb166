# SPDX-License-Identifier: Apache-2.0
# Four power cuts at random moments of random things that a user without root does to two instances whose disks are files, on
# ext4 and on XFS in turn. After each boot recover leaves no file, folder, key or domain that shouldn't be, every instance that was
# there has what was written to it, and the disk has no byte of that in the clear. The moments come from a fixed seed. On a slow
# machine it leaves off after TORTURE_SECONDS, and says how many there were. `make torture` makes 200.
# host: -t 30000
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

cuts=${TORTURE_CUTS:-4} seed=${TORTURE_SEED:-2014} limit_sec=${TORTURE_SECONDS:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
file_systems=(ext4 xfs)
for fs in "${file_systems[@]}"; do
    truncate -s 512M "$work/$fs"
    truncate -s 16M "$work/$fs.ledger"
done

lab() { # FILESYSTEM SCRIPT, which the user's shell runs; ROOT may be something that root's does before
    "$SRC/lab/run" -m 1G -t 600 -s "$BUILD" -d "$work/$1" -d "$work/$1.ledger" -- \
        env SRC="$SRC" BUILD="$BUILD" bash -c '
            . "$SRC/lab/lib.sh"; . "$SRC/tests/lab/lib-pool.sh"
            pool_home "$1" /dev/ubda /dev/ubdb
            eval "$3"
            pool_user "torture_recover; torture_inspect; $2"' lab "$1" "$2" "${ROOT-}"
}

# How long things take, for moments to be chosen from: most take less than half of the first of all, a launch of both.
launch_ms=0
for fs in "${file_systems[@]}"; do
    lab "$fs" '
        RANDOM='"$seed"'
        start=$(date +%s%N)
        torture_step
        echo "a launch takes $((($(date +%s%N) - start) / 1000000)) ms"
        sync -f "$HOME"' | tee "$work/out"
    took=$(sed -n 's/^a launch takes \([0-9]*\) ms$/\1/p' "$work/out")
    [ "$launch_ms" -gt "$took" ] || launch_ms=$took
done

RANDOM=$seed made=0
for i in $(seq "$cuts"); do
    [ "$SECONDS" -lt "$limit_sec" ] || break
    fs=${file_systems[i % 2]} moment_ms=$((RANDOM % (launch_ms / 2))) writeback=soon
    [ $((RANDOM % 2)) = 0 ] || writeback=never
    echo "cut $i of $cuts, on $fs, after $moment_ms ms, what is not synced is written $writeback"
    status=0
    ROOT='pool_writeback '"$writeback"'
        mkfifo -m 666 /run/begin
        (read -r </run/begin; sleep '"$(printf '%d.%03d' $((moment_ms / 1000)) $((moment_ms % 1000)))"'; : >"$LAB_JOB/POWERCUT") &' \
        lab "$fs" 'echo >/run/begin
            RANDOM='"$RANDOM"'
            while true; do torture_step; done' >"$work/out" 2>&1 || status=$?
    grep -E '^(ok|--|failed)' "$work/out" || true
    [ "$status" = 99 ] || fail "cut $i at $moment_ms ms, seed $seed: the lab ended with $status: $(tail -n 20 "$work/out")"
    made=$i
done

for fs in "${file_systems[@]}"; do
    check_equal "nothing that was written is on $fs in the clear" 0 "$("$SRC/lab/search" "$work/$fs" MAYFLY-PLAINTEXT)"
    check "  where tags are" test "$("$SRC/lab/search" "$work/$fs" mayfly.instance)" -gt 0
    lab "$fs" 'if [ -z "$(ls "$ledger")" ]; then do_launch t-1; fi
        name=$(ls "$ledger" | head -n 1)
        do_write "$name"
        mayfly export "$name" "$HOME/open" --plaintext --disk eph0 >/dev/null
        sync -f "$HOME"'
    check "  and would be found" test "$("$SRC/lab/search" "$work/$fs" MAYFLY-PLAINTEXT)" -gt 0
done
ok "$made of $cuts power cuts in $SECONDS s, nothing left, nothing lost"
