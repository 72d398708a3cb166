#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long launch, delete, open, close, start, stop and list take, beside the bare commands, in turn (ROUNDS=N of each, BATCHES=N of
# 20 VMs). No test: it fails only where a command does. bench/host runs it, and shows what it says.
. "$SRC/tests/host/lib.sh"

{
    echo "rounds=${ROUNDS:-5} batch_rounds=${BATCHES:-2} batch=20"
    cat "$SRC/bench/inside/lib-control-plane" - <<'END'
apt-get -q install cryptsetup-bin >/dev/null

# One disk, without anything on it.
bare_disk() {
    local lv=${uuids[1]}_disk key=$results/bare-1.key
    sh -c "umask 077; head -c 64 /dev/urandom >$key"
    lvcreate -qq -y -Zn -Wn -L 16M -n "$lv" vg0
    crypt "$lv" "$key" 0
    "${virsh[@]}" define "$results/bare-1.xml"
    cryptsetup close "$lv-dmcrypt"
}
bare_disk_delete() {
    "${virsh[@]}" undefine bare-1
    shred -u "$results/bare-1.key"
    lvremove -qq -y "vg0/${uuids[1]}_disk"
}

# VM 1, of three disks.
bare_open() {
    local lv=${uuids[1]}_disk key=$results/bare-1.key
    crypt "$lv" "$key" 0
    crypt "$lv.eph0" "$key" 64
    crypt "$lv.swap" "$key" 128
}
bare_close() {
    local name
    for name in "" .eph0 .swap; do cryptsetup close "${uuids[1]}_disk$name-dmcrypt"; done
}
bare_start() { bare_open && "${virsh[@]}" start bare-1; }
bare_stop() { "${virsh[@]}" destroy bare-1 && bare_close; }
bare_list() { "${virsh[@]}" list --all && lvs; }

booted
prepare_bare "$batch"
for _ in $(seq "$rounds"); do
    timed disk.bare bare_disk
    timed disk.bare.delete bare_disk_delete
    timed disk mayfly launch disk --root 16M --no-start
    timed disk.delete mayfly delete --yes disk
done
for _ in $(seq "$rounds"); do round_of_one; done
bare_make 1
launch run >/dev/null
for _ in $(seq "$rounds"); do
    for verb in open close list; do
        timed "$verb.bare" "bare_$verb"
        what=$verb
        [ "$verb" = list ] || what="$verb run"
        # shellcheck disable=SC2086 # words
        timed "$verb" mayfly $what
    done
    timed program mayfly --version
done
for _ in $(seq $(((rounds + 1) / 2))); do
    timed start.bare bare_start
    timed stop.bare bare_stop
    timed start mayfly start run
    timed stop mayfly stop run --force --timeout 0
done
mayfly delete --yes run
bare_delete 1
for _ in $(seq "$batch_rounds"); do round_of_many "$batch"; done

row "median of $rounds rounds, of $batch_rounds for $batch VMs" "" ratio "at most"
row "bare commands: a VM of one empty disk" "$(ms disk.bare)" 1
row "mayfly launch --no-start, a VM of one disk" "$(ms disk)" "$(ratio disk disk.bare)" 0.4
row "bare commands: delete of it" "$(ms disk.bare.delete)" 1
row "mayfly delete of it" "$(ms disk.delete)" "$(ratio disk.delete disk.bare.delete)"
tell_rounds "$batch" 0.4 0.15 0.15
for verb in open close list start stop; do
    row "bare commands: $verb, of 3 disks" "$(ms "$verb.bare")" 1
    row "mayfly $verb" "$(ms "$verb")" "$(ratio "$verb" "$verb.bare")"
done
row "mayfly --version" "$(ms program)" ""
mayfly delete --yes warm-up
nothing_left
END
} | inside
