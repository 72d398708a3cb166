# SPDX-License-Identifier: Apache-2.0
# In doubt nothing is destroyed: tags edited by hand, volumes and maps that only have our names, disks that somebody else
# uses. Each verb that meets one is refused, and the contents of all volumes are as before.
# lab: -d 512M -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
virsh() { command virsh -q -c qemu:///system "$@"; }

mayfly launch there --root 16M --swap 16M --memory 64M --no-start >/dev/null
root=$(disk_lv there root) swap=$(disk_lv there swap) map=$(disk_device there root)
uuid=$(virsh domuuid there | tr -d ' \n')
mayfly open there >/dev/null
repeat THERE 16M | dd of="$map" bs=1M iflag=fullblock oflag=direct status=none
mayfly close there >/dev/null

contents() { for lv in /dev/vg0/*; do echo "$lv $(dd if="$lv" bs=1M iflag=direct status=none | sha256sum)"; done; }
untouched=$(contents)
check_untouched() { check_equal "  contents are as before" "$untouched" "$(contents)"; }
tags() { lvs --noheadings -o lv_tags "$1" | tr -d ' ' | tr , '\n'; }
retag() { # --addtag|--deltag LV: for each tag on standard input
    local tag words=()
    while read -r tag; do words+=("$1" "$tag"); done
    lvchange -q "${words[@]}" "$2" >/dev/null
    world_changed
}

# --- tags
lvchange -q --deltag mayfly.bits=512 --addtag mayfly.bits=256 "$root" >/dev/null
world_changed
refused 2 '' "a tag changed by hand is noticed before a map exists, by open" mayfly open there
refused 2 '' "  and by start" mayfly start there
lvchange -q --deltag mayfly.bits=256 --addtag mayfly.bits=512 "$root" >/dev/null

lvchange -q --deltag mayfly.role=swap "$swap" >/dev/null
world_changed
for verb in start open "delete --yes"; do
    # shellcheck disable=SC2086 # a verb, perhaps with an option
    refused 8 'damaged' "one that is missing: $verb" mayfly $verb there
done
check "  recover has nothing to do" mayfly recover
check_fails 1 "  virsh start" virsh start there
lvchange -q --addtag mayfly.role=swap "$swap" >/dev/null

retag --deltag "$root" <<<mayfly=1
retag --deltag "$swap" <<<mayfly=1
refused 8 "no Mayfly disks" "the first of them, on all disks: delete" mayfly delete --yes there
refused 9 'could not be put in order' "  recover, which keeps the key" mayfly recover
check_fails 1 "  virsh start" virsh start there
retag --addtag "$root" <<<mayfly=1
retag --addtag "$swap" <<<mayfly=1

tags "$root" >/tmp/root
tags "$swap" >/tmp/swap
retag --deltag "$root" </tmp/root
retag --deltag "$swap" </tmp/swap
refused 9 'could not be put in order' "all tags gone: recover, which keeps the key" mayfly recover
refused 8 'may have lost' "  and so does key destroy" mayfly key destroy --yes "local:$(our_keys)"
retag --addtag "$root" </tmp/root
retag --addtag "$swap" </tmp/swap
check_untouched
check "with its tags again it opens" mayfly open there
check "  and has its data" cmp <(repeat THERE 16M) <(dd if="$map" bs=1M iflag=direct status=none)

# --- in use
exec 7<"$map"
world_changed
refused 5 'in use on this host' "an open disk that a process has: delete" mayfly delete --yes there
check_fails 5 "  close" mayfly close there 2>/tmp/err
check "  is told that it is held" grep -q 'held open 1 times;' /tmp/err
exec 7<&-
mayfly close there >/dev/null
mayfly start there >/dev/null
exec 7<"$map"
virsh destroy there
world_changed
refused 9 'could not be put in order' "one that a process kept from being closed: recover" mayfly recover
exec 7<&-
check "  is closed once that is gone" grep -q '^closed' <(mayfly recover)
dmsetup create holder --table "0 32768 linear $root 0"
world_changed
refused 5 'in use' "a volume that something else has: delete" mayfly delete --yes there
refused 5 'in use .*map holder' "  start" mayfly start there
dmsetup remove holder

# --- names
dmsetup create "$(basename "$map")" --table '0 8 zero'
world_changed
for verb in start open "delete --yes"; do
    # shellcheck disable=SC2086
    refused 8 'not' "a map under our name that is not ours: $verb" mayfly $verb there
done
check "  recover leaves it" mayfly recover
check_equal "  it is there" "0 8 zero" "$(dmsetup table "$(basename "$map")" | xargs)"
dmsetup remove "$(basename "$map")"
check_untouched

theirs=${uuid}_disk.eph0
lvcreate -q -Zn -Wn -y -n "$theirs" -L 4M vg0 >/dev/null
repeat THEIRS 4M >"/dev/vg0/$theirs"
world_changed
for verb in start open "delete --yes"; do
    # shellcheck disable=SC2086
    refused 8 'not a volume of Mayfly|may have lost' "a volume that only has our name: $verb" mayfly $verb there
done
check "  recover leaves it" mayfly recover
check "  it is as it was" cmp <(repeat THEIRS 4M) "/dev/vg0/$theirs"
lvremove -q -y "vg0/$theirs" >/dev/null
check_untouched
check "delete" mayfly delete --yes there
nothing_left
