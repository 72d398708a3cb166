#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The life of instances: all that README shows, as root, with a file that only root may read. Sizes and numbers are smaller than README's.
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
    *" launch "*) guest_up ci-3 && virsh -q destroy ci-1 && virsh -q destroy ci-2 ;; # they would cost time
    *" start "* | *" reboot "*) guest_up ci-3 ;;
    *" wait "*) mayfly start ci-3 && guest_up ci-3 ;;
    *" rescue "*) mayfly unrescue ci-3 ;;
    esac
done <<'LINES'
$lines
LINES
mayfly delete --yes ci-1 ci-2
rm ci-3.qcow2
check "the exported image's key is left" mayfly key destroy --yes "local:\$(our_keys)"
nothing_left
END
