# SPDX-License-Identifier: Apache-2.0
# nova-compute, libvirtd or mayfly is killed at some moment of what Nova does with a server, so many ROUNDS (3): Nova's own way out
# brings the server back, with what the guest wrote unless it was rebuilt, and after recover nothing is without an owner.
#   kills.sh [ROUNDS [SEED]]
# nova: -d 8G -m 3G -t 900
. "$SRC/tests/nova/lib.sh"
rounds=${1-3}
seed=${2-$(date +%s)}
echo "seed $seed"
RANDOM=$seed

kill_victim() {
    local pids
    case $1 in
    nova-compute) nova_compute_down KILL && nova_compute_up ;;
    libvirtd)
        pids=$(</run/libvirtd.pid)
        kill -KILL "$pids"
        lab_wait 60 test ! -e "/proc/$pids"
        lab_start_libvirtd
        ;;
    mayfly)
        pids=$(pidof mayfly) || return 0
        # shellcheck disable=SC2086 # several
        kill -KILL $pids || true
        ;;
    esac
}

# By what a user, or else an administrator, can do in Nova.
bring_back() {
    local now
    now=$(nova alice settled one 60)
    echo "   it is $now"
    case $now in
    ACTIVE) return ;;
    RESCUE) nova alice action one ACTIVE '{"unrescue":null}' && return ;;
    SHUTOFF) nova alice action one ACTIVE '{"os-start":null}' && return ;;
    ERROR) ;;
    *) nova admin begin one '{"os-resetState":{"state":"error"}}' ;;
    esac
    nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}' && return
    nova alice action one ACTIVE "{\"rebuild\":{\"imageRef\":\"$guest_image_id\"}}"
    kept=
}

stack_up
guest_image_id=$(nova alice image-id guest)
nova alice create one guest tiny
id=$(nova alice id one)
guest_of "$id"
write_marker "$id"

actions=(create delete '{"reboot":{"type":"HARD"}}' '{"os-stop":null}' '{"rescue":{}}' '{"createImage":{"name":"copy"}}'
    "{\"rebuild\":{\"imageRef\":\"$guest_image_id\"}}")
victims=(nova-compute libvirtd mayfly)
for ((round = 1; round <= rounds; round++)); do
    action=${actions[RANDOM % ${#actions[@]}]} victim=${victims[RANDOM % 3]} wait=$((RANDOM % 120))
    wait=$((wait / 10)).$((wait % 10)) kept=1
    echo "-- round $round: $action, $victim after $wait s, $(date +%T)"
    case $action in
    create) nova alice begin-create two guest tiny ;;
    delete) nova alice create two guest tiny && nova alice begin-delete two ;;
    *rebuild*) nova alice begin one "$action" && kept= ;;
    *) nova alice begin one "$action" ;;
    esac
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
    check_equal "the server has its disk, open, and its key" "${id}_disk ${id}_disk-dmcrypt 1" "$(our_volumes | xargs) $(our_maps | xargs) $(count_keys)"
    [ "$action" = create ] || [ "$action" = delete ] || {
        nova alice action one ACTIVE '{"reboot":{"type":"HARD"}}'
        lab_console_expect "$(virsh domname "$id")" '(?s).*' 60 >/dev/null # what it said before
        guest_of "$id"
        if [ "$kept" ]; then check "what it wrote is there" has_marker "$id"; else write_marker "$id"; fi
    }
done
nova alice delete one
nothing_left
hidden
