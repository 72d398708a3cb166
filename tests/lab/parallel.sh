# SPDX-License-Identifier: Apache-2.0
# Many at once: eight launches, then eight deletes, each beside two runs of recover; three starts by one command; two launches of
# one name; two deletes of one instance. No deadlock, no interference, each result right.
# lab: -d 1G -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda

pids=()
begin() { # COMMAND...: in the background; its output goes to /tmp/at-once.N
    "$@" >"/tmp/at-once.${#pids[@]}" 2>&1 &
    pids+=($!)
}
take_statuses() { # into found: of all that was begun, in that order
    local pid status
    for pid in "${pids[@]}"; do
        status=0
        wait "$pid" || status=$?
        found+=("$status")
    done
    pids=()
}
check_statuses() { # WHAT WANTED
    local found=()
    take_statuses
    check_equal "$1" "$2" "${found[*]}"
}
check_either() { # WHAT WANTED...: one of these
    local found=()
    take_statuses
    [[ " ${*:2} " == *" ${found[*]} "* ]] || fail "$1: ${found[*]}"
    ok "$1: ${found[*]}"
}
all_at_once() { # VERB: of p-1 to p-8, beside recover
    local i
    begin mayfly recover
    for i in 1 2 3 4 5 6 7 8; do begin "$@" "p-$i"; done
    begin mayfly recover
}

all_at_once mayfly launch --root 16M --swap 16M --memory 64M --no-start
check_statuses "eight launches at once, beside recover" "0 0 0 0 0 0 0 0 0 0"
check_equal "  all are there" 8 "$(our_domains | wc -l)"
check_equal "  with their disks" 16 "$(our_volumes | wc -l)"
check_equal "  and their keys" 8 "$(our_keys | wc -l)"
check "  recover has nothing to do" grep -q 'All is in order' <(mayfly recover)
check_equal "  they all open" "" "$(mayfly open p-{1..8} 2>&1 >/dev/null)"
check_equal "  and close" "" "$(mayfly close p-{1..8} 2>&1 >/dev/null)"
states() { for i in 1 2 3; do state_of p-$i; done | sort | uniq -c | xargs; }
check_equal "three start by one command, at the same time" "" "$(mayfly start p-{1..3} 2>&1 >/dev/null)"
check_equal "  all run" "3 running" "$(states)"
check_equal "  are restarted" "" "$(mayfly reboot --hard p-{1..3} 2>&1 >/dev/null)"
check_equal "  all run" "3 running" "$(states)"
check_equal "  and stop" "" "$(mayfly stop p-{1..3} --force --timeout 0 2>&1 >/dev/null)"
check_equal "  with their disks closed" "" "$(our_maps)"

all_at_once mayfly delete --yes
check_statuses "eight deletes at once, beside recover" "0 0 0 0 0 0 0 0 0 0"
nothing_left

begin mayfly launch twin --root 16M --no-start
begin mayfly launch twin --root 16M --no-start
check_either "of two launches of one name one is refused" "0 5" "5 0"
check_equal "  one is there" "twin 1 1" "$(our_domains) $(our_volumes | wc -l) $(our_keys | wc -l)"
begin mayfly delete --yes twin
begin mayfly delete --yes twin
check_either "of two deletes at once one does it; the other finds it busy, or gone" "0 5" "5 0" "0 4" "4 0" "0 0"
nothing_left
