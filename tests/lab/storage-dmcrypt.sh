# SPDX-License-Identifier: Apache-2.0
# Maps: opened, closed, opened again with the same data; nothing foreign is touched; no key can be read back.
# lab: -d 200M -t 1620
. "$SRC/lab/lib.sh"
probe=$BUILD/tests/lab/storage-probe
requires "$probe" keyctl xxd

a=11111111-1111-4111-8111-111111111111
disk=d15c0000-1111-4111-8111-111111111144
map=${a}_disk-dmcrypt
node=/dev/mapper/$map
key=$(seq 100 163 | while read -r n; do printf %02x "$n"; done)
lab_vg vg0 /dev/ubda

refuses() { # NAME WORDS WHAT COMMAND...
    local name=$1 words=$2 what=$3
    shift 3
    if "$probe" "$@" 2>/tmp/err; then fail "$what: nothing is refused"; fi
    grep -q "^$name .*$words" /tmp/err || fail "$what: $(head -n 3 /tmp/err)"
    ok "$what"
}

# loaded MAP: what device-mapper shows, the parts that are constant.
loaded() { dmsetup table --showkeys "$1" | sed -E 's/ [0-9]+:[0-9]+ / DEV /'; }

volume() { # OPTIONS: a fresh one under $a
    "$probe" remove vg0 $a 2>/dev/null || true
    "$probe" create vg0 $a root 8M "$1"
}

volume 'aes-xts-plain64,512,4096'
"$probe" open vg0 $a root "$key" -
check_equal "the table names the key and does not have it" \
    "0 16384 crypt aes-xts-plain64 :64:logon:mayfly:$disk 0 DEV 0 2 sector_size:4096 iv_large_sectors" "$(loaded "$map")"
check_equal "the node leads to the map" "$(dmsetup info -c --noheadings -o major,minor --separator : "$map")" \
    "$(stat -Lc %Hr:%Lr "$node")"
check_equal "it is listed" "$map MAYFLY-$disk 0" "$("$probe" maps)"
check_equal "and found" "$map MAYFLY-$disk 0" "$("$probe" find "$map")"
check "no key ring has the key any more" lab_wait 120 sh -c '! grep -q mayfly: /proc/keys'
check_fails 1 "nor the caller's" grep -q mayfly: <(keyctl show 2>&1)
refuses EEXIST 'is open already' "it is not opened twice" open vg0 $a root "$key" -

seq 1 200000 >/tmp/data
head -c 1048576 /tmp/data >/tmp/wanted
dd if=/tmp/wanted of="$node" bs=64k conv=fsync status=none
check_fails 1 "the volume below has none of it" grep -qa 12345 "/dev/vg0/${a}_disk"
"$probe" close "$map"
check "closed" test ! -e "$node"
"$probe" close "$map"
ok "closing what is closed changes nothing"
"$probe" open vg0 $a root "$key" 'discards,noqueues,opened'
check_equal "all options" "0 16384 crypt aes-xts-plain64 :64:logon:mayfly:$disk 0 DEV 0 5 \
allow_discards no_read_workqueue no_write_workqueue sector_size:4096 iv_large_sectors" "$(loaded "$map" |
    sed 's/5 .*/5 allow_discards no_read_workqueue no_write_workqueue sector_size:4096 iv_large_sectors/')"
for option in allow_discards no_read_workqueue no_write_workqueue sector_size:4096 iv_large_sectors; do
    check "  with $option" grep -qw "$option" <(loaded "$map")
done
check_equal "tune: nothing to do" unchanged "$("$probe" tune vg0 $a root "$key" 'discards,noqueues')"
check_equal "other options" changed "$("$probe" tune vg0 $a root "$key" -)"
check_fails 1 "  are in the table" grep -qw allow_discards <(loaded "$map")
before=$(dmsetup table "$map")
refuses EINVAL 'another table' "a table that the kernel does not take" tune vg0 $a root "${key:0:32}" noqueues
check_equal "  leaves the map as it was" "$before" "$(dmsetup table "$map")"
check_equal "  in use, and alone" "ACTIVE LIVE" "$(dmsetup info "$map" | sed -n 's/^\(State\|Tables present\): *//p' | tr '\n' ' ' | sed 's/ $//')"
check_equal "a person's map says so" "MAYFLY-$disk-opened" "$("$probe" find "$map" | cut -d' ' -f2)"
refuses EEXIST 'is open already' "and is not opened a second time either" open vg0 $a root "$key" -
check "the data is back" cmp -n 1048576 /tmp/wanted "$node"

mke2fs -q "$node"
mkdir -p /tmp/mnt
mount "$node" /tmp/mnt
refuses EBUSY 'times by mount /tmp/mnt;' "a map that is mounted is not closed, and the place is named" close "$map"
umount /tmp/mnt
mkswap -q "$node" >/dev/null
swapon "$node"
refuses EBUSY 'times by swap;' "nor one that is swap" close "$map"
swapoff "$node"
dmsetup create on-it --table "0 8 linear $node 0"
refuses EBUSY 'times by map on-it;' "nor one below another map" close "$map"
dmsetup remove on-it
dd if=/tmp/wanted of="$node" bs=64k conv=fsync status=none

exec 5<"$node"
begin=$SECONDS
refuses EBUSY 'held open 1 times' "a map that is held is not closed" close "$map"
[ $((SECONDS - begin)) -ge 3 ] || fail "it was not waited for the holder"
exec 5<&-
(exec 5<"$node" && sleep 1) &
lab_wait 120 sh -c "[ \"\$('$probe' find '$map' | cut -d' ' -f3)\" = 1 ]"
"$probe" close "$map"
ok "a holder that leaves is waited for"
wait

# Maps that are not ours, under our name or with our uuid.
dmsetup create "$map" --uuid CRYPT-PLAIN-x --table '0 8 zero'
refuses EUNSAFE 'not this disk' "a foreign map has our name" open vg0 $a root "$key" -
refuses EUNSAFE 'left alone' "it is not closed" close "$map"
refuses EUNSAFE 'left alone' "nor taken for ours" find "$map"
check_equal "nor listed" "" "$("$probe" maps)"
check_equal "nor touched" "0 8 zero " "$(dmsetup table "$map")"
dmsetup remove "$map"
dmsetup create elsewhere --uuid "MAYFLY-$disk" --table '0 8 zero'
refuses EUNSAFE 'elsewhere has the uuid' "our uuid under another name" open vg0 $a root "$key" -
check_equal "is left as it is" "0 8 zero " "$(dmsetup table elsewhere)"
dmsetup remove elsewhere
dmsetup create elsewhere --uuid "MAYFLY-$disk-start-0000002a" --table "0 8 linear /dev/vg0/${a}_disk 0"
refuses EUNSAFE 'elsewhere has the uuid' "  or of a map that was opened for a start" open vg0 $a root "$key" -
dmsetup remove elsewhere
dmsetup create "$map" --uuid "MAYFLY-$disk" --table '0 8 zero'
refuses EUNSAFE 'leads to another device' "our name and uuid over another device" open vg0 $a root "$key" -
dmsetup remove "$map"
dmsetup create "$map" --uuid "MAYFLY-$disk" --notable
"$probe" open vg0 $a root "$key" -
check "a map half made is finished" cmp -n 1048576 /tmp/wanted "$node"
"$probe" close "$map"

lvchange -q -an "vg0/${a}_disk"
refuses ENOENT 'has no device' "an inactive volume is not opened" open vg0 $a root "$key" -
dmsetup create "vg0-${a//-/--}_disk" --uuid other --table '0 16384 zero'
refuses EUNSAFE "not LVM's" "nor another device with its name" open vg0 $a root "$key" -
dmsetup remove "vg0-${a//-/--}_disk"
lvchange -q -ay "vg0/${a}_disk"
if [ -z "${LAB_UDEV-}" ]; then # with udevd the node is not ours to make
    ln -s /dev/zero "$node"
    "$probe" open vg0 $a root "$key" - 2>/tmp/err || grep -q '^ENXIO .*does not lead' /tmp/err
    [ ! -e "$node" ] || check "a link that was in the way is replaced" cmp -n 1048576 /tmp/wanted "$node"
    "$probe" close "$map"
    rm -f "$node"
fi

# A guest's disk that looks like a physical volume of a group that is ours, by name.
"$probe" open vg0 $a root "$key" -
pvcreate -q -y "$node" >/dev/null
vgcreate -q -s 1M guest "$node" >/dev/null
check_equal "LVM under mayfly does not see what guests write" "" \
    "$("$probe" report guest | grep -o '"vg_name":"guest"' || true)"
cp /etc/lvm/lvm.conf /tmp/lvm.conf
sed -i 's/^devices {/&\nfilter = [ "a|.*|" ]/' /etc/lvm/lvm.conf
check_equal "  unless the operator has a filter that lets it" '"vg_name":"guest"' \
    "$("$probe" report guest | grep -om1 '"vg_name":"guest"' || true)"
cp /tmp/lvm.conf /etc/lvm/lvm.conf
vgchange -q -an guest
"$probe" close "$map"
refuses ENOENT 'is not open' "what is not open is not tuned" tune vg0 $a root "$key" -

for cipher in 'aes-xts-plain64,256,512' 'serpent-xts-plain64,512,4096' 'aes-cbc-essiv:sha256,256,512'; do
    IFS=, read -r name bits sector <<<"$cipher"
    volume "$cipher"
    "$probe" open vg0 $a root "${key:0:$((bits / 4))}" -
    dd if=/tmp/wanted of="$node" bs=64k conv=fsync status=none
    "$probe" close "$map"
    "$probe" open vg0 $a root "${key:0:$((bits / 4))}" -
    check "$name, $bits bits, sectors of $sector" cmp -n 1048576 /tmp/wanted "$node"
    check_equal "  the size of its blocks" "$sector" "$(blockdev --getss "$node")"
    "$probe" close "$map"
done

# IEEE 1619-2007, annex B: vectors of 512-byte data units with sequence numbers 0 to 2 are sectors 0 to 2
# (vectors 4, 5 and 6, each one's plaintext being the ciphertext of the one before), AES-128.
volume 'aes-xts-plain64,256,512'
k1=27182818284590452353602874713526
k2=31415926535897932384626433832795
"$probe" open vg0 $a root "$k1$k2" -
for n in 0 1; do seq 0 255; done | while read -r n; do printf '%02x' "$n"; done | xxd -r -p >/tmp/plain
dd if=/tmp/plain of="$node" bs=512 seek=0 conv=fsync status=none
for unit in 0 1; do # the ciphertext of unit 0 is the plaintext of unit 1, and so on
    dd if="/dev/vg0/${a}_disk" of=/tmp/cipher iflag=direct bs=512 skip=$unit count=1 status=none
    dd if=/tmp/cipher of="$node" bs=512 seek=$((unit + 1)) conv=fsync status=none
done
for vector in 0:27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c \
    1:264d3ca8512194fec312c8c9891f279fefdd608d0c027b60483a3fa811d65ee5 \
    2:fa762a3680b76007928ed4a4f49a9456031b704782e65e16cecb54ed7d017b5e; do
    check_equal "IEEE 1619 vector $((${vector%%:*} + 4))" "${vector#*:}" \
        "$(dd if="/dev/vg0/${a}_disk" iflag=direct bs=512 skip="${vector%%:*}" count=1 status=none | head -c 32 | xxd -p -c 64)"
done
"$probe" close "$map"
refuses EOPNOTSUPP 'does this kernel have that' "a key of the wrong size" open vg0 $a root "$k1" -
check_equal "no map is left" "" "$("$probe" maps)"
"$probe" remove vg0 $a
