#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The life of instances: all that README shows, as root, with a file that only root may read; then by mayfly and by virsh, as a member
# of the group mayfly. Sizes and numbers are smaller than README's.
. "$SRC/tests/host/lib.sh"

smaller() { sed -E 's/--count [0-9]+/--count 3/; s/(--root|--ephemeral|--swap) [0-9]+G/\1 256M/g; s/ 60G/ 300M/'; }
lines=$(
    grep -m 1 -o 'mayfly launch ci .*' "$SRC/README.md" | smaller
    readme '## Use it' | smaller | grep -vE 'mayfly (bench|adopt)'
)
inside <<END
cp debian.qcow2 rescue.qcow2
cp debian.qcow2 next.qcow2
while IFS= read -r line; do
    [ -n "\$line" ] || continue
    echo "# \$line"
    case \$line in *" wait "*) (sleep 1 && virsh -q shutdown ci-3) & ;; esac
    check "README: \$line" bash -c "\$line"
    case \$line in
    *" launch "*) guest_up ci-3 ;;
    *" wait "*) mayfly start ci-3 && guest_up ci-3 ;;
    *" rescue "*) mayfly unrescue ci-3 ;;
    esac
done <<'LINES'
$lines
LINES
mayfly delete --yes ci-1 ci-2
nothing_left
END

inside <<'END'
as ann mayfly launch web --image debian.qcow2 --root 256M --ephemeral 64M --swap 32M
guest_up web
check_equal "three disks are open" 3 "$(our_maps | wc -l)"
as ann virsh -q -c qemu:///system destroy web
lab_wait 60 bash -c '! dmsetup ls | grep -q dmcrypt' || fail "disks stay open: $(our_maps)"
ok "virsh destroy closes them"
as ann mayfly start web
guest_up web
as ann virsh -q -c qemu:///system shutdown web
lab_wait 300 bash -c '! dmsetup ls | grep -q dmcrypt' || fail "disks stay open: $(our_maps)"
ok "virsh shutdown closes them"
# the host has no right to a key of hers
status=0
virsh -q start web 2>/tmp/err || status=$?
check "a virsh start, which is the host's, says whose key it is: $(cat /tmp/err)" test "$status" != 0
as ann mayfly delete --yes web
nothing_left
no_unit_failed
END
