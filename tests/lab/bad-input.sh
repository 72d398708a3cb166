# SPDX-License-Identifier: Apache-2.0
# Bad input: a clear message, the documented exit status, and everything as before.
# lab: -d 1G -d 64M -m 1G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda libvirt.images_volume_group=vg0,vg1
vgcreate -q -s 1M vg9 /dev/ubdb >/dev/null
guest_image
images=${image%/*}
mayfly launch there --root 16M --no-start >/dev/null
launch=(mayfly launch new --no-start)

# --- words
refused 1 'no verb' "no verb" mayfly
refused 1 'no such verb' "an unknown verb" mayfly frobnicate
refused 1 '--sweep: unknown' "an unknown option" "${launch[@]}" --root 16M --sweep
refused 1 "'12Q' is not a size" "a size that is none" "${launch[@]}" --root 12Q
refused 1 "not a file system" "an unknown file system" "${launch[@]}" --root 16M --ephemeral 16M,fs=zfs
refused 1 "too small for xfs" "an xfs disk that is too small" "${launch[@]}" --ephemeral 100M,fs=xfs
refused 1 "from 1 to" "a count of zero" "${launch[@]}" --root 16M --count 0
refused 1 "name" "a name with a blank" mayfly launch 'a b' --root 16M --no-start
refused 1 "nothing to make" "no disk at all" "${launch[@]}"

# --- names
refused 5 "there" "the name is taken" mayfly launch there --root 16M --no-start
refused 4 "nowhere" "an instance that is not there" mayfly start nowhere
virsh -q -c qemu:///system define /dev/stdin >/dev/null <<'END'
<domain type='qemu'><name>foreign</name><memory>65536</memory><os><type>hvm</type></os></domain>
END
world_changed
refused 5 "foreign" "the name of someone else's domain" mayfly launch foreign --root 16M --no-start
refused 8 "foreign" "delete of someone else's domain" mayfly delete --yes foreign

# --- images
refused 4 "nothing.qcow2" "an image that is not there" "${launch[@]}" --root 300M --image "$images/nothing.qcow2"
refused 1 "300 MiB|larger|too small|hold" "an image larger than the root disk" "${launch[@]}" --root 100M --image "$image"
truncate -s 0 "$images/empty.raw"
refused 1 "empty" "an empty image" "${launch[@]}" --root 16M --image "$images/empty.raw"
qemu-img create -q -f qcow2 -b "$image" -F qcow2 "$images/backed.qcow2" >/dev/null
refused 1 "backing" "an image with a backing file" "${launch[@]}" --root 300M --image "$images/backed.qcow2"
qemu-img create -q -f qcow2 -o data_file="$images/data.raw" "$images/external.qcow2" 16M >/dev/null
refused 1 "external|data file" "an image with an external data file" "${launch[@]}" --root 300M --image "$images/external.qcow2"
qemu-img create -q -f qcow2 "$images/absurd.qcow2" 1M
printf '\x7f\xff\xff\xff\xff\xff\xff\x00' | dd of="$images/absurd.qcow2" bs=1 seek=24 conv=notrunc status=none
refused 1 "absurd" "an image of absurd size" "${launch[@]}" --root 300M --image "$images/absurd.qcow2"
head -c 200000 "$image" >"$images/cut.qcow2"
refused 1 "cut.qcow2" "a truncated image" "${launch[@]}" --root 300M --image "$images/cut.qcow2"
head -c $(($(stat -c %s "$image") / 2)) "$image" >"$images/half.qcow2"
refused 1 "half.qcow2: is damaged or truncated" "one that lacks half of its data" "${launch[@]}" --root 300M --image "$images/half.qcow2"
install -m 600 "$image" "$images/private.qcow2"
check "an image that is root's alone is root's to use" "${launch[@]}" --root 300M --image "$images/private.qcow2"
mayfly delete --yes new >/dev/null
mkfifo "$images/fifo"
refused 1 "fifo" "a pipe as image" "${launch[@]}" --root 300M --image "$images/fifo"

# --- volume groups
refused 4 "vg1" "a volume group that is not there" "${launch[@]}" --root 16M --volume-group vg1
refused 1 "vg9" "one that is not in the configuration" "${launch[@]}" --root 16M --volume-group vg9
refused 10 "vg0" "one that is too full" "${launch[@]}" --root 2G

# --- configuration
bad_config() { # PATTERN WHAT OPTION=VALUE...
    local pattern=$1 what=$2
    shift 2
    lab_config "$@"
    refused 1 "mayfly.conf:.*$pattern" "$what" "${launch[@]}" --root 16M
}
crypt=ephemeral_storage_encryption
bad_config 'caesar' "an unknown cipher" $crypt.cipher=caesar-xts-plain64
bad_config '384' "a key size that the cipher does not take" $crypt.key_size=384
bad_config '511' "an odd key size" $crypt.key_size=511
bad_config '1024' "a sector size that is none" $crypt.sector_size=1024
bad_config 'colour' "an unknown option" $crypt.colour=red
bad_config 'frills' "an unknown group" frills.lace=yes
bad_config 'perhaps' "a word that is no truth value" $crypt.enabled=perhaps
lab_config libvirt.images_volume_group=
refused 1 "images_volume_group" "no volume group configured" "${launch[@]}" --root 16M
check "recover has nothing to do then" grep -q "^No volume group is configured" <(mayfly recover)
lab_config
chmod 666 /etc/mayfly/mayfly.conf
refused 2 "mayfly.conf" "a configuration that anyone can write" "${launch[@]}" --root 16M
chmod 644 /etc/mayfly/mayfly.conf

# --- templates
echo '<domain><name>x</name>' >"$images/bad.xml"
refused 1 "XML" "a template that is not well-formed" "${launch[@]}" --root 16M --domain-xml "$images/bad.xml"
echo '<network/>' >"$images/bad.xml"
refused 1 "domain" "one that is no domain" "${launch[@]}" --root 16M --domain-xml "$images/bad.xml"

# --- what is not there
lab_stop_libvirtd
check_fails 10 "libvirt is not there" "${launch[@]}" --root 16M 2>/tmp/err
check "  and that is said" grep -q libvirt /tmp/err
check "list works without it" grep -q there <(mayfly list 2>/dev/null)
lab_libvirtd
mayfly delete --yes there >/dev/null
virsh -q -c qemu:///system undefine foreign
nothing_left
