#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An instance that answers by ssh over libvirt's own network, by README's lines.
. "$SRC/tests/host/lib.sh"

network=$(grep -m 1 -o 'virsh net-start default' "$SRC/README.md")
launch=$(grep -m 1 -o 'mayfly launch web .*--ssh-key .*' "$SRC/README.md" | sed 's/--root 20G/--root 256M/')
inside <<END
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
$network
$launch
END
inside <<'END'
guest_up web
address() { virsh -q domifaddr web | grep -oE '[0-9]+(\.[0-9]+){3}'; }
lab_wait 300 address || fail "it has no address"
answers() {
    ssh -n -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$(address)" true
}
lab_wait 300 answers || fail "it does not answer at $(address)"
ok "it answers by ssh at $(address)"
mayfly delete --yes web
nothing_left
END
