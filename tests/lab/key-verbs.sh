# SPDX-License-Identifier: Apache-2.0
# mayfly key with the key manager local: what it says of each key, what is refused and what is done.
# lab: -d 512M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
requires script
host_up /dev/ubda

# ask EXPRESSION: of the JSON document `d` on standard input, one line a value.
ask() { python3 -ISc 'import json, sys; d = json.load(sys.stdin); print(*eval(sys.argv[1]), sep="\n")' "$1"; }

# --- key list, key show
mayfly launch a --root 16M --swap 16M --no-start >/dev/null
mayfly launch b --count 2 --shared-key --root 16M --no-start >/dev/null
mayfly launch lost --root 16M --no-start >/dev/null
a=$(disk_field a root key)
b=$(disk_field b-1 root key)
lost=$(disk_field lost root key)
lv=$(disk_lv lost root)
lvremove -q -y "${lv#/dev/}" >/dev/null
virsh -q -c qemu:///system undefine lost
mayfly key list | tee /tmp/list
check "list: used by two disks" grep -qE "^$a .* a +instance +256 .* used by 2 volumes$" /tmp/list
check "  shared by two instances" grep -qE "^$b .* b-1, b-2 +batch .* used by 2 volumes$" /tmp/list
check "  and one that nobody needs" grep -qE "^$lost .* - +instance .* unused$" /tmp/list
mayfly key list --json >/tmp/list.json
check_equal "as JSON: states" "unused used used" "$(ask 'sorted(k["state"] for k in d["keys"])' </tmp/list.json | xargs)"
check_equal "  of version 1, of which manager" "1 local True" \
    "$(ask '[d["version"]] + [x for m in d["managers"] for x in (m["name"], m["listed"])]' </tmp/list.json | xargs)"
check_equal "show by name, as JSON" "$a" "$(mayfly key show a --json | ask '[k["key"] for k in d["keys"]]')"
mayfly key show "$b" | tee /tmp/show
check_equal "show by reference, with its disks" 2 "$(grep -cE '^b-[12] +root +ready +closed +vg0/' /tmp/show)"
refused 4 "mayfly key list" "show of a key that is none" mayfly key show "local:11111111-1111-4111-8111-111111111111"
refused 4 "mayfly list" "show of an instance that is none" mayfly key show nobody
refused 1 "key --help" "a command that is none" mayfly key frobnicate
check_equal "help tells the four" 4 "$(mayfly key --help | grep -cE '^  mayfly key (list|show|destroy|grant)')"

# --- key destroy, key grant
refused 8 "mayfly delete a " "destroy of a key that disks need" mayfly key destroy --yes "$a"
refused 8 "mayfly delete b-[12] " "  that several need" mayfly key destroy --yes "$b"
refused 1 "MANAGER:PLACE/ID" "  of a name" mayfly key destroy --yes a
refused 1 "knows no users" "grant where no users are known" mayfly key grant a
lvcreate -q -n odd -L 1M --addtag mayfly=1 vg0 >/dev/null
world_changed
refused 8 "damaged tags" "destroy in doubt" mayfly key destroy --yes "$lost"
check "list tells of the doubt" grep -qE "^$lost .* possibly unused$" <(mayfly key list)
lvremove -q -y vg0/odd >/dev/null
world_changed

owner=$(ask '[k["owner"] for k in d["keys"] if k["state"] == "unused"]' </tmp/list.json)
printf 'lock %s\nwait /tmp/go\n' "$owner" |
    "$BUILD/tests/lab/broker-probe" "$BUILD/src/broker/mayfly-broker" >/tmp/lock &
holder=$!
lab_wait 120 grep -q 'lock ok' /tmp/lock
refused 5 "another mayfly works on it: mayfly.*, process $holder of user 0" "destroy while another mayfly works for its owner" mayfly key destroy --yes "$lost"
touch /tmp/go
wait $holder

# ask_person ANSWER: what a person at a terminal is asked, and told.
ask_person() {
    echo "$1" | script -qec "mayfly key destroy $lost" /tmp/typescript >/dev/null || true
    cat /tmp/typescript
}
refused 1 "no terminal" "without a terminal nothing is destroyed unasked" mayfly key destroy "$lost"
check "a person at a terminal is asked" grep -q "Go on?" <(ask_person n)
check "  and may think better of it" grep -q "nothing was done" /tmp/typescript
check "  so that it is there" grep -q "^$lost " <(mayfly key list)
check "destroy" grep -q "destroyed" <(mayfly key destroy --yes "$lost")
check_fails 1 "it is gone" grep -q "^$lost " <(mayfly key list)
world_changed
refused 4 "has no such key" "again: there is none" mayfly key destroy --yes "$lost"
refused 4 "has no such key" "  nor one that never was" mayfly key destroy --yes local:11111111-1111-4111-8111-111111111111
check_fails 8 "of several each is tried, the first error decides" mayfly key destroy --yes "$a" "$lost" 2>/tmp/said
check "  and all are said" grep -q "$lost: .*has no such key" /tmp/said

key_file=/var/lib/mayfly/keys/${a##*/}
mv "$key_file" /tmp/key
check "a key that a disk misses" grep -qE "^$a .* missing, 2 volumes$" <(mayfly key list)
mv /tmp/key "$key_file"
chmod 755 /var/lib/mayfly/keys
status=0
mayfly key list >/tmp/list 2>/tmp/err || status=$?
check_equal "a manager that cannot be asked: the status says so" 2 "$status"
check "  and a sentence" grep -q "chmod 700" /tmp/err
check "  behind what the volumes tell" grep -qE "^$a .* unseen, 2 volumes$" /tmp/list
check_equal "  also as JSON" "False" "$(mayfly key list --json 2>/dev/null | ask '[m["listed"] for m in d["managers"]]')"
chmod 700 /var/lib/mayfly/keys

mayfly delete --yes a b-1 b-2 >/dev/null
nothing_left
check "recover has nothing to do" grep -q 'All is in order' <(mayfly recover)
