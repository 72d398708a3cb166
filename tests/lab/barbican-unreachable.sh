# SPDX-License-Identifier: Apache-2.0
# Keystone or Barbican is down, or does not answer: exit status 6, nothing is made, nothing is opened; and once they are back all
# is as it was.
# openstack: -d 512M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda
as alice mayfly launch a --root 16M --no-start >/dev/null
before=$(world)
openstack_config barbican.request_timeout=2 barbican.deadline=8

unreachable() { # PATTERN WHAT COMMAND...
    local pattern=$1 what=$2
    shift 2
    check_fails 6 "$what" "$@" 2>/tmp/err
    check "  and it is said: $(cat /tmp/err)" grep -q "$pattern" /tmp/err
}
three_ways() { # PATTERN WHAT
    unreachable "$1" "$2: launch" as alice mayfly launch b --count 2 --root 16M --no-start
    unreachable "$1" "$2: open" as alice mayfly open a
    unreachable "$1" "$2: start" as alice mayfly start a
}

openstack down barbican
three_ways barbican "Barbican is down"
openstack up
check_equal "nothing has changed" "$before" "$(world)"

openstack down keystone
three_ways Keystone "Keystone is down"
openstack up
check_equal "nothing has changed" "$before" "$(world)"

fault 'hang GET .*/payload'
unreachable 'barbican' "Barbican does not answer: open" as alice mayfly open a
fault_end
check_equal "nothing has changed" "$before" "$(world)"

openstack_config
check "now it opens" as alice mayfly open a
check "and is deleted" as alice mayfly delete --yes a
nothing_left
