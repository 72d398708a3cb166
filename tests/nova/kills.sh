# SPDX-License-Identifier: Apache-2.0
# nova-compute, libvirtd or mayfly is killed at some moment of what Nova does with a server, so many ROUNDS (3): Nova's own way out
# brings the server back, with what the guest wrote unless it was rebuilt, and after recover nothing is without an owner.
#   kills.sh [ROUNDS [SEED]]
# nova: -d 8G -m 3G -t 1800
. "$SRC/tests/nova/lib.sh"
rounds=${1-3}
seed=${2-$(date +%s)}
echo "seed $seed"
RANDOM=$seed
killed=0

kill_victim() {
    case $1 in
    nova-compute) nova_compute_down KILL && nova_compute_up ;;
    libvirtd) kill_libvirtd ;;
    mayfly) lab_wait 30 kill_mayfly || { echo "   none was killed" && return; } ;;
    esac
    killed=$((killed + 1))
}

kill_libvirtd() {
    local pid
    pid=$(</run/libvirtd.pid)
    kill -KILL "$pid"
    lab_wait 60 test ! -e "/proc/$pid"
    lab_start_libvirtd
}

# One that runs, or the next one, at some moment of its half second. Not one that only looks, as Nova's periodic tasks do.
kill_mayfly() {
    local pid
    pid=$(pgrep -of '(^|/)mayfly (hook|add-disks?|open|close|export|rescue|unrescue|resize|delete|recover) ') || return
    sleep "0.$((RANDOM % 5))"
    kill -KILL "$pid" 2>/dev/null && echo "   $(date +%T): one was killed"
}

# Lets Nova begin with it, from the state that it needs.
begin() { # ACTION
    case $1 in
    create) nova alice begin-create two guest tiny ;;
    delete) nova alice create two guest tiny && nova alice begin-delete two ;;
    start) nova alice action one SHUTOFF '{"os-stop":null}' && nova alice begin one '{"os-start":null}' ;;
    stop) nova alice begin one '{"os-stop":null}' ;;
    reboot) nova alice begin one '{"reboot":{"type":"SOFT"}}' ;;
    hard-reboot) nova alice begin one '{"reboot":{"type":"HARD"}}' ;;
    rescue) nova alice begin one '{"rescue":{}}' ;;
    unrescue) nova alice action one RESCUE '{"rescue":{}}' && nova alice begin one '{"unrescue":null}' ;;
    snapshot) nova alice begin one '{"createImage":{"name":"copy"}}' ;;
    shelve) nova alice begin one '{"shelve":null}' ;;
    unshelve) nova alice action one SHELVED_OFFLOADED '{"shelve":null}' && nova alice begin one '{"unshelve":null}' ;;
    resize) nova alice begin one "{\"resize\":{\"flavorRef\":\"$other_flavor_id\"}}" ;;
    rebuild) nova alice begin one "$rebuild" ;;
    esac
}

# Nova-compute lets Nova send it nothing while it has lost libvirtd.
is_enabled() { ! nova admin traits "$nova_host" | grep -qx COMPUTE_STATUS_DISABLED; }

# By what a user, or else an administrator, can do in Nova.
bring_back() {
    local now
    now=$(nova alice settled one 60)
    echo "   it is $now"
    case $now in
    ACTIVE) ! has_run "$id" || return 0 ;; # a shelve that failed has ended the guest
    RESCUE) nova alice action one ACTIVE '{"unrescue":null}' && return ;;
    SHUTOFF) nova alice action one ACTIVE '{"os-start":null}' && return ;;
    SHELVED*) check "  the host takes servers" lab_wait 120 is_enabled && nova alice action one ACTIVE '{"unshelve":null}' && return ;;
    VERIFY_RESIZE) nova alice action one ACTIVE '{"revertResize":null}' && return ;;
    ERROR) ;;
    *) nova admin begin one '{"os-resetState":{"state":"error"}}' ;;
    esac
    nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}' && return
    nova alice action one ACTIVE "$rebuild"
    kept=
}

stack_up
nova admin flavor other 160 0 0 0
other_flavor_id=$(nova admin flavor-id other)
rebuild="{\"rebuild\":{\"imageRef\":\"$(nova alice image-id guest)\"}}"
nova alice create one guest tiny
id=$(nova alice id one)
guest_of "$id"
write_marker "$id"

actions=(create delete start stop reboot hard-reboot rescue unrescue snapshot shelve unshelve resize rebuild)
victims=(nova-compute libvirtd mayfly)
for ((round = 1; round <= rounds; round++)); do
    action=${actions[RANDOM % ${#actions[@]}]} victim=${victims[RANDOM % 3]} wait=$((RANDOM % 120))
    [ "$victim" != mayfly ] || wait=$((wait / 6)) # it waits for one, too
    wait=$((wait / 10)).$((wait % 10)) kept=1
    echo "-- round $round: $action, $victim after $wait s, $(date +%T)"
    begin "$action"
    [ "$action" != rebuild ] || kept=
    sleep "$wait"
    kill_victim "$victim"
    case $action in
    create | delete)
        now=$(nova alice settled two 60)
        echo "   it is $now"
        [ "$now" = GONE ] || nova alice delete two || nova alice delete two
        ;;
    *) bring_back ;;
    esac
    mayfly recover || true
    check "recover of the owner finds nothing that it cannot put in order" as alice mayfly recover
    check "nothing is without an owner" lab_wait 120 all_owned
    no_file_has_it
    check_equal "the server has its disk, open, and its key" "${id}_disk ${id}_disk-dmcrypt 1" "$(our_volumes | xargs) $(our_maps | xargs) $(count_keys)"
    [ "$action" = create ] || [ "$action" = delete ] || {
        nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
        lab_console_expect "$(virsh domname "$id")" '(?s).*' 60 >/dev/null # what it said before
        guest_of "$id"
        if [ "$kept" ]; then check "what it wrote is there" has_marker "$id"; else write_marker "$id"; fi
    }
done
echo "$killed killed in $rounds rounds"
nova alice delete one
nothing_left
hidden
