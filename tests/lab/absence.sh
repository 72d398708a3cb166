# SPDX-License-Identifier: Apache-2.0
# Absence is no evidence: settings of LVM's, tags and names that were edited, key folders that are not the right ones. See
# lib-absence.sh; absence-groups.sh has volume groups. Another region of Barbican: test_agent, tests/barbican/who.py.
# lab: -d 512M -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/tests/lab/lib-absence.sh"
requires systemd-socket-activate
host_up /dev/ubda

mayfly launch one --root 16M --memory 64M --no-start >/dev/null
mayfly launch pair --count 2 --shared-key --root 16M --memory 64M --no-start >/dev/null
mayfly launch last --count 1 --shared-key --root 4M --memory 64M --no-start >/dev/null
mayfly launch many --count 10 --shared-key --root 4M --memory 64M --no-start >/dev/null
one=$(disk_lv one root) second=$(disk_lv pair-2 root) folder=/var/lib/mayfly/keys
key_one=$(disk_field one root key) key_pair=$(disk_field pair-1 root key)
remember "$key_one" "$key_pair" "$(disk_field last-1 root key)"

# --- settings of LVM's that change what it prints: nothing is missing for that
while IFS='|' read -r many way setting; do
    lvm_setting "$setting"
    lvchange -q --addtag backup "$one" >/dev/null # sorts before ours
    tried "$way" 'needs it' </dev/null
    goes "$many" </dev/null
    lvchange -q --deltag backup "$one" >/dev/null
    rm /etc/lvm/lvmlocal.conf
    mended
done <<'WAYS'
many-1|separator of lists|report { list_item_separator = ";" }
many-2|names before values|report { prefixes = 1 quoted = 0 }
many-3|no headings, rows as columns|report { headings = 0 columns_as_rows = 1 }
many-4|sizes in words|global { units = "h" suffix = 1 }
many-5|no empty columns, numbers for words|report { compact_output = 1 binary_values_as_numeric = 1 }
many-6|no volume is activated|activation { volume_list = [ "@nobody" ] } tags { hosttags = 1 }
WAYS

# --- volumes whose tags or names were changed by hand
# edited LV WAY TOLD NAMES -- OPTION...: lvchange with these options, and back.
edited() {
    local lv=$1 way=$2 told=$3 names=$4 option back=()
    shift 5
    for option; do
        case $option in
        --addtag) back+=(--deltag) ;;
        --deltag) back+=(--addtag) ;;
        *) back+=("$option") ;;
        esac
    done
    lvchange -q "$@" "$lv" >/dev/null
    tried "$way" "$told" "$names"
    lvchange -q "${back[@]}" "$lv" >/dev/null
    mended
}
mapfile -t all < <(tags "$second" | sed 's/^/--deltag\n/')
edited "$second" "all tags gone" 'may have lost' pair-1 -- "${all[@]}"
for name in role instance cipher scope state; do
    edited "$second" "without mayfly.$name" 'damaged tags' pair-1 -- --deltag "$(tag_of "$second" "mayfly.$name")"
done
edited "$second" "of another version" 'version' pair-1 -- --deltag mayfly=1 --addtag mayfly=9
edited "$second" "an unknown state" 'damaged tags.*state' pair-1 -- --deltag mayfly.state=ready --addtag mayfly.state=gone
edited "$second" "an unknown file system" 'damaged tags.*file system' pair-1 -- --addtag mayfly.fs=ntfs
edited "$second" "two states" 'damaged tags.*state' pair-1 -- --addtag mayfly.state=doomed
edited "$second" "two keys" 'damaged tags.*key' pair-1 -- --addtag "mayfly.key=$key_one"
edited "$one" "another key in the tags" 'not its own|not there' one -- \
    --deltag "$(tag_of "$one" mayfly.key)" --addtag mayfly.key=local:11111111-1111-4111-8111-111111111111

# renamed LV WAY NEW NAMES
renamed() {
    lvrename -q vg0 "${1##*/}" "$3" >/dev/null
    tried "$2" 'damaged tags' "$4"
    lvrename -q vg0 "$3" "${1##*/}" >/dev/null
    mended
}
renamed "$second" "another name" renamed pair-1
renamed "$one" "the name of another instance's" 11111111-1111-4111-8111-111111111111_disk one
mapfile -t all < <(tags "$one" | sed 's/^/--addtag\n/')
lvcreate -q -Zn -Wn -y -n copy -L 16M "${all[@]}" vg0 >/dev/null
tried "a copy with the same tags" 'vg0/copy' one
lvremove -q -y vg0/copy >/dev/null
mended

# --- key folders
mv $folder /var/lib/mayfly/away
tried "no key folder" 'is not the folder|cannot' one last-1
install -d -o mayfly -g mayfly -m 700 $folder
tried "an empty key folder" 'is not the folder' one last-1
mayfly launch more --root 16M --memory 64M --no-start >/dev/null
tried "another key folder" 'is not the folder' one last-1
mayfly delete --yes more >/dev/null
rm -r $folder
mv /var/lib/mayfly/away $folder
mended
option '[local]' 'directory = /var/lib/mayfly/other'
install -d -o mayfly -g mayfly -m 700 /var/lib/mayfly/other
tried "another folder in the configuration" 'is not the folder' one last-1
rm -r /etc/mayfly/mayfly.conf.d/absence.conf /var/lib/mayfly/other
chmod 755 $folder
tried "a folder that others can read" 'chmod 700' one
chmod 700 $folder
chown root $folder
tried "a folder of another user's" 'mayfly/keys' one
chown mayfly $folder
mended

mv $folder/seal.key /var/lib/mayfly/
tried "no sealing key" 'sealing key'
goes many-7
mv /var/lib/mayfly/seal.key $folder/
mv $folder/identity /var/lib/mayfly/
tried "no identity" 'identity|is not the folder' one
echo x >$folder/identity
tried "a damaged identity" 'identity' one
mv /var/lib/mayfly/identity $folder/
cp -a "$folder/${key_one##*/}" /var/lib/mayfly/
truncate -s 100 "$folder/${key_one##*/}"
tried "a damaged key" 'damaged'
goes many-8
cp -a "/var/lib/mayfly/${key_one##*/}" $folder/
mended

# --- another user, whose keys these are not
echo "ann:x:2001:2001::/home/ann:/bin/bash" >>/etc/passwd
echo "ann:x:2001:" >>/etc/group
sed -i -E "s/^((mayfly|libvirt):.*:)(.*)$/\1\3,ann/; s/:,/:/" /etc/group
mount -t tmpfs tmpfs /home
install -d -o ann -g ann -m 700 /home/ann
mkdir -p /run/mayfly
systemd-socket-activate --seqpacket --accept --inetd -l /run/mayfly/broker.sock "$BUILD/src/broker/mayfly-broker" >/tmp/broker.log 2>&1 &
lab_wait 120 test -S /run/mayfly/broker.sock
chgrp mayfly /run/mayfly/broker.sock
chmod 660 /run/mayfly/broker.sock
as=(setpriv --reuid ann --regid ann --init-groups --inh-caps=-all env HOME=/home/ann USER=ann "PATH=$PATH")
tried "another user" 'key manager of user mayfly' one last-1
as=()
mended

# --- what else is looked at
lab_stop_libvirtd
tried "no libvirt" 'libvirt' one last-1
lab_libvirtd
mv /etc/mayfly/mayfly.conf /tmp/
tried "no configuration" 'images_volume_group' one
mv /tmp/mayfly.conf /etc/mayfly/
mended

# --- all is as it was
check "recover has nothing to do" mayfly recover
check "one opens" mayfly open one
check "and closes" mayfly close one
ok "$n_ways ways"

# --- and what is asked for by name
mv $folder /var/lib/mayfly/away
tried "its key manager is gone for good" 'is not the folder' one
check "--forget-key deletes it" mayfly delete --yes --forget-key one >/tmp/out 2>/tmp/err
check "  and says that the key is not destroyed" grep -q 'NOT destroyed' /tmp/out
check "the others too" mayfly delete --yes --forget-key pair-1 pair-2 last-1 many-9 many-10
mv /var/lib/mayfly/away $folder
check_equal "no volume is left" "" "$(our_volumes)"
check "recover destroys the keys that nobody needs" mayfly recover
nothing_left
