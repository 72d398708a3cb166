# SPDX-License-Identifier: Apache-2.0
# mayfly doctor with the key manager local: all that it can find wrong, that one failure hides no other, and that it leaves no key.
# lab: -d 128M -d 64M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
lab_users
lab_vg vg0 /dev/ubda
lab_config

# ask EXPRESSION: of the JSON document `d` on standard input, one line a value.
ask() { python3 -ISc 'import json, sys; d = json.load(sys.stdin); print(*eval(sys.argv[1]), sep="\n")' "$1"; }

# doctor STATUS WHAT RESULT PATTERN WORDS: exits with STATUS, and has a line `RESULT PATTERN ... WORDS`.
doctor() {
    local status=0
    mayfly doctor >/tmp/doctor 2>/tmp/err || status=$?
    [ "$status" = "$1" ] || fail "$2: status $status, not $1: $(cat /tmp/doctor /tmp/err)"
    grep -qE "^$3 +$4 .*$5" /tmp/doctor || fail "$2: '$3 $4 $5' is not in: $(cat /tmp/doctor)"
    [ -z "$(our_keys)" ] || fail "$2: left a key behind"
    ok "$2: $(grep -E "^$3 +$4 " /tmp/doctor | head -c 300)"
}

# --- without libvirt: it is told each time, and the rest is looked at
doctor 10 "no libvirt" failed libvirt "systemctl start libvirtd"
cat /tmp/doctor
check "  a key is tried all the same" grep -qE "^ok +key manager local: a key .*is gone" /tmp/doctor
check_equal "  and the first failure is what counts" 1 "$(grep -c 'the first of them: libvirt' /tmp/err)"

lab_config libvirt.images_volume_group=vg0,vg1
doctor 4 "a group that is not there" failed "volume group vg1" "does not exist on this host"
check "  hides nothing of the rest" grep -qE "^ok +key manager local: a key .*is gone" /tmp/doctor
lab_config ephemeral_storage_encryption.cipher=caesar-xts-plain64
doctor 1 "a configuration with a mistake" failed configuration "caesar"
check_equal "  of which nothing else comes" 2 "$(wc -l </tmp/doctor)"
lab_config
lvcreate -q -n odd -L 1M --addtag mayfly=1 vg0 >/dev/null
doctor 10 "a volume with damaged tags" warning "volume vg0/odd" "left alone"
lvremove -q -y vg0/odd >/dev/null
orphan=vg0-11111111--1111--4111--8111--111111111111_disk
dmsetup create $orphan --uuid LVM-1 --table '0 8 zero'
doctor 10 "a device whose volume is gone" warning "device $orphan" "dmsetup remove $orphan"
# shellcheck disable=SC2046 # words
check "  goes by the command that it names" $(grep -o 'dmsetup remove [^ ]*' /tmp/doctor)

status=0
setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nowhere mayfly doctor >/tmp/doctor 2>/dev/null || status=$?
check_equal "a user without a broker" 4 "$status"
check "  is told the way" grep -qE "^failed +broker .*mayfly-broker.socket" /tmp/doctor
check "  and no key is tried, which recover could not tell from a stray" \
    grep -qE "^warning +key manager local: a key .*no trial key was made" /tmp/doctor

# --- with it
lab_libvirtd
doctor 0 "all is well" ok "key manager local: a key" "is gone"
cat /tmp/doctor
check_fails 1 "  nothing failed" grep -q ^failed /tmp/doctor
for line in configuration broker "volume group vg0" "LVM metadata of vg0" "key manager local: folder" \
    "key manager local: sealing key" "key manager local: keys"; do
    check "  $line" grep -qE "^ok +$line " /tmp/doctor
done
check_equal "as JSON" "1 ok" "$(mayfly doctor --json |
    ask '[d["version"]] + [f["result"] for f in d["findings"] if f["what"] == "key manager local: a key"]' | xargs)"

hook=/etc/libvirt/hooks/qemu.d/mayfly
rm -f $hook
doctor 0 "no hook is a warning" warning "libvirt hook" "does not exist"
mkdir -p ${hook%/*}
touch $hook
doctor 0 "so is one that cannot be run" warning "libvirt hook" "not executable"
chmod 755 $hook
doctor 0 "one that libvirtd has not looked for" warning "libvirt hook" "restart libvirtd"
lab_libvirtd
doctor 0 "with it" ok "libvirt hook" "is there"

lab_config ephemeral_storage_encryption.enabled=false
doctor 0 "encryption is off" warning configuration "encryption is off"
lab_config key_manager.backend=ephemeral
doctor 0 "keys in the kernel alone" ok "key manager ephemeral" "in the kernel"
lab_config

chmod 755 /var/lib/mayfly/keys
doctor 2 "a key folder that others may look into" failed "key manager local: folder" "chmod 700"
chmod 700 /var/lib/mayfly/keys
chown root /var/lib/mayfly/keys
doctor 2 "a key folder of someone else" failed "key manager local: folder" "cannot be opened: Permission denied"
chown mayfly /var/lib/mayfly/keys
chmod 644 /var/lib/mayfly/keys/seal.key
doctor 2 "a sealing key that others may read" failed "key manager local: sealing key" "chmod"
chmod 600 /var/lib/mayfly/keys/seal.key
doctor 0 "mended" ok "key manager local: a key" "is gone"

# --- a metadata area that gets full: doctor warns, then launch refuses, while LVM itself could still go on
pvcreate -q -y --metadatasize 60k --dataalignment 64k /dev/ubdb >/dev/null
vgcreate -q -s 1M small /dev/ubdb >/dev/null
lab_config libvirt.images_volume_group=vg0,small
doctor 0 "an empty metadata area" ok "LVM metadata of small" "room for about 27 more disks"
one_more() { lvcreate -qq -y -Zn -Wn -L 1M -n "other$1" --addtag "$(printf 'x%.0s' {1..1000})" small >/dev/null; }
for n in $(seq 18); do one_more "$n"; done
doctor 0 "one with little room" warning "LVM metadata of small" "room for about [0-9] more disks.*--metadatasize"
launches=0
while mayfly launch "full$launches" --volume-group small --root 1M --no-start >/dev/null 2>/tmp/err; do
    launches=$((launches + 1))
done
check "  launches go on for a while ($launches)" test "$launches" -ge 2
refused 10 "metadata has room for about 0 more" "launch refuses before it is full" \
    mayfly launch another --volume-group small --root 1M --no-start
check "  when LVM still makes a small change" lvcreate -qq -y -Zn -Wn -L 1M -n last small
for ((n = 0; n < launches; n++)); do mayfly delete --yes "full$n" >/dev/null; done
check "  and all of them can be deleted" test -z "$(our_volumes)"
vgremove -q -y small >/dev/null
lab_config

# --- with keys that were there before
mayfly launch a --root 16M --no-start >/dev/null
key=/var/lib/mayfly/keys/$(our_keys)
cp -p "$key" /tmp/key
echo >>"$key"
status=0
mayfly doctor >/tmp/doctor 2>/tmp/err || status=$?
check_equal "a key that is damaged: the status says so" 2 "$status"
check "  and a line" grep -qE "^failed +key manager local: keys .*restore it" /tmp/doctor
cp -p /tmp/key "$key"
check "mended" mayfly doctor
mayfly delete --yes a >/dev/null
nothing_left
