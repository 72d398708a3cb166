# SPDX-License-Identifier: Apache-2.0
# Absence is no evidence: a look at volumes or keys is made incomplete in many ways, and in each of them list, recover, key
# destroy and delete are run. No key is destroyed, no volume that is ready goes, and what is in doubt is told of.
# lab: -d 512M -d 128M -m 1G -t 3600
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
lab_vg vg1 /dev/ubdb
virsh() { command virsh -q -c qemu:///system "$@"; }

mayfly launch one --root 16M --memory 64M --no-start >/dev/null
mayfly launch pair --count 2 --shared-key --root 16M --memory 64M --no-start >/dev/null
one=$(disk_lv one root) second=$(disk_lv pair-2 root)
keys=$(our_keys) folder=/var/lib/mayfly/keys
key_one=$(disk_field one root key) key_pair=$(disk_field pair-1 root key)
volumes=$(lvs --noheadings -o lv_name,lv_tags vg0 | sort)
check_equal "two keys, one of them shared" 2 "$(wc -l <<<"$keys")"

tags() { lvs --noheadings -o lv_tags "$1" | tr -d ' ' | tr , '\n'; }
retag() { sed "s/^/$1 /" | xargs lvchange -q "$2" >/dev/null; } # --addtag|--deltag LV: for each tag on standard input
swap_tag() { lvchange -q --deltag "$2" --addtag "$3" "$1" >/dev/null; } # LV OLD NEW
tag_of() { tags "$1" | grep "^$2="; }
lvm_setting() { printf '%s\n' "$1" >/etc/lvm/lvmlocal.conf; }
option() { printf '%s\n' "$@" >/etc/mayfly/mayfly.conf.d/absence.conf; }
mkdir -p /etc/mayfly/mayfly.conf.d

# tried WAY TOLD: what is told (a regular expression; "": nothing need be) by recover or by key destroy. Each key is asked for.
tried() {
    local way=$1 told=$2 reference
    : >/tmp/told
    mayfly list >>/tmp/told 2>&1 || true
    mayfly key list >/dev/null 2>>/tmp/told || true
    mayfly recover >>/tmp/told 2>&1 || true
    for reference in "$key_one" "$key_pair" "local:${key_one##*/}" "local:${key_pair##*/}"; do
        ! mayfly key destroy --yes "$reference" >>/tmp/told 2>&1 || fail "$way: key destroy of $reference"
    done
    ! grep -q 'mayfly delete$' /tmp/told || fail "$way: advises a delete: $(cat /tmp/told)"
    grep -qE -- "$told" /tmp/told || fail "$way: not told '$told' in: $(cat /tmp/told)"
}
mended() {
    check_equal "$1: all keys are there" "$keys" "$(our_keys)"
    check_equal "  and all volumes" "$volumes" "$(lvs --noheadings -o lv_name,lv_tags vg0 | sort)"
}
# kept NAME WAY: the last of those that can be seen of a batch, or the instance itself, is not deleted.
kept() {
    ! mayfly delete --yes "$1" >/tmp/out 2>/tmp/err || fail "$2: $1 was deleted"
    ok "$2: $1 is not deleted: $(head -c 200 /tmp/err)"
}

# --- settings of LVM's that change what it prints
while IFS='|' read -r way setting; do
    lvm_setting "$setting"
    lvchange -q --addtag backup "$one" >/dev/null # sorts before ours
    tried "$way" ''
    lvchange -q --deltag backup "$one" >/dev/null
    rm /etc/lvm/lvmlocal.conf
    mended "$way"
done <<'WAYS'
separator of lists|report { list_item_separator = ";" }
names before values|report { prefixes = 1 quoted = 0 }
no headings, rows as columns|report { headings = 0 columns_as_rows = 1 }
sizes in words|global { units = "h" suffix = 1 }
WAYS

# --- volumes whose tags or names were changed by hand
tags "$second" >/tmp/second
retag --deltag "$second" </tmp/second
tried "all tags gone" 'may have lost'
kept pair-1 "  the last of the batch that is seen"
retag --addtag "$second" </tmp/second
mended "all tags gone"

for name in role instance cipher scope; do
    tag=$(tag_of "$second" "mayfly.$name")
    lvchange -q --deltag "$tag" "$second" >/dev/null
    tried "without mayfly.$name" 'left alone'
    kept pair-1 "  the last of the batch that is seen"
    lvchange -q --addtag "$tag" "$second" >/dev/null
    mended "without mayfly.$name"
done
swap_tag "$second" mayfly=1 mayfly=9
tried "of another version" 'version'
kept pair-1 "  the last of the batch that is seen"
swap_tag "$second" mayfly=9 mayfly=1
mended "of another version"

tag=$(tag_of "$one" mayfly.key)
swap_tag "$one" "$tag" "mayfly.key=local:11111111-1111-4111-8111-111111111111"
tried "another key in the tags" 'not its own|needs it|not there'
swap_tag "$one" "mayfly.key=local:11111111-1111-4111-8111-111111111111" "$tag"
mended "another key in the tags"

lvrename -q vg0 "${second##*/}" renamed >/dev/null
tried "another name" 'left alone'
kept pair-1 "  the last of the batch that is seen"
lvrename -q vg0 renamed "${second##*/}" >/dev/null
mended "another name"
lvrename -q vg0 "${one##*/}" 11111111-1111-4111-8111-111111111111_disk >/dev/null
tried "the name of another instance's" 'left alone'
lvrename -q vg0 11111111-1111-4111-8111-111111111111_disk "${one##*/}" >/dev/null
mended "the name of another instance's"

# --- groups
option '[libvirt]' 'images_volume_group = vg1'
tried "another group in the configuration" 'not here'
rm /etc/mayfly/mayfly.conf.d/absence.conf
mended "another group in the configuration"
lvm_setting 'devices { filter = [ "r|.*/ubda|", "a|.*|" ] }'
tried "a filter" 'not here'
rm /etc/lvm/lvmlocal.conf
mended "a filter"
vgchange -q -an vg0 >/dev/null
vgexport -q vg0 >/dev/null
tried "exported" ''
vgimport -q vg0 >/dev/null
mended "exported"

# --- key folders
mv $folder /var/lib/mayfly/away
tried "no key folder" ''
kept one "  its instance"
install -d -o mayfly -g mayfly -m 700 $folder
tried "an empty key folder" ''
kept one "  its instance"
mayfly launch more --root 16M --memory 64M --no-start >/dev/null
tried "another key folder" ''
kept one "  its instance"
mayfly delete --yes more >/dev/null
rm -r $folder
mv /var/lib/mayfly/away $folder
mended "another key folder"

mv $folder/seal.key /var/lib/mayfly/
tried "no sealing key" 'sealing key'
mv /var/lib/mayfly/seal.key $folder/
mended "no sealing key"
mv $folder/identity /var/lib/mayfly/
tried "no identity" ''
kept one "  its instance"
echo x >$folder/identity
tried "a damaged identity" 'identity'
kept one "  its instance"
mv /var/lib/mayfly/identity $folder/
mended "no identity"
cp -a "$folder/${key_one##*/}" /var/lib/mayfly/
truncate -s 100 "$folder/${key_one##*/}"
tried "a damaged key" 'damaged'
cp -a "/var/lib/mayfly/${key_one##*/}" $folder/
mended "a damaged key"

# --- all is as it was
check "recover has nothing to do" mayfly recover
check "one opens" mayfly open one
check "and closes" mayfly close one

# --- and what is asked for by name
mv $folder /var/lib/mayfly/away
kept one "its key manager is gone for good"
check "--forget-key deletes it" mayfly delete --yes --forget-key one >/tmp/out 2>/tmp/err
check "  and says that the key is not destroyed" grep -q 'NOT destroyed' /tmp/out
check "the others too" mayfly delete --yes --forget-key pair-1 pair-2
mv /var/lib/mayfly/away $folder
check_equal "no volume is left" "" "$(our_volumes)"
check "recover destroys the keys that nobody needs" mayfly recover
nothing_left
