# SPDX-License-Identifier: Apache-2.0
# 8 power cuts at random moments of a launch of four: after boot and recover no volume, map, key or domain is left that
# shouldn't be, and an instance that was ready before has its data. The moments come from a fixed seed.
# host: -t 3000
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

cuts=${POWERCUTS:-8} seed=${POWERCUT_SEED:-2014}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 1G "$work/disk"
truncate -s 64M "$work/state"

lab() { # OPTIONS... -- SCRIPT
    local lab_options=()
    while [ "$1" != -- ]; do lab_options+=("$1"); shift; done
    "$SRC/lab/run" -m 1G -t 200 -s "$BUILD" -d "$work/disk" -d "$work/state" "${lab_options[@]}" -- \
        env SRC="$SRC" BUILD="$BUILD" bash -c '
            . "$SRC/lab/lib.sh"; . "$SRC/lab/lib-mayfly.sh"
            lab_state /dev/ubdb
            host_up /dev/ubda
            '"$2"
}

# The instance that must survive, with known contents; and how long a whole launch takes.
lab -- '
    mayfly launch keeper --root 16M --ephemeral 16M --no-start
    mayfly open keeper
    repeat KEEPER 16M | dd of="$(disk_device keeper eph0)" bs=1M iflag=fullblock oflag=direct status=none
    mayfly close keeper
    start=$(date +%s%N)
    mayfly launch timing --count 4 --root 16M --ephemeral 16M --swap 16M --no-start
    echo "launch takes $((($(date +%s%N) - start) / 1000000)) ms"
    mayfly delete timing-1 timing-2 timing-3 timing-4
    sync' | tee "$work/out"
whole_ms=$(sed -n 's/^launch takes \([0-9]*\) ms$/\1/p' "$work/out")

inspect='
    mayfly recover || fail "recover found what it cannot mend"
    check "  again: nothing to do" grep -q "All is in order" <(mayfly recover)
    left=$(our_volumes | wc -l) keys=$(our_keys | wc -l) domains=$(our_domains | wc -l)
    whole=$(our_domains | grep -c "^cut-" || true)
    check_equal "  volumes are those of keeper and of whole instances" $((2 + 3 * whole)) "$left"
    check_equal "  as are the keys" $((1 + whole)) "$keys"
    check_equal "  and the domains" $((1 + whole)) "$domains"
    check_equal "  no map is left" "" "$(our_maps)"
    if [ "$whole" != 0 ]; then
        mapfile -t names < <(our_domains | grep "^cut-")
        check "  the whole ones open" mayfly open "${names[@]}"
        check "  and close" mayfly close "${names[@]}"
        check "  and are deleted" mayfly delete "${names[@]}"
    fi
    mayfly open keeper
    check "  keeper has its data" cmp <(repeat KEEPER 16M) <(dd if="$(disk_device keeper eph0)" bs=1M iflag=direct status=none)
    mayfly close keeper
    sync'

# One boot for each cut: what the last one left is put in order and looked at, then comes the next launch.
RANDOM=$seed
look=
for i in $(seq "$cuts"); do
    moment_ms=$((RANDOM % (whole_ms + whole_ms / 10)))
    echo "cut $i of $cuts, ${moment_ms} ms into the launch"
    status=0
    lab -- "$look"'
        (sleep '"$(printf '%d.%03d' $((moment_ms / 1000)) $((moment_ms % 1000)))"'; : >"$LAB_JOB/POWERCUT") &
        mayfly launch cut --count 4 --root 16M --ephemeral 16M --swap 16M --no-start
        sleep 60' >"$work/out" 2>&1 || status=$?
    grep -vE '^cut-' "$work/out" || true
    [ "$status" = 99 ] || fail "cut $i at $moment_ms ms, seed $seed: the lab ended with $status, not by a power cut"
    look=$inspect
done
lab -- "$inspect"
ok "$cuts power cuts, nothing left, nothing lost"
