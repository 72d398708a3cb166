# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# tests/lab/lib-broker.sh: what the tests of mayfly-broker share. To be sourced behind lab/lib.sh.
broker=$BUILD/src/broker/mayfly-broker
probe=$BUILD/tests/lab/broker-probe
# shellcheck disable=SC2034 # for those who source it
a=11111111-1111-4111-8111-111111111111 b=22222222-2222-4222-8222-222222222222
lab_config libvirt.images_volume_group=vg0

# talk WHAT COMMANDS ANSWERS: the lines of COMMANDS must be answered by the words of ANSWERS.
talk() {
    local answers
    answers=$("$probe" "$broker" <<<"$2" 2>/tmp/sentences | grep -v '^volume ok$' | sed 's/^[a-z]* ok$/ok/; s/^  //')
    [ "$(xargs <<<"$3")" = "$(xargs <<<"$answers")" ] || cat /tmp/sentences >&2
    check_equal "$1" "$(xargs <<<"$3")" "$(xargs <<<"$answers")"
}

volumes() { lvs --noheadings -o lv_name "$1" | xargs; }
