# SPDX-License-Identifier: Apache-2.0
# Volumes by the one lvm process: made, listed, marked, removed; and what LVM refuses.
# lab: -d 200M -d 100M -t 1620
. "$SRC/lab/lib.sh"
probe=$BUILD/tests/lab/storage-probe
requires "$probe"

aes='aes-xts-plain64,512,4096'
a=11111111-1111-4111-8111-111111111111
b=22222222-2222-4222-8222-222222222222
lab_vg vg0 /dev/ubda
vgcreate -q -s 1M vg.+_-1 /dev/ubdb >/dev/null

# refuses NAME WORDS WHAT COMMAND...: the probe must fail with that errno and a sentence that has the words.
refuses() {
    local name=$1 words=$2 what=$3
    shift 3
    if "$probe" "$@" 2>/tmp/err; then fail "$what: nothing is refused"; fi
    grep -q "^$name .*$words" /tmp/err || fail "$what: $(head -n 3 /tmp/err)"
    ok "$what"
}

tags() { lvs --noheadings -o lv_tags "$1" | tr -d ' ' | tr ',' '\n' | LC_ALL=C sort | xargs; }
seqno() { vgs --noheadings -o vg_seqno "$1" | tr -d ' '; }

before=$(seqno vg0)
"$probe" create vg0 $a root 8388608 $aes + create vg0 $a eph0 1048577 none + create vg.+_-1 $a swap 1M $aes
check_equal "two volumes are two commits, tags and all" $((before + 2)) "$(seqno vg0)"
check_equal "all tags are there" "mayfly.bits=512 mayfly.check=00112233445566778899aabbccddeeff \
mayfly.cipher=aes-xts-plain64 mayfly.disk=d15c0000-1111-4111-8111-111111111144 mayfly.instance=$a mayfly.kdf=hkdf-sha512 \
mayfly.key=local:4f1c mayfly.name=ci-1 mayfly.role=root mayfly.scope=instance mayfly.sector=4096 \
mayfly.state=building mayfly=1" "$(tags "vg0/${a}_disk")"
check "the device is there" test -b "/dev/vg0/${a}_disk"
check_equal "they are read back, of this group alone, sizes in whole extents" \
    "vg0 ${a}_disk 8388608 building d15c0000-1111-4111-8111-111111111144 aes-xts-plain64 4096
vg0 ${a}_disk.eph0 2097152 building d15c0000-1111-4111-8111-111111111140 none 0" "$("$probe" volumes vg0 $a)"
check_equal "a group may have any name that LVM takes" "vg.+_-1 ${a}_disk.swap" \
    "$("$probe" volumes vg.+_-1 $a | cut -d' ' -f1,2)"

lvcreate -q -Zn -Wn -y -n foreign -L 1M --addtag mayfly=10 vg0 >/dev/null
lvcreate -q -Zn -Wn -y -n other -L 1M --addtag mayflies vg0 >/dev/null
"$probe" report nosuch,vg0,vg.+_-1 >/tmp/report
python3 -c '
import json
text, decoder, rows, groups = open("/tmp/report").read(), json.JSONDecoder(), [], []
while text.strip():
    document, end = decoder.raw_decode(text.lstrip())
    for table in document["report"]:
        rows += table.get("lv", [])
        groups += table.get("vg", [])
    text = text.lstrip()[end:]
assert groups == [], groups
assert sorted({v["vg_name"] for v in rows}) == ["vg.+_-1", "vg0"], rows
assert int(rows[0]["vg_mda_free"]) > 0
assert sorted(v["lv_name"][-5:] for v in rows) == [".eph0", ".swap", "_disk", "reign"], rows # mayfly=10 may be ours, too
assert all(int(v["lv_size"]) >= 1 << 20 for v in rows)
'
ok "the report has the groups that are there and volumes of ours in them"
"$probe" report vg0,vg.+_-1 >/tmp/report
check_equal "the metadata of each group is read once" 2 "$(grep -c '"report"' /tmp/report)"
"$probe" report nosuch >/tmp/report
check_equal "a report on nothing has no rows" 0 "$(grep -c '[vl][gv]_name' /tmp/report || true)"

refuses EEXIST 'already exists' "a name is not given twice" create vg0 $a root 8M $aes
refuses ENOSPC 'insufficient free space.*vgextend' "more than there is" create vg0 $b root 10G $aes
refuses ENOENT 'not found' "no such group" create nosuch $b root 8M $aes
refuses ENOENT 'not found' "no such group to list" volumes nosuch $b
refuses EINVAL '' "words that the shell would read" create 'vg0 -ff' $b root 8M none

before=$(seqno vg0)
"$probe" mark vg0 $a building ready
check_equal "two volumes change state in two commits" $((before + 2)) "$(seqno vg0)"
check_equal "and have one state each" "ready ready" "$("$probe" volumes vg0 $a | cut -d' ' -f4 | xargs)"

lvchange -q --deltag mayfly.role=root --addtag mayfly.role=swap "vg0/${a}_disk"
refuses EUNSAFE 'name' "a role that is not the name's" volumes vg0 $a
lvchange -q --deltag mayfly.role=swap --addtag mayfly.role=root --addtag mayfly.state=doomed "vg0/${a}_disk"
refuses EUNSAFE 'mayfly.state: is there twice' "two states at once" volumes vg0 $a
lvchange -q --deltag mayfly.state=doomed "vg0/${a}_disk"
lvcreate -q -Zn -Wn -y -n "${b}_disk" -L 1M vg0 >/dev/null
refuses EUNSAFE 'no tag mayfly=1' "our name without our tags" volumes vg0 $b
lvremove -q -y "vg0/${b}_disk" >/dev/null

lvchange -q -an "vg0/${a}_disk"
check "an inactive volume has no device" test ! -e "/dev/vg0/${a}_disk"
"$probe" activate vg0 $a root
check "until it is activated" test -b "/dev/vg0/${a}_disk"

exec 5<"/dev/vg0/${a}_disk"
refuses EBUSY 'in use' "a volume that is held is not removed" remove vg0 $a
exec 5<&-
"$probe" remove vg0 $a 2>/dev/null || true # the other one went already
check_equal "removed" "" "$(lvs --noheadings -o name -S "lv_name=~^$a" vg0)"
check_equal "and no one else's" "foreign other" "$(lvs --noheadings -o name vg0 | xargs)"

# A set that is longer than one command of the shell.
many=()
for n in $(seq 0 63); do many+=(+ create vg0 "$b" "eph$n" 1M none); done
"$probe" "${many[@]:1}"
"$probe" mark vg0 $b building doomed + volumes vg0 $b >/tmp/volumes
check_equal "64 volumes are marked" 64 "$(grep -c doomed /tmp/volumes)"
"$probe" remove vg0 $b
check_equal "and removed" "foreign other" "$(lvs --noheadings -o name vg0 | xargs)"
lvremove -q -y vg0/foreign vg0/other >/dev/null

# The process: stuck, killed, and no one's any more.
rm -f /tmp/go /tmp/out
"$probe" report vg0 + wait /tmp/go + report vg0 >/tmp/out 2>/tmp/err &
probe_pid=$!
lab_wait 120 grep -qsx "[0-9][0-9]*" /tmp/out
lvm_pid=$(cat /proc/$probe_pid/task/$probe_pid/children)
check_equal "one process serves them all" 1 "$(wc -w <<<"$lvm_pid")"
check_equal "in a session of its own" "${lvm_pid% }" "$(cut -d' ' -f6 "/proc/${lvm_pid% }/stat")"
check_equal "with four descriptors" "0 1 2 3" "$(find "/proc/${lvm_pid% }/fd" -lname 'socket:*' -o -lname 'pipe:*' \
    -o -lname /dev/null | sed 's,.*/,,' | sort -n | xargs)"
kill -9 "$lvm_pid"
touch /tmp/go
check_fails 1 "a process that was killed is an error" wait $probe_pid
grep -q '^EIO .*lvm: ended during lvs: it was killed by signal 9' /tmp/err || fail "$(cat /tmp/err)"
rm -f /tmp/go /tmp/out
"$probe" report vg0 + wait /tmp/go >/tmp/out &
probe_pid=$!
lab_wait 120 grep -qsx "[0-9][0-9]*" /tmp/out
lvm_pid=$(cat /proc/$probe_pid/task/$probe_pid/children)
kill -9 $probe_pid
check "lvm ends by itself when its broker is gone" lab_wait 120 test ! -e "/proc/${lvm_pid% }"

vgremove -q -y vg.+_-1 >/dev/null
pvcreate -q -y --metadatasize 32k --dataalignment 64k /dev/ubdb >/dev/null
vgcreate -q -s 1M small /dev/ubdb >/dev/null
many=()
for n in $(seq 0 80); do many+=(+ create small "$b" "eph$n" 1M "$aes"); done
refuses ENOSPC 'metadata area is full' "a metadata area gets full" "${many[@]:1}"
vgremove -q -y small >/dev/null 2>&1 || fail "the full group cannot be removed"
