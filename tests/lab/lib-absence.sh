# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts about absence share: absence.sh, absence-groups.sh. A look at volumes or keys is made incomplete in one way
# after another, and in each of them list, recover, key destroy and delete are run. No key is destroyed, no volume that is
# ready goes, and what is in doubt is told of. To be sourced behind lab/lib-mayfly.sh.
#
#   tried WAY TOLD NAME...   a way has begun: no verb destroys anything, the NAMEs are not deleted
#   mended WAY               it has ended: all keys and volumes are there
#   goes NAME                one of a batch goes, and its key stays for the others
virsh() { command virsh -q -c qemu:///system "$@"; }
tags() { lvs --noheadings -o lv_tags "$1" | tr -d ' ' | tr , '\n'; }
tag_of() { tags "$1" | grep "^$2="; }
lvm_setting() { printf '%s\n' "$1" >/etc/lvm/lvmlocal.conf; }
option() { printf '%s\n' "$@" >/etc/mayfly/mayfly.conf.d/absence.conf; }
mkdir -p /etc/mayfly/mayfly.conf.d
as=() # who asks: root, or `setpriv ...`

# All but the instances that go on purpose, which are called many-N.
state_of_all() {
    our_keys
    lvs --noheadings -o lv_name,lv_tags vg0 | grep -v 'mayfly.name=many' | sort
}
# What is there now is what must be there after each way; its keys are asked for by each `key destroy`.
remember() { # KEY...
    there=$(state_of_all)
    keys=("$@")
    n_ways=0
}

# TOLD is a regular expression.
tried() {
    local way=$1 told=$2
    shift 2
    n_ways=$((n_ways + 1))
    : >/tmp/told
    "${as[@]}" mayfly list >>/tmp/told 2>&1 || true
    "${as[@]}" mayfly recover >>/tmp/told 2>&1 || true
    ! "${as[@]}" mayfly key destroy --yes "${keys[@]}" >>/tmp/told 2>&1 || fail "$way: key destroy: $(cat /tmp/told)"
    [ $# = 0 ] || ! "${as[@]}" mayfly delete --yes "$@" >>/tmp/told 2>&1 || fail "$way: delete of $*: $(cat /tmp/told)"
    ! grep -E '^(destroyed|deleted|removed)|: (destroyed|deleted)' /tmp/told || fail "$way: something went"
    ! grep -q 'mayfly delete$' /tmp/told || fail "$way: advises a delete: $(cat /tmp/told)"
    grep -E -m 1 -- "$told" /tmp/told >/tmp/line || fail "$way: not told '$told' in: $(cat /tmp/told)"
    ok "$way: $(head -c 250 /tmp/line)"
}
mended() { check_equal "  all keys and volumes are there" "$there" "$(state_of_all)"; }
goes() { check "  and $1 goes, while its key stays" grep -q 'stays for' <(mayfly delete --yes "$1" 2>&1); }
