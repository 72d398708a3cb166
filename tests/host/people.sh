#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two people at once on two instances, one with virsh, one with mayfly. Each may be refused, in plain words and with a documented exit
# status, and neither gets stuck; after that all is as it was.
. "$SRC/tests/host/lib.sh"

inside <<'END'
mayfly launch web --root 16M --count 2 --no-start

at_virsh() {
    for name in web-1 web-2; do
        for verb in start dominfo destroy start reboot destroy; do
            timeout 900 virsh -q "$verb" "$name" >/tmp/said 2>&1
            echo "$? virsh $verb $name: $(tail -n 1 /tmp/said)"
        done
    done
}
at_mayfly() {
    for name in web-2 web-1; do
        for verb in "start $name" "show $name" "stop $name --timeout 5" list "start $name" "reboot $name --hard" "stop $name --force --timeout 0"; do
            # shellcheck disable=SC2086 # words
            timeout 900 mayfly $verb >/tmp/answered 2>&1
            echo "$? mayfly $verb: $(tail -n 1 /tmp/answered)"
        done
    done
}
set +eE
at_virsh >/tmp/virsh &
virsh_pid=$!
at_mayfly >/tmp/mayfly
wait $virsh_pid
set -eE
cat /tmp/virsh /tmp/mayfly
check_equal "nobody got stuck" "" "$(grep -h '^124 ' /tmp/virsh /tmp/mayfly || true)"
check_equal "mayfly's exit statuses are those of a refusal" "" "$(grep -vE '^(0|1|5|8|10) ' /tmp/mayfly || true)"
check_equal "no word of an internal error" "" "$(grep -hiE 'internal error|assert|unknown error|Success$' /tmp/mayfly || true)"
check_equal "nobody is told to resume what virsh starts" "" "$(grep -h 'virsh resume' /tmp/mayfly || true)"
for name in web-1 web-2; do
    virsh -q destroy $name 2>/dev/null || true
done
lab_wait 120 bash -c '! dmsetup ls | grep -q dmcrypt' || mayfly recover
nothing_to_recover
for name in web-1 web-2; do
    mayfly start $name
    check_equal "$name runs" running "$(virsh -q domstate $name | head -n 1)"
done
mayfly delete --yes web-1 web-2
nothing_left
no_unit_failed
END
