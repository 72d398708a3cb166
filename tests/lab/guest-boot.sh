# SPDX-License-Identifier: Apache-2.0
# The guest of the lab under plain QEMU: boots by the BIOS, finds its disks by what is on
# them, marks and reads them, formats nothing on its own, obeys the power button.
# lab: -m 1G -t 2160
. "$SRC/lab/lib.sh"
image=$SRC/build/lab/guest.qcow2
requires qemu-system-x86_64 qemu-img mkfs.xfs mkfs.fat "$SRC/lab/guest/build"
[ -f "$image" ] || skip "$image is missing: lab/guest/build makes it"

cd "$(mktemp -d)"
mkfifo console.in console.out monitor.in monitor.out

make_disks() {
    qemu-img create -q -f qcow2 -F qcow2 -b "$image" root.qcow2
    truncate -s 32M ext4 swap vfat zero parted
    truncate -s 320M xfs
    mke2fs -q -t ext4 -L ephemeral0 ext4
    mkfs.xfs -q -L eph1 xfs
    mkfs.fat -n EPH2 vfat >/dev/null
    mkswap -q swap
    head -c 8M /dev/urandom >noise
    # an MBR with one partition (type 83, from sector 2048, 8192 of them), nothing in it
    printf '\200\0\0\0\203\0\0\0\0\010\0\0\0\040\0\0' | dd of=parted bs=1 seek=446 conv=notrunc status=none
    printf '\125\252' | dd of=parted bs=1 seek=510 conv=notrunc status=none
}

# Starts the guest with the disks named; ext4 has 4096-byte sectors beneath 512-byte ones.
boot() {
    local disk arguments=() blocks
    for disk; do
        blocks=logical_block_size=512
        [ "$disk" != ext4 ] || blocks=$blocks,physical_block_size=4096
        arguments+=(-drive "if=none,id=$disk,format=raw,file=$disk"
            -device "virtio-blk-pci,drive=$disk,$blocks")
    done
    cat monitor.out >/dev/null &
    qemu-system-x86_64 -machine pc,accel=tcg -cpu qemu64 -m 192 -nodefaults -display none \
        -chardev pipe,id=console,path=console -serial chardev:console \
        -chardev pipe,id=monitor,path=monitor -mon chardev=monitor \
        -device virtio-blk-pci,drive=root -drive if=none,id=root,format=qcow2,file=root.qcow2 \
        "${arguments[@]}" &
    guest=$!
    exec 4<console.out
    SECONDS=0
    answer 'ready disks=.*'
    echo "the guest was ready after $SECONDS s"
}

# answer REGEX: takes lines into the log until one is MAYFLY-GUEST REGEX. Looking at a file
# again and again would take the one processor from the guest.
answer() {
    local line
    : >log
    while IFS= read -t 900 -r line <&4; do
        line=${line%$'\r'}
        printf '%s\n' "$line" >>log
        [[ ! $line =~ ^MAYFLY-GUEST\ $1$ ]] || return 0
    done
    fail "no '$1' in: $(tail -n 20 log)"
}

# order COMMAND REGEX: gives the command, waits for the answer's last line.
order() {
    printf '%s\n' "$1" >console.in
    answer "$2"
}

# told LINE: the answer had it.
told() {
    check "the guest says '$1'" grep -qaxF "MAYFLY-GUEST $1" log
}

gone() {
    ! kill -0 "$guest" 2>/dev/null
}

# The button is pressed; within a minute (all is emulated twice) QEMU is gone.
press_power_button() {
    printf 'system_powerdown\n' >monitor.in
    cat <&4 >log &
    lab_wait 120 gone || fail 'the power button is ignored'
    wait "$guest" || fail "QEMU gave $?"
    ok 'the power button ends the guest'
}

make_disks
sums=$(sha256sum noise zero parted)
identity=$(blkid -o value -s UUID ext4)

boot ext4 xfs vfat swap noise zero parted
told 'ready disks=vda:root:ext4,vdb:ephemeral0:ext4,vdc:eph1:xfs,vdd:EPH2:vfat,vde:-:swap,vdf:-:unknown,vdg:-:unknown,vdh:-:unknown'
order read 'done'
told 'read vdb none'
order 'mark first-mark' marked
for disk in vda vdb vdc vdd vde; do
    told "wrote $disk first-mark"
    told "read $disk first-mark"
done
check 'the mark is on the ext4 disk' grep -qaF first-mark ext4
check 'the mark is on the swap disk' grep -qaF first-mark swap
order sectors 'done'
for disk in vda vdb vdc vdd vde; do
    told "sectors $disk ok"
done
order 'format vdb' 'error vdb is in use'
order 'format vdh' 'error vdh is not empty'
order 'nonsense' "error unknown command 'nonsense'"
press_power_button
check_equal 'nothing was written to disks without a file system' "$sums" "$(sha256sum noise zero parted)"

boot ext4 swap noise zero
told 'ready disks=vda:root:ext4,vdb:ephemeral0:ext4,vdc:-:swap,vdd:-:unknown,vde:-:unknown'
order read 'done'
for disk in vda vdb vdc; do
    told "read $disk first-mark"
done
check_equal 'the ext4 disk was not formatted again' "$identity" "$(blkid -o value -s UUID ext4)"
order 'dump vdd 512 16' 'dumped vdd'
check 'dump shows the bytes of the disk' grep -qaF "$(dd if=noise bs=512 skip=1 count=1 status=none | head -c 16 | xxd | cut -c 11-49)" log
order 'hash vdd' 'hash vdd .*'
told "hash vdd $(sha256sum noise | cut -d ' ' -f 1)"
order 'write vdd 700 written-raw' 'written vdd'
check_equal 'a raw write arrives' written-raw "$(dd if=noise bs=1 skip=700 count=11 status=none)"
order 'format vde fresh' 'formatted vde'
order ready 'ready disks=.*'
told 'ready disks=vda:root:ext4,vdb:ephemeral0:ext4,vdc:-:swap,vdd:-:unknown,vde:fresh:ext4'
order 'loop busy' looping
press_power_button
check 'the file system was left clean' e2fsck -fn ext4
