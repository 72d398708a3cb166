# SPDX-License-Identifier: Apache-2.0
# fio in a guest, through virtio, QEMU and our disks (discards on and off, Linux AIO and io_uring) down to LVM; the same to a
# bare volume and to one that QEMU encrypts (LUKS): what was written is read back, at 512 and 4096 bytes and across blocks.
# lab: -d 1G -m 2G -t 1350
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
tools=$SRC/build/lab/tools.ext4
[ -f "$tools" ] || skip "$tools is missing: lab/guest/tools makes it"
host_up /dev/ubda ephemeral_storage_encryption.discard=true
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }

# The guest's vdc and vdd, set up as our disks are, and vde with the programs.
passphrase=/tmp/passphrase
printf secret >$passphrase
secret=$(cat /proc/sys/kernel/random/uuid)
make_volumes() {
    lvcreate -q -L 16M -n raw vg0
    lvcreate -q -L 18M -n luks vg0
    cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 --key-file $passphrase /dev/vg0/luks
    virsh secret-define /dev/stdin <<<"<secret ephemeral='no' private='yes'><uuid>$secret</uuid></secret>"
    virsh secret-set-value "$secret" --file $passphrase --plain
} >/dev/null
disk() { # LV TARGET [ENCRYPTION]
    echo "<disk type='block' device='disk'><target dev='$2' bus='virtio'/><source dev='/dev/vg0/$1'>${3-}</source>
        <driver name='qemu' type='raw' cache='none' io='native' discard='unmap' iothread='1'/></disk>"
}
add_others() {
    virsh dumpxml --inactive vm | sed '/<\/devices>/,$d'
    disk raw vdc
    disk luks vdd "<encryption format='luks'><secret type='passphrase' uuid='$secret'/></encryption>"
    echo "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$tools'/>
        <target dev='vde' bus='virtio'/><readonly/></disk>"
    printf '<controller type="pci" model="pcie-root-port"/>%.0s' 1 2 3 4 # the last is for one more disk
    echo '</devices></domain>'
}

mayfly launch vm --image "$image" --root 160M --ephemeral 16M,fs=vfat --memory 256M --no-start >/dev/null
make_volumes
add_others >/tmp/vm.xml
virsh define /tmp/vm.xml
mayfly start vm >/dev/null
guest_up vm >/dev/null
lab_config libvirt.disk_io=io_uring
check "a disk for the running guest, by io_uring, without discards" mayfly add-disk vm --ephemeral 16M
drivers=$(virsh dumpxml vm | grep -B 1 -- -dmcrypt | grep '<driver')
check_equal "  the I/O thread serves it, as the others" 3 "$(grep -c "cache='none' .*iothread='1'" <<<"$drivers")"
check_equal "  and no page is cached, no discard sent" 1 "$(grep -c "io='io_uring' iothread='1'" <<<"$drivers")"

# What is written all at once, read back and compared, each 1 MiB further on; fio shares the size out among the disks. Blocks have
# sectors of `even` and of `odd`; the blocks of `keep` lie between those of `drop` and `stay`, which are discarded; the gaps of
# 16 KiB behind the sectors of `edges` begin and end within a block.
fio='run fio --minimal --direct=1 --ioengine=libaio --iodepth=16 --thread --allow_mounted_write=1 --verify=crc32c --verify_fatal=1'
all=--filename=/dev/vdb:/dev/vdf:/dev/vdc:/dev/vdd
jobs="--name=blocks $all --rw=randwrite --bs=4k --offset=1M --size=1M
--name=sectors $all --rw=randwrite --bs=512 --offset=2M --size=128k
--name=mixed $all --rw=randwrite --bsrange=512-16k --blockalign=512 --offset=3M --size=1M
--name=even $all --rw=write:512 --bs=512 --offset=4M --size=128k
--name=odd $all --rw=write:512 --bs=512 --offset=4194816 --size=128k
--name=keep $all --rw=write:4k --bs=4k --offset=5M --size=256k
--name=edges $all --rw=write:16k --bs=512 --offset=6M --size=256k
--name=stay --filename=/dev/vdf --rw=write:4k --bs=4k --offset=5246976 --size=64k"
drop='--name=drop --filename=/dev/vdb:/dev/vdc:/dev/vdd --rw=write:4k --bs=4k --offset=5246976 --size=192k'
trim="--name=trim $all --rw=trim:4k --bs=4k --offset=5246976 --size=256k --verify=0"
first_gap=6291968 second_gap=6308864 gap=16384
zeroes="--name=zeroes --filename=/dev/vdb:/dev/vdf --rw=read --bs=4k --offset=$second_gap --size=32k --verify=pattern --verify_pattern=0"

# in_guest COMMAND: the status of a program; what it says is told if it fails.
in_guest() {
    local status
    guest vm "$(tr '\n' ' ' <<<"$1")" 'ran [a-z]* [0-9]*' >/tmp/said
    status=$(sed -n 's/.*MAYFLY-GUEST ran [a-z]* \([0-9]*\).*/\1/p' /tmp/said)
    [ "$status" = 0 ] || grep -v '^3;' /tmp/said # what is left is no table of figures
    return "$status"
}
only_verify() { echo "${1//$'\n'/ --verify_only=1 } --verify_only=1"; }

check "what was written is read back" in_guest "$fio $jobs $drop"
in_guest "run blkdiscard -f -o $first_gap -l $gap /dev/vdb" || ok "QEMU before 10.1: no discards in the midst of blocks"
for disk in vdb vdf; do
    check "zeroes are written to $disk" in_guest "run blkdiscard -f -z -o $second_gap -l $gap /dev/$disk"
done
check "they are there, and discards leave alone what is beside them" in_guest "$fio $trim $zeroes $(only_verify "$jobs")"
check_fails 1 "fio would have noticed" in_guest "$fio $(only_verify "$drop")"

# Do the blocks of `drop` hold anything in the volume below?
dropped() { cmp -s -n 4096 -i "5246976:0" "$(disk_lv vm "$1")" /dev/zero; }
check "discards go down to the volume" dropped eph0
check_fails 1 "  and not where they are off" dropped eph1
check "remove-disk from the running guest" mayfly remove-disk --yes vm eph1
check "delete" mayfly delete --yes vm
nothing_left
