# SPDX-License-Identifier: Apache-2.0
# Who may not: another project, a user without a role, the host without access, a token that is no longer good. Each is refused,
# and nothing is changed. Then the same with a fresh token.
# openstack: -T 90 -d 512M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda
old=$(openstack api token alice) issued=$SECONDS

check "alice launches" as alice mayfly launch a --root 16M --no-start
key=$(key_id a)
check_equal "bob's project does not have her secret" "" "$(openstack api secrets bob)"
for verb in start open "delete --yes"; do
    # shellcheck disable=SC2086 # a verb, perhaps with an option
    refused 2 "key barbican:$key: .*403" "bob may not $verb it" as bob mayfly $verb a
done
refused 2 "403" "carol, without a role for secrets, may not open it" as carol mayfly open a
refused 2 "403" "dave, who may read, may not delete it" as dave mayfly delete --yes a
refused 2 "403" "the host may not start it, without host_access" mayfly start a
refused 2 "Keystone .* refuses" "nor may anyone with a wrong password" as alice env OS_PASSWORD=wrong mayfly open a

revoked=$(openstack api token alice)
check "a token of alice's opens it" with_token "$revoked" mayfly open a
check "  and needs none to close it" mayfly close a
openstack api revoke "$revoked"
expires=$((issued + 95 - SECONDS))
[ "$expires" -le 0 ] || sleep "$expires"
world_changed
refused 2 "expired or was revoked" "start with a revoked token" with_token "$revoked" mayfly start a
refused 2 "expired or was revoked" "delete with it" with_token "$revoked" mayfly delete --yes a
refused 2 "expired or was revoked" "open with one that has expired" with_token "$old" mayfly open a
refused 2 "expired or was revoked" "delete with it" with_token "$old" mayfly delete --yes a
refused 2 "expired or was revoked" "launch with it" with_token "$old" mayfly launch b --root 16M --no-start

openstack api token alice >/run/token
check "with a fresh one, by --token-fd, it is opened" mayfly --token-fd 3 open a 3</run/token
openstack api token alice >/run/token
check "  and deleted" mayfly --token-fd 3 delete --yes a 3</run/token
nothing_left
