# SPDX-License-Identifier: Apache-2.0
# What Keystone and Barbican are asked, counted there: one token for a run, three requests for a new key and one for a fetched
# one, and no key is fetched that is known.
# openstack: -d 1G -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read

# asked WHAT COMMAND...: carries it out; what it asked is what requests tells then.
asked() {
    requests_forget
    check "$@"
}
# Of one key, by its id; that of making it has none.
most_of_a_key() { requests | sed -nE 's|.* /v1/secrets/([0-9a-f-]{36}).*|\1|p' | sort | uniq -c | sort -n | awk 'END { print $1 + 0 }'; }

asked "launch of ten with three disks each" \
    as alice mayfly launch many --count 10 --root 16M --ephemeral 16M --swap 16M --memory 64M --no-start
check_equal "  one token" 1 "$(count_requests '^POST /v3/auth/tokens 201$')"
check_equal "  ten secrets" 10 "$(count_requests '^POST /v1/secrets 201$')"
check_equal "  ten accesses for the host" 10 "$(count_requests '^PUT /v1/secrets/[^/]+/acl 200$')"
check_equal "  ten consumers" 10 "$(count_requests '^POST /v1/secrets/[^/]+/consumers 200$')"
check_equal "  two requests at most about any that is there" 2 "$(most_of_a_key)"
check_equal "  and nothing else: no key is fetched" 31 "$(requests | wc -l)"

fetched="POST /v3/auth/tokens 201
GET /v1/secrets/$(key_id many-1)/payload 200"
asked "open" as alice mayfly open many-1
check_equal "  one token, one key, though there are three disks" "$fetched" "$(requests)"
asked "close" as alice mayfly close many-1
check_equal "  asks nothing" "" "$(requests)"
asked "start" as alice mayfly start many-1
check_equal "  one token, one key" "$fetched" "$(requests)"
asked "stop" as alice mayfly stop many-1 --timeout 0 --force
check_equal "  asks nothing" "" "$(requests)"
asked "list, show" eval 'as alice mayfly list && as alice mayfly show many-1'
check_equal "  ask nothing" "" "$(requests)"
asked "open of ten" as alice mayfly open many-{1..10}
check_equal "  one token, and each key once" "11 10" \
    "$(requests | wc -l) $(requests | grep -E '^GET .*/payload 200$' | sort -u | wc -l)"

asked "recover" as alice mayfly recover
check_equal "  one token, one page of the list, and the empty one that ends it" "POST /v3/auth/tokens 201
GET /v1/secrets 200
GET /v1/secrets 200" "$(requests)"

asked "delete of ten" as alice mayfly delete --yes many-{1..10}
check_equal "  one token" 1 "$(count_requests '^POST /v3/auth/tokens 201$')"
check_equal "  each is destroyed once" 10 "$(count_requests '^DELETE /v1/secrets/[^/]+ 204$')"
check_equal "  three requests for each: may it be, do it, is it gone" 3 "$(most_of_a_key)"
nothing_left
