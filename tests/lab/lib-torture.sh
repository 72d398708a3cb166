# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests share that interrupt Mayfly at random moments: four instances to which random things happen, a ledger of
# what must be there whatever comes between, and a look at whether it is. To be sourced behind lab/lib-mayfly.sh; lib-pool.sh,
# behind it, has what is another thing where disks are files.
#
# The ledger has a file for each instance that may be there, one line:
#   making              a launch was begun, or a rebuild, which gives other disks to one that is there
#   going               a delete was begun
#   kept MARK [MARK]    launched for certain, and the first block of its eph0 has this mark, or the one or the other; none: it
#                       has none yet
# It is on a disk before the next thing is begun.
ledger=${ledger:-/tmp/ledger}
mkdir -p "$ledger"
torture_names=(t-1 t-2 t-3 t-4)
torture_doings=(delete write run virsh disk grow engine rescue rebuild export tune bench recover) # to one that is there
torture_launch=(--root 16M --ephemeral 16M --swap 16M --memory 64M --no-start)
torture_contents=(--empty)                                                              # of a root disk
torture_exported=swap
torture_uri=qemu:///system
marks=0

entry() { cat "$ledger/$1" 2>/dev/null || true; }
note() { # NAME LINE
    echo "$2" >"$ledger/.new"
    sync "$ledger/.new"
    mv "$ledger/.new" "$ledger/$1"
    sync "$ledger"
}
forget() {
    rm -f "$ledger/$1"
    sync "$ledger"
}
is_kept() { [[ $(entry "$1") == kept* ]]; }

# One block, so that a power cut leaves the old mark or the new one.
block() { repeat "MAYFLY-PLAINTEXT $1" 4096; }
# The devices of all disks eph0, by name of the instance, found by one look.
declare -A eph0
look_at_devices() {
    local line
    eph0=()
    while IFS= read -r line; do eph0[${line%%=*}]=${line#*=}; done < <(mayfly list --json | python3 -ISc '
import json, sys
for i in json.load(sys.stdin)["instances"]:
    for d in i["disks"]:
        if d["role"] == "eph0":
            print(i["name"], d["device"], sep="=")')
}
read_mark() { # NAME: that of an open instance
    dd if="${eph0[$1]}" bs=4096 count=1 iflag=direct status=none | sed -n '1s/^MAYFLY-PLAINTEXT //p' | tr -d '\0'
}
put_mark() { # NAME MARK: on one that is open
    block "$2" | dd of="${eph0[$1]}" bs=4096 oflag=direct conv=fsync iflag=fullblock status=none
}
write_mark() { # NAME: a new mark, on an instance that is open
    local mark=$RANDOM-$((marks += 1)) old
    old=$(entry "$1")
    [[ $old == kept* ]] || old=kept
    note "$1" "kept $mark${old#kept}"
    put_mark "$1" "$mark"
    note "$1" "kept $mark"
}

launched() { # NAME...: they are whole; each gets its first mark
    local name
    for name; do note "$name" 'kept none'; done
    mayfly open "$@"
    look_at_devices
    for name; do write_mark "$name"; done
    mayfly close "$@"
}

do_launch_all() {
    local name
    for name in "${torture_names[@]}"; do note "$name" making; done
    mayfly launch t --count ${#torture_names[@]} "${torture_launch[@]}"
    launched "${torture_names[@]}"
}
do_launch() {
    note "$1" making
    mayfly launch "$1" "${torture_launch[@]}"
    launched "$1"
}
do_delete() {
    note "$1" going
    mayfly delete --yes "$1"
    forget "$1"
}
do_write() {
    mayfly open "$1"
    look_at_devices
    write_mark "$1"
    mayfly close "$1"
}
do_run() {
    mayfly start "$1"
    mayfly stop "$1" --timeout 0 --force
}
do_virsh() { # QEMU waits where the process that serves a disk was killed before QEMU came to it
    timeout 60 virsh -q -c "$torture_uri" start "$1" || mayfly start "$1"
    virsh -q -c "$torture_uri" destroy "$1"
}
do_disk() { # one more, for a moment
    mayfly add-disk "$1" --ephemeral 16M
    mayfly remove-disk --yes "$1" eph1
}
do_grow() { mayfly resize "$1" --disk eph0 24M; } # once
do_engine() { # to the other one
    local engine=user
    [ "$(disk_field "$1" root engine)" != user ] || engine=dm-crypt
    mayfly set-engine "$1" $engine
}
do_rescue() {
    mayfly rescue "$1" --image "$rescue_image" --timeout 0
    mayfly unrescue "$1" --timeout 0 # it ran in rescue, so it runs on
    mayfly stop "$1" --timeout 0 --force
}
do_rebuild() {
    note "$1" making
    mayfly rebuild --yes "${torture_contents[@]}" "$1"
    launched "$1"
}
do_export() {
    mayfly export "$1" "$images/$1" --disk "$torture_exported"
    forget_images
}
do_tune() { # another table for the open maps, and back
    mayfly open "$1"
    lab_config ephemeral_storage_encryption.same_cpu=on
    mayfly tune "$1"
    lab_config
    mayfly tune "$1"
    mayfly close "$1"
}
do_bench() { mayfly bench --size 16M --rounds 1 --runtime 1 --job write-4k-qd1; } # beside all instances
do_recover() { mayfly recover; }

# For rescues, which do not look at what boots; and where exports go.
images=${images:-/run/torture}
rescue_image=$images/rescue
install -d -m 700 "$images"
[ "$EUID" != 0 ] || chown mayfly "$images" # whom root becomes
head -c 1M /dev/urandom >"$rescue_image"
chmod 644 "$rescue_image"

# Exports that became a file, and those of which only the key is left.
forget_images() {
    local keys
    rm -f "$images"/t-*
    keys=$(mayfly key list --json | python3 -ISc '
import json, sys
print(*[k["key"] for k in json.load(sys.stdin)["keys"] if k["state"] == "image"])')
    # shellcheck disable=SC2086 # one word each
    [ -z "$keys" ] || mayfly key destroy --yes $keys >/dev/null
}

# Recover, and then what only a person can put in order: a rebuild that was cut off, and a rescue, which goes on until it is
# ended.
torture_recover() {
    local name doing
    mayfly recover >/tmp/recovered || grep -q 'its rebuild was cut off' /tmp/recovered || fail "recover: $(cat /tmp/recovered)"
    while IFS='=' read -r name doing; do
        [[ $doing != rebuild* ]] || [ "$(entry "$name")" = making ] || fail "$name: rebuilding, but noted as $(entry "$name")"
        # shellcheck disable=SC2086 # a verb and its options
        mayfly $doing "$name" </dev/null >/dev/null
    done < <(mayfly list --json | python3 -ISc '
import json, sys
for i in json.load(sys.stdin)["instances"]:
    if i["state"] == "rebuilding":
        print(i["name"], " ".join(["rebuild --yes", *sys.argv[1:]]), sep="=")
    elif i["in_rescue"]:
        print(i["name"], "unrescue --timeout 0", sep="=")' "${torture_contents[@]}")
    check "  recover; again: nothing to do" grep -q 'All is in order' <(mayfly recover)
}

# One random thing to one random instance. A function, so that whoever is to be interrupted knows what it does.
torture_step() {
    local name=${torture_names[RANDOM % ${#torture_names[@]}]} doings
    if [ -z "$(ls "$ledger")" ]; then
        doings=(launch_all)
    elif ! is_kept "$name"; then
        doings=(launch)
    else
        doings=("${torture_doings[@]}")
    fi
    local doing=${doings[RANDOM % ${#doings[@]}]}
    echo "-- $doing $name"
    "do_$doing" "$name"
}

# What must hold after recover, with no instance running: nothing lost, nothing left over. Puts the ledger in order.
torture_inspect() {
    local names name accepted mark
    mapfile -t names < <(our_domains)
    [ -z "$(open_disks)" ] || { mayfly stop --timeout 0 --force "${names[@]}" && mayfly close "${names[@]}"; } >/dev/null
    [ "$(our_keys | wc -l)" = ${#names[@]} ] || forget_images
    check_equal "  the volumes are those of ${names[*]:-none}" "$(disks_of_domains "${names[@]}")" "$(our_volumes)"
    check_equal "  as are the keys" ${#names[@]} "$(our_keys | wc -l)"
    check_equal "  no disk is open" "" "$(open_disks)"
    for name in "${torture_names[@]}"; do
        if [[ " ${names[*]} " != *" $name "* ]]; then
            is_kept "$name" && fail "$name is lost: $(entry "$name")"
            forget "$name"
        fi
    done
    [ ${#names[@]} != 0 ] || return 0
    mayfly open "${names[@]}" >/dev/null
    look_at_devices
    for name in "${names[@]}"; do
        accepted=$(entry "$name")
        if [[ $accepted == kept* ]]; then
            mark=$(read_mark "$name")
            [[ " ${accepted#kept} " == *" ${mark:-none} "* ]] || fail "$name has '$mark', where it should have: $accepted"
            note "$name" "kept ${mark:-none}"
        else
            write_mark "$name" # a launch that was whole, a delete that was not yet one
        fi
    done
    mayfly close "${names[@]}" >/dev/null
    ok "  ${names[*]}: open, with what was written"
}

# Maps, and processes that serve disks.
open_disks() {
    our_maps
    pgrep -x mayfly-disks || true
}

# The disks that the definitions of all domains name, by maps or by sockets.
disks_of_domains() {
    local name commands=
    for name; do commands+="dumpxml $name --inactive;"; done
    [ $# != 0 ] || return 0
    virsh -q -c "$torture_uri" "$commands" |
        sed -n "s|.*<source dev='/dev/mapper/\(.*\)-dmcrypt'.*|\1|p; s|.*<source type='unix' path='[^']*/\([^'/]*_disk[^'/]*\)'.*|\1|p" | sort
}
