# SPDX-License-Identifier: Apache-2.0
# What a verb costs is counted: programs that run, commands and commits of LVM, memory; and nothing is left idle. Several
# instances are launched and deleted by no more commands than one, and one that cannot be deleted keeps none of the others.
# lab: -d 2G -m 1G -t 900
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda

nothing_idle() { check_equal "$1: no program of it is left" "" "$(grep -shxE 'mayfly.*|qemu-nbd|lvm' /proc/[0-9]*/comm || true)"; }
seqno() { vgs --noheadings -o vg_seqno vg0 | tr -d ' '; }

# traced COMMAND...: its programs in /tmp/programs, what was sent to lvm in /tmp/commands, commits of the group in $commits.
traced() {
    local before
    before=$(seqno)
    strace -f -qq -s 12 -e trace=execve,sendto -e signal=none -o /tmp/trace "$@"
    commits=$(($(seqno) - before))
    sed -nE 's/.*execve\("[^"]*\/([^"/]+)".*= 0$/\1/p; s/.*execve\("[^"]*\/([^"/]+)".*<unfinished.*/\1/p' /tmp/trace >/tmp/programs
    sed -nE 's/.*sendto\([0-9]+, "((vgs|lvs|lv[a-z]+) ).*/\1/p' /tmp/trace >/tmp/commands
}
archives() { find /etc/lvm -path '*/archive/vg0_*' | wc -l; }
backup_seqno() { sed -nE 's/^\tseqno = ([0-9]+)$/\1/p' /etc/lvm/backup/vg0; }
count() { grep -cx "$1 *" "/tmp/$2" || true; }
disks=(--root 4M --ephemeral 8M --swap 4M --no-start)

before=$(archives)
traced mayfly launch one "${disks[@]}" >/dev/null
nothing_idle launch
check_equal "a launch runs" "lvm mayfly mayfly-broker mkfs.ext4 mkswap" "$(sort /tmp/programs | xargs)"
# vgs: a group without a volume of ours yet is asked for by itself
one=$(sort /tmp/commands | grep -vx 'lvcreate *\|vgs *' | xargs) one_commits=$commits
traced mayfly launch b --count 6 "${disks[@]}" >/dev/null
check_equal "one of six runs one lvm" 1 "$(count lvm programs)"
check_equal "  as many file systems as it makes" 12 "$(grep -c '^mk' /tmp/programs)"
check_equal "  an lvcreate for each disk" 18 "$(count lvcreate commands)"
check_equal "  and as many other commands of LVM as for one" "$one" "$(sort /tmp/commands | grep -v lvcreate | xargs)"
check_equal "  and six times as many commits" $((6 * one_commits)) "$commits"
check_equal "LVM archives nothing of that" "$before" "$(archives)"
check_equal "  and its backup is of the present state" "$(seqno)" "$(backup_seqno)"
for verb in list "show b-1" doctor recover; do
    # shellcheck disable=SC2086 # words
    mayfly $verb >/dev/null
    nothing_idle "$verb"
done

mayfly open b-2 >/dev/null
nothing_idle open
exec 7<"$(disk_device b-2 swap)"
status=0
mayfly delete --yes b-1 b-2 nobody b-3 b-1 >/tmp/out 2>/tmp/err || status=$?
exec 7<&-
check_equal "a delete of several, one of which is held, says so" 5 "$status"
check "  of one that nobody has as well" grep -q "instance nobody: there is no instance" /tmp/err
check "  of that one" grep -q 'instance b-2: cannot be deleted: .*in use on this host' /tmp/err
check_equal "  and what became of each other name" "b-1: deleted b-3: deleted b-1: was" \
    "$(cut -d' ' -f1,2 /tmp/out | tr -d , | xargs)"
check_equal "  which is true" "b-2 b-4 b-5 b-6 one" "$(our_domains | xargs)"
check_equal "  also of the keys" 5 "$(our_keys | wc -l)"
check_equal "  and of the disks" 15 "$(our_volumes | wc -l)"
mayfly close b-2 >/dev/null
nothing_idle close

traced mayfly delete --yes one >/dev/null
one=$(sort /tmp/commands | xargs) one_commits=$commits
traced mayfly delete --yes b-2 b-4 b-5 b-6 >/dev/null
check_equal "delete of four runs no more programs" "lvm mayfly mayfly-broker" "$(sort /tmp/programs | xargs)"
check_equal "  no more commands of LVM" "$one" "$(sort /tmp/commands | xargs)"
check_equal "  a commit more for each disk that it marks" $((one_commits + 9)) "$commits"
check_equal "  LVM's backup is again of the present state" "$(seqno)" "$(backup_seqno)"
nothing_idle delete
nothing_left

# peak COMMAND...: the most memory that each of our programs had, in KiB.
peak() {
    rm -f /tmp/peaks
    "$SRC/lab/peak-memory" /tmp/peaks "$@" >/dev/null
    # shellcheck disable=SC2016 # awk's own
    check "${*:1:3}: no program of ours takes 32 MiB" awk '/^mayfly/ && $2 >= 32768 { bad = 1 } END { exit bad }' /tmp/peaks
    broker=$(sed -n 's/^mayfly-broker //p' /tmp/peaks)
}
mapfile -t names < <(seq -f 'm-%.0f' 24)
peak mayfly launch o --root 4M --swap 4M --no-start
one=$broker
peak mayfly launch m --count 24 --root 4M --swap 4M --no-start
check "  the broker no more than for one instance (here with a sanitizer, so not less than 8 MiB)" test "$broker" -lt $((one + 512))
peak mayfly delete --yes o "${names[@]}"
check "  nor for a delete" test "$broker" -lt $((one + 512))
