# SPDX-License-Identifier: Apache-2.0
# enabled = false: plain volumes, named as such by launch and list, and overwritten when deleted.
# lab: -d 1G -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda ephemeral_storage_encryption.enabled=false

mayfly launch p --root 16M --ephemeral 16M --no-start >/dev/null 2>/tmp/err
check "launch warns" grep -q 'warning: .*not encrypted' /tmp/err
check "list says plain" grep -qE '^p .* plain( |$)' <(mayfly list)
check_equal "no key is made" "" "$(our_keys)"
lv=$(disk_lv p root)
echo PLAIN-TEXT-ON-DISK | dd of="$lv" bs=512 conv=sync oflag=direct status=none
sync
check_equal "what is written is on the disk" 1 "$("$SRC/lab/search" /dev/ubda PLAIN-TEXT-ON-DISK)"
check "delete" mayfly delete --yes p
check_equal "and is overwritten there" 0 "$("$SRC/lab/search" /dev/ubda PLAIN-TEXT-ON-DISK)"
nothing_left

lab_config ephemeral_storage_encryption.enabled=true
check "what was encrypted stays so, whatever the configuration says now" mayfly launch q --root 16M --no-start
lab_config ephemeral_storage_encryption.enabled=false ephemeral_storage_encryption.cipher=aes-xts-plain64 \
    ephemeral_storage_encryption.key_size=256
check "open" mayfly open q
check "by its tags, not by the configuration" grep -q 'crypt aes-xts-plain64 :64:logon' <(dmsetup table --showkeys)
mayfly delete --yes q >/dev/null
nothing_left
