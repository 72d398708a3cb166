# SPDX-License-Identifier: Apache-2.0
# lvm, and the broker that feeds it, are killed at each step of each of LVM's commands: recover leaves nothing suspended, and who
# writes to a disk goes on. Meanwhile nothing gives up on disks that take 24 seconds for each write.
# lab: -d 512M -d 256M -m 1G -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/tests/lab/lib-broker.sh"
patience=120 # seconds for all cuts; each command has its turn before any has another
host_up /dev/ubda
install -d -o mayfly -m 700 /run/files

# --- slow disks, in the background: a group, and a broker at work on it, for each command that changes something
groups=(s-create s-mark s-remove s-resize s-snapshot)
slow() { # create|load GROUP MILLISECONDS: for each write; at an offset, since LVM must not find its label on the disk itself, too
    local at=$((2048 + $2 * 81920))
    echo "0 81920 delay /dev/ubdb $at 0 /dev/ubdb $at $3" | dmsetup "$1" "slow$2"
}
on() { # GROUP: the volume there
    echo "volume ${groups[$1]} 11111111-1111-4111-8111-11111111111$1 root 8388608 7"
    echo lock
}
for n in "${!groups[@]}"; do
    slow create "$n" 0
    lab_vg "${groups[n]}" "/dev/mapper/slow$n"
done
slow create 5 0
lab_vg empty /dev/mapper/slow5 # so that vgs is asked too; vgcreate would wait for all commands on the slow disks
lab_config libvirt.images_volume_group="$(IFS=,; echo "${groups[*]}")"
for n in 1 2 3 4; do
    on "$n"
    echo create
    [ "$n" -lt 3 ] || echo mark ready
done | "$probe" "$broker" >/tmp/prepared
check_fails 1 "volumes on disks that will be slow" grep -v ' ok$' /tmp/prepared
slow_pids=()
work_slowly() { # GROUP MILLISECONDS COMMAND...
    slow load "$1" "$2"
    dmsetup resume "slow$1"
    { on "$1"; echo "${@:3}"; } | "$probe" "$broker" >"/tmp/slow$1" 2>&1 &
    slow_pids+=($!)
}
work_slowly 0 24000 create
work_slowly 1 24000 mark ready
work_slowly 2 24000 remove
work_slowly 3 24000 resize 12582912
work_slowly 4 8000 snapshot 4194304 # which writes three times as often
for n in "${!groups[@]}"; do lab_wait 120 grep -q '^lock ok' "/tmp/slow$n" || fail "$(cat "/tmp/slow$n")"; done
lab_config libvirt.images_volume_group=vg0,empty

# --- who writes to a disk
mayfly launch vm --root 16M --memory 64M --no-start >/dev/null
mayfly open vm >/dev/null
python3 -ISc '
import mmap, os, sys, time
disk, page = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT), mmap.mmap(-1, 4096)
written = os.open("/run/written", os.O_WRONLY | os.O_CREAT)
while True:
    os.pwrite(disk, page, 0)
    os.write(written, b".")
    time.sleep(0.1)' "$(disk_device vm root)" &
writer=$!
written() { stat -c %s /run/written; }
more_written_than() { [ "$(written)" -gt "$1" ]; }
lab_wait 60 test -s /run/written || fail "the disk cannot be written to"

# --- the verbs that send commands, with what has to be there before, and afterwards
size=16 file=0 doomed=0
do_resize() { mayfly resize vm --disk root $((++size))M; }
do_export() { mayfly export vm "/run/files/$((++file)).qcow2"; }
before_unexport() { cut_at broker "1 lvcreate" export || fail "no snapshot can be left: $(cat /tmp/out)"; } # recover removes it, which takes less time than a whole export
do_unexport() { mayfly recover; }
do_launch() { mayfly launch new --root 4M --memory 64M --no-start; }
after_launch() { mayfly delete --yes new >/dev/null 2>&1 || true; }
do_delete() { mayfly delete --yes "doomed-$((++doomed))"; }
before_open() {
    mayfly close again >/dev/null
    lvchange -an "$again"
}
do_open() { mayfly open again; }
before_resume() { cut_at lvm "$while_suspended" resize || fail "nothing can be left suspended: $(cat /tmp/out)"; }
do_resume() { mayfly recover; }
mayfly launch again --root 4M --memory 64M --no-start >/dev/null
mayfly launch doomed --count 12 --root 4M --memory 64M --no-start >/dev/null
again=$(disk_lv again root)
hook() { [ "$(type -t "$1_$2")" != function ] || "$1_$2"; }

# --- cuts
echo "$BUILD/tests/lab/lvm-cut.so" >/etc/ld.so.preload
order=/run/lvm-cut steps=/run/lvm-steps
suspended() { dmsetup info -c --noheadings -o suspended,name | grep -i '^suspended' | grep -v ':s--' || true; }
all_ended() { # lvm, but those that there were before; one whose broker was killed goes on to its end
    local pid
    for pid in $(pidof lvm || true); do [[ " $lvm_before " == *" $pid "* ]] || return 1; done
}
ordered() { # ORDER VERB: runs it under that order of lvm-cut.c
    lvm_before=$(pidof lvm || true)
    rm -f $steps
    echo "$1" >$order
    "do_$2" >/tmp/out 2>&1 || true
    lab_wait 120 all_ended || fail "$2: lvm does not end"
}
cut_at() { # VICTIM STEP VERB: false if the verb ended before that step
    ordered "$1 $2" "$3"
    [ ! -e $order ]
}
count_steps() { # VERB
    hook before "$1"
    ordered "none 0" "$1"
    rm -f $order
    cp $steps "/run/steps-$1"
    hook after "$1"
}
try() { # VERB VICTIM STEP WHAT...
    local was before
    hook before "$1"
    # How many steps LVM needs depends on the devices that the cut before has left, too.
    cut_at "$2" "$3" "$1" || n_missed=$((n_missed + 1))
    rm -f $order
    was=$(suspended)
    lab_wait 120 recovered || fail "$*: recover: $(cat /tmp/recovered)"
    [ -z "$was" ] || grep -q resumed /tmp/recovered || fail "$*: recover does not tell that it has resumed $was"
    [ -z "$was" ] || n_suspended=$((n_suspended + 1))
    was=$(suspended)
    [ -z "$was" ] || fail "$*: after recover there is $was"
    before=$(written)
    lab_wait 60 more_written_than "$before" || fail "$*: a disk is written to no more"
    hook after "$1"
}

verbs=(resize unexport export launch delete open resume) # unexport first: its cuts take less time than those of export
count_steps resize
while_suspended=$(awk '$2 == "suspend" { print $1 }' /run/steps-resize)
for verb in export unexport "${verbs[@]:3}"; do count_steps "$verb"; done

# Lines "TURN VERB VICTIM STEP WHAT COMMAND", each command once, whichever verb sends it. Turn 1: the broker's death where it begins, and
# lvm's at the worst moment, while something is suspended, or after the first write. Turn 2: lvm's at all other steps, but of several
# alike in a row the first and the last alone.
python3 -I - "${verbs[@]}" >/run/cuts <<'END'
import sys

def form(words):
    """A command without what it names."""
    options = dict.fromkeys(w if w.startswith("--") else w[:2] for w in words[1:] if w.startswith("-"))
    return " ".join([words[0], *options, *["(snapshot)"] * words[-1].endswith(".snap")])

def commands(verb):
    """Pairs of a command and its steps; a step is its number in the verb, and what it is."""
    found = []
    with open(f"/run/steps-{verb}") as file:
        for line in file:
            number, what, *words = line.split()
            if what == "begin":
                found.append((form(words), []))
            found[-1][1].append((number, what))
    return found

def worst(whats):
    if "suspend" in whats:
        return len(whats) - 1 - whats[::-1].index("suspend")
    return whats.index("write") if "write" in whats else 0

cuts, seen = [], set()
for verb in sys.argv[1:]:
    for command, steps in commands(verb):
        whats = [what for _, what in steps]
        for victim, i in [("broker", 0)] + [("lvm", i) for i in range(len(steps))]:
            key = (victim, command, whats[i], whats[:i].count(whats[i]))
            if key in seen:
                continue
            seen.add(key)
            if victim == "broker" or i == worst(whats):
                cuts.append((1, verb, victim, *steps[i], command))
            elif not (i and whats[i - 1 : i + 2] == [whats[i]] * 3):
                cuts.append((2, verb, victim, *steps[i], command))
for cut in sorted(cuts, key=lambda cut: cut[0]):
    print(*cut)
END
for command in lvs lvcreate "lvcreate -s" lvextend "lvchange -a" "lvchange --refresh" "lvchange --deltag --addtag" "lvchange -A --deltag --addtag" \
    lvremove "lvremove -y --noudevsync (snapshot)"; do
    check "$command is among what is sent" grep -qF " begin $command" /run/cuts
done
n=0 n_suspended=0 n_missed=0 end=$((SECONDS + patience))
while read -r -u 9 turn cut; do
    [ "$turn" = 1 ] || [ "$SECONDS" -lt "$end" ] || break
    # shellcheck disable=SC2086 # words
    try $cut 9<&-
    n=$((n + 1))
done 9</run/cuts
check "$n cuts of $(wc -l </run/cuts), of which $n_suspended left something suspended" test "$n_suspended" -ge 3
check "  all but $n_missed came in time" test "$n_missed" -le 5

# --- an lvm that takes long
echo "stop $while_suspended" >$order
do_resize >/tmp/out 2>&1 &
waiting=$!
lab_wait 120 grep -q 'still waiting' /tmp/out || fail "who waits for an lvm that is stopped is not told: $(cat /tmp/out)"
# shellcheck disable=SC2046 # several
kill -CONT $(pidof lvm)
check "who waits for an lvm that is stopped is told, and gets what it does later" wait "$waiting"
rm /etc/ld.so.preload
for n in "${!groups[@]}"; do
    wait "${slow_pids[n]}"
    check "a slow disk: $(tail -n 1 "/tmp/slow$n")" grep -qx '[a-z]* ok' <(tail -n 1 "/tmp/slow$n")
done
check_equal "nothing is suspended" "" "$(dmsetup info -c --noheadings -o suspended,name | grep -i '^suspended' || true)"

kill "$writer"
mayfly close vm >/dev/null
mapfile -t names < <(our_domains)
mayfly delete --yes "${names[@]}" >/dev/null
check_equal "nothing is left in the group" "" "$(lvs --noheadings -o lv_name vg0)"
