# SPDX-License-Identifier: Apache-2.0
# Delete destroys the secret in Barbican. If Barbican cannot be reached, the instance is stopped and stays doomed, and recover
# finishes when it is back.
# openstack: -d 512M -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read
gone() { check_equal "$1" "status 404 404 404" "$(openstack api show alice "$2")"; } # WHAT ID

as alice mayfly launch a --count 2 --root 16M --ephemeral 16M --memory 64M >/dev/null
first=$(key_id a-1) second=$(key_id a-2)
check_equal "it is there before" "status 200 200 200" "$(openstack api show alice "$first" | head -n 1)"
check "delete" as alice mayfly delete --yes a-1
gone "the secret is gone, with its payload and consumer" "$first"
check "the other one's is not" grep -q "^$second" <(our_keys)

openstack down barbican
check_fails 6 "delete without Barbican" as alice mayfly delete --yes a-2 2>/tmp/err
check "  says what will finish it: $(cat /tmp/err)" grep -q "$second.*mayfly recover" /tmp/err
check_equal "  the domain was stopped and is gone" "" "$(our_domains)"
check_equal "  so are the maps" "" "$(our_maps)"
check_equal "  both volumes are doomed" 2 "$(lvs --noheadings -o lv_name -S 'tags="mayfly.state=doomed"' | wc -l)"
check_fails 9 "it is not opened any more" as alice mayfly open a-2
check_fails 6 "recover cannot finish it yet" as alice mayfly recover
check_equal "  and leaves the volumes, which name the key" 2 "$(our_volumes | wc -l)"

openstack up
check "the secret has outlived that" grep -q "^$second" <(our_keys)
check "recover" as alice mayfly recover
gone "the secret is gone" "$second"
nothing_left
