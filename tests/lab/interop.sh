# SPDX-License-Identifier: Apache-2.0
# The way out: with the derived volume key alone, cryptsetup opens a disk of ours. The key goes from a test program
# to cryptsetup through a pipe.
# lab: -d 1G -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
requires cryptsetup
volume_key=$BUILD/tests/lab/volume-key

for sector in 4096 512; do
    for bits in 256 512; do
        [ -n "${ready-}" ] || { host_up /dev/ubda; ready=1; }
        lab_config ephemeral_storage_encryption.key_size=$bits ephemeral_storage_encryption.sector_size=$sector
        mayfly launch x --root 16M --no-start >/dev/null
        mayfly open x >/dev/null
        device=$(disk_device x root) lv=$(disk_lv x root)
        head -c 16M /dev/urandom >/tmp/plain
        dd if=/tmp/plain of="$device" bs=1M oflag=direct status=none
        mayfly close x >/dev/null
        large=()
        [ $sector = 512 ] || large=(--iv-large-sectors)
        id=$(disk_field x root key)
        cryptsetup open --type plain --cipher aes-xts-plain64 --key-size $bits --sector-size $sector \
            "${large[@]}" --key-file <(as_mayfly "$volume_key" "${id#*:}" "$(disk_field x root uuid)" "$bits" "$sector") \
            "$lv" way-out
        check "cryptsetup reads the same bytes: $bits bits, $sector-byte sectors" \
            cmp /tmp/plain <(dd if=/dev/mapper/way-out bs=1M iflag=direct status=none)
        cryptsetup close way-out
        mayfly delete --yes x >/dev/null
    done
done
nothing_left
