# SPDX-License-Identifier: Apache-2.0
# Keys of 256 bits and of 512, stored in Barbican and ordered from it: each opens its disks again, for all who may read it.
# openstack: -d 512M -m 1G -t 1500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda

for way in 'order 512' 'order 256' 'store 256'; do
    read -r create bits <<<"$way"
    openstack_config key_manager.host_access=read barbican.create="$create" ephemeral_storage_encryption.key_size="$bits"
    as alice mayfly launch x --root 16M --no-start >/dev/null
    check_kept x "$bits"
    as alice mayfly open x >/dev/null
    echo "$way" | dd of="$(disk_device x root)" bs=4096 conv=sync oflag=direct status=none
    as alice mayfly close x >/dev/null
    as dave mayfly open x >/dev/null
    check_equal "  ($create) another of the project reads what was written" "$way" \
        "$(dd if="$(disk_device x root)" bs=4096 count=1 iflag=direct status=none | tr -d '\0')"
    mayfly close x >/dev/null
    as alice mayfly delete x >/dev/null
    nothing_left
done
