#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Power is cut during a launch of four, and during the delete of four. After the next boot all is in order, and nobody has lent a hand.
. "$SRC/tests/host/lib.sh"

# cut_when CONDITION COMMAND...: cuts the power while the command is at work, as soon as the condition holds there.
cut_when() {
    local condition=$1
    shift
    inside <<END
(setsid $* >/tmp/command 2>&1 &)
lab_wait 900 bash -c '$condition' || fail "it never came so far: \$(cat /tmp/command)"
END
    machine cut
    up
}

in_order() {
    inside <<'END'
booted
no_unit_failed
nothing_to_recover
check_equal "no disk is open" "" "$(our_maps)"
END
}

# shellcheck disable=SC2016 # for the bash there
cut_when 'lvs -S tags=mayfly.state=ready --noheadings | grep -q . || [ "$(lvs --noheadings -S tags=mayfly=1 | wc -l)" = 4 ]' \
    mayfly launch four --count 4 --image debian.qcow2 --root 256M --no-start
in_order
inside <<'END'
volumes=$(our_volumes | wc -l)
check "none of them, or all four are there ($volumes)" grep -qxE '0|4' <<<"$volumes"
check_equal "  with their keys" "$volumes" "$(our_keys | wc -l)"
check_equal "  and their domains" "$volumes" "$(our_domains | wc -l)"
[ "$volumes" = 4 ] || mayfly launch four --count 4 --image debian.qcow2 --root 256M --no-start
mayfly start four-1
guest_up four-1
mayfly stop four-1
END

cut_when 'lvs -S tags=mayfly.state=doomed --noheadings | grep -q .' mayfly delete --yes four-1 four-2 four-3 four-4
in_order
inside <<'END'
nothing_left
END
