# SPDX-License-Identifier: Apache-2.0
# Secrets stored in Barbican and ordered from it, for volume keys of 256 bits and of 512: each opens its disks again, for all who
# may read it.
# And one that Nova has in Barbican: its disk is adopted with it.
# openstack: -d 512M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda

for way in 'order 512' 'store 256'; do
    read -r create bits <<<"$way"
    openstack_config key_manager.host_access=read barbican.create="$create" ephemeral_storage_encryption.key_size="$bits"
    as alice mayfly launch x --root 16M --no-start >/dev/null
    check_kept x 256
    check_equal "  its volume key has the size that was set" "$bits" "$(disk_field x root key_bits)"
    as alice mayfly open x >/dev/null
    echo "$way" | dd of="$(disk_device x root)" bs=4096 conv=sync oflag=direct status=none
    as alice mayfly close x >/dev/null
    as dave mayfly open x >/dev/null
    check_equal "  ($create) another of the project reads what was written" "$way" \
        "$(dd if="$(disk_device x root)" bs=4096 count=1 iflag=direct status=none | tr -d '\0')"
    mayfly close x >/dev/null
    as alice mayfly delete --yes x >/dev/null
    nothing_left
done

uuid=aaaaaaaa-1111-4111-8111-111111111111
device=/dev/mapper/${uuid}_disk-dmcrypt
hex=$(od -An -v -tx1 -N64 /dev/urandom | tr -d ' \n')
id=$(openstack api store alice "$hex" | xargs)
lvcreate -q -Zn -Wn -y -n "${uuid}_disk" -L 16M vg0 >/dev/null
printf %s "$hex" | DM_DISABLE_UDEV=1 cryptsetup create "${device##*/}" "/dev/vg0/${uuid}_disk" \
    --cipher=aes-xts-plain64 --key-size=512 --key-file=- --hash sha256
mkswap -q "$device"
DM_DISABLE_UDEV=1 cryptsetup close "${device##*/}"
openstack_config ephemeral_storage_encryption.key_size=512
adopt() { as "$1" mayfly adopt $uuid --key "barbican:$id" --kdf nova-sha256; }
check_fails 2 "Nova's key is not adopted by another project" adopt bob
check "but by its own" adopt alice
as alice mayfly open $uuid >/dev/null
check_equal "  and opens the disk" swap "$(blkid -p -o value -s TYPE "$device")"
as alice mayfly recover
as alice mayfly delete --yes $uuid
nothing_left
