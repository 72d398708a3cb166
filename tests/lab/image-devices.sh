# SPDX-License-Identifier: Apache-2.0
# Block devices as images, and as what images are written to: a last block that is no whole one, sectors of 4096 bytes.
# lab: -d 300M -t 1620
. "$SRC/lab/lib.sh"
probe=/run/image-probe # where the user mayfly can go, too
install -m 755 "$BUILD/tests/lab/image-probe" "$probe"
requires "$probe" cryptsetup losetup qemu-img
cd /tmp
lab_users
lab_vg vg0 /dev/ubda
chmod 755 /tmp

make_lv() { # NAME SIZE
    lvcreate -q -y -n "$1" -L "$2" vg0 >/dev/null
}

noise() { head -c "$1" /dev/zero | tr '\0' '\245'; }

# written WHAT IMAGE RAW TARGET: the target, noise before, has just the bytes of RAW, and noise behind them.
written() {
    local what=$1 image=$2 raw=$3 target=$4 bytes room
    bytes=$(stat -Lc %s "$raw")
    room=$(blockdev --getsize64 "$target")
    noise "$room" >"$target"
    check_equal "$what: its size" "$bytes" "$("$probe" "$image" "$target")"
    { cat "$raw" && noise $((room - bytes)); } >wanted
    check "  and every byte of it, and none behind" cmp wanted "$target"
    rm wanted
}

refuses() { # NAME WORDS WHAT COMMAND...
    local name=$1 words=$2 what=$3
    shift 3
    if "$@" >/tmp/out 2>/tmp/err; then fail "$what: nothing is refused"; fi
    grep -q "^$name .*$words" /tmp/err || fail "$what: $(head -n 3 /tmp/err)"
    ok "$what"
}

# --- what is read: 5 MiB with holes, noise and text
head -c 2M /dev/urandom >data.raw
truncate -s 4M data.raw
seq 100000 >>data.raw
truncate -s 5M data.raw
make_lv raw 5M
make_lv qcow2 8M
make_lv cut 2M
make_lv target 20M
make_lv copy 20M
cp data.raw /dev/vg0/raw
qemu-img convert -f raw -O qcow2 data.raw data.qcow2
cp data.qcow2 /dev/vg0/qcow2
head -c 2M data.qcow2 >/dev/vg0/cut
modprobe loop
loop=$(losetup -f --show -r data.raw)
loop4k=$(losetup -f --show -r --sector-size 4096 data.qcow2)

written "a raw logical volume" /dev/vg0/raw data.raw /dev/vg0/target
written "a logical volume with a qcow2 in it, and room behind" /dev/vg0/qcow2 data.raw /dev/vg0/target
written "a read-only loop device" "$loop" data.raw /dev/vg0/target
written "a qcow2 in one with sectors of 4096 bytes" "$loop4k" data.raw /dev/vg0/target
refuses EINVAL "damaged or truncated" "a qcow2 that did not fit its logical volume" "$probe" /dev/vg0/cut
refuses EACCES "may not read it" "a device that the user may not read" as_mayfly "$probe" "$(readlink -f /dev/vg0/raw)"

# --- what is written to: dm-crypt with sectors of 4096 bytes
make_lv crypt 20M
head -c 64 /dev/urandom >key
cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --sector-size 4096 --key-file key /dev/vg0/crypt crypt
target=/dev/mapper/crypt
check_equal "its blocks" 4096 "$(blockdev --getss $target)"
written "an image of whole blocks" data.qcow2 data.raw $target

head -c 5001728 data.raw >odd.raw # a multiple of 512 that is none of 4096
qemu-img convert -f raw -O qcow2 odd.raw odd.qcow2
written "a raw image that ends within a block" odd.raw odd.raw $target
written "a qcow2 that does" odd.qcow2 odd.raw $target
head -c 1536 data.raw >tiny.raw
written "an image smaller than a block" tiny.raw tiny.raw $target

# --- several at a time, from one reading: maps with sectors of 4096 and of 512 bytes, and a plain volume
make_lv crypt512 21M
cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --key-file key /dev/vg0/crypt512 crypt512
all="$target /dev/mapper/crypt512 /dev/vg0/target"
for image in data.qcow2 odd.raw odd.qcow2; do
    raw=${image%.*}.raw
    bytes=$(stat -c %s "$raw")
    for one in $all; do
        room=$(blockdev --getsize64 "$one")
        noise "$room" >"$one"
    done
    # shellcheck disable=SC2086
    check_equal "$image to three devices: its size" "$bytes" "$("$probe" $image $all)"
    for one in $all; do
        { cat "$raw" && noise $(($(blockdev --getsize64 "$one") - bytes)); } | cmp - "$one" || fail "$image: $one is not it"
    done
    ok "  and each has every byte of it, and none behind"
done
dmsetup create broken --table "0 8192 linear /dev/vg0/copy 0
8192 32768 error"
refuses EIO "image data.raw: disk /dev/mapper/broken cannot be written at byte 4" "one of three that breaks" \
    "$probe" data.raw "$target" /dev/mapper/broken /dev/mapper/crypt512
dmsetup remove broken
cryptsetup close crypt512

# --- the map as an image: sectors of 4096 bytes, a device of the whole size of another
cat $target >map.raw
written "such a map as the image" $target map.raw /dev/vg0/copy

make_lv small 4M
refuses EINVAL "do not fit" "a device that is too small" "$probe" odd.raw /dev/vg0/small
cryptsetup close crypt
losetup -d "$loop" "$loop4k"
