# SPDX-License-Identifier: Apache-2.0
# Disks that Nova made, by the very commands that it runs, are adopted with the key that it had, and live on as others do.
# lab: -d 300M -m 1G -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
requires cryptsetup mkfs.ext4 systemd-socket-activate
host_up /dev/ubda

hex=$(od -An -v -tx1 -N64 /dev/urandom | tr -d ' \n')
wrong=$(tr 0-9a-f 1-9a-f0 <<<"$hex")

# nova_disk UUID SUFFIX HASH: as Nova makes one; its map stays open, as Nova leaves it.
nova_disk() {
    lvcreate -q -Zn -Wn -y -n "$1_disk$2" -L 16M vg0 >/dev/null
    printf %s "$hex" | DM_DISABLE_UDEV=1 cryptsetup create "$1_disk$2-dmcrypt" "/dev/vg0/$1_disk$2" \
        --cipher=aes-xts-plain64 --key-size=512 --key-file=- --hash "$3"
}

# nova_instance UUID HASH: a root disk with a marker in its file system.
nova_instance() {
    local device=/dev/mapper/$1_disk-dmcrypt
    nova_disk "$1" "" "$2"
    mkfs.ext4 -q "$device"
    mount "$device" /mnt
    echo "written under $2" >/mnt/marker
    umount /mnt
}
nova_close() { # UUID
    local map
    for map in /dev/mapper/"$1"*-dmcrypt; do DM_DISABLE_UDEV=1 cryptsetup close "${map##*/}"; done
    world_changed
}
key_is() { key=$1 "${@:2}"; }
adopt() { mayfly adopt "$1" --key - --kdf "nova-$2" "${@:3}" <<<"${key:-$hex}"; }
adopt_as_mayfly() { as_mayfly env PATH="$PATH" mayfly adopt "$1" --key - --kdf "nova-$2" <<<"$hex"; }
on_disk() { for disk in /dev/vg0/"$1"_disk*; do head -c 16M "$disk"; done | sha256sum; }

# As Nova defines it: the domain names the maps.
define() { # NAME UUID
    local suffix
    {
        echo "<domain type='qemu'><name>$1</name><uuid>$2</uuid><memory unit='MiB'>64</memory>
            <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
        for suffix in a: b:.local c:.swap; do
            echo "<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' io='native'/>
                <source dev='/dev/mapper/$2_disk${suffix#*:}-dmcrypt'/><target dev='vd${suffix%:*}' bus='virtio'/></disk>"
        done
        echo "</devices></domain>"
    } >/tmp/nova.xml
    virsh -q -c qemu:///system define /tmp/nova.xml >/dev/null
}

old=aaaaaaaa-1111-4111-8111-111111111111 new=bbbbbbbb-1111-4111-8111-111111111111
nova_instance $old ripemd160
nova_disk $old .local ripemd160 # on which nothing was ever written
nova_disk $old .swap ripemd160
mkswap -q "/dev/mapper/${old}_disk.swap-dmcrypt"
define instance-0000000a $old
refused 5 "is open as .*cryptsetup close" "while Nova has it open" adopt $old ripemd160
nova_close $old
nova_instance $new sha256
nova_close $new

refused 2 "shows neither" "the wrong hash" adopt $old sha256
refused 2 "shows neither" "the wrong key" key_is "$wrong" adopt $old ripemd160
refused 4 "has a volume" "an instance that is not there" adopt cccccccc-1111-4111-8111-111111111111 sha256
refused 1 "not a key" "what is no hex" key_is xyz adopt $old sha256
lvcreate -q -Zn -Wn -y -n "${old}_disk.rescue" -L 4M vg0 >/dev/null
world_changed
refused 8 "is not a disk that can be adopted" "one that is being rescued" adopt $old ripemd160
lvremove -q -y "vg0/${old}_disk.rescue" >/dev/null
world_changed
before=$(world)
adopt $old ripemd160 --dry-run
check_equal "a dry run tries the key, and changes nothing" "$before" "$(world)"

# What root may, the group that reaches the broker by its socket may not.
socket=/run/mayfly/broker.sock
install -d -m 755 /run/mayfly
systemd-socket-activate --accept --inetd --seqpacket -l $socket "$BUILD/src/broker/mayfly-broker" 2>/tmp/activate &
activate=$!
lab_wait 120 test -S $socket
chgrp mayfly $socket && chmod 660 $socket
refused 2 "only root may adopt" "a member of the group mayfly" adopt_as_mayfly $old ripemd160
kill $activate

before=$(on_disk $old)
world_changed
adopt $old ripemd160 2>/tmp/err
check "a further disk that shows nothing is but warned of" grep -q 'disk.local: shows neither' /tmp/err
check_equal "no byte of the disks has changed" "$before" "$(on_disk $old)"
check_equal "and it is known by its domain" "shut off" "$(state_of instance-0000000a)"
check_equal "show tells the derivation" nova-ripemd160 "$(disk_field $old local kdf)"
check_equal "adopted again, it was before" "$old: was adopted already" "$(adopt $old ripemd160)"
refused 5 "is Mayfly's already" "another hash for it" adopt $old sha256

clear=dddddddd-1111-4111-8111-111111111111
lvcreate -q -Zn -Wn -y -n "${clear}_disk" -L 16M vg0 >/dev/null
mkfs.ext4 -q "/dev/vg0/${clear}_disk"
world_changed
refused 8 "is not encrypted" "a volume in the clear, even by force" adopt $clear sha256 --force
lvremove -q -y "vg0/${clear}_disk" >/dev/null

look_into() { # UUID HASH
    mayfly open "$1" >/dev/null
    mount -o ro "$(disk_device "$1" root)" /mnt
    check_equal "$2: its file system has the marker" "written under $2" "$(cat /mnt/marker)"
    umount /mnt
    [ "$1" = $new ] || check_equal "  and swap is swap" swap "$(blkid -p -o value -s TYPE "$(disk_device "$1" swap)")"
    mayfly close "$1" >/dev/null
    check_equal "  closed, no map is left" "" "$(our_maps)"
}
look_into $old ripemd160
adopt $new sha256
look_into $new sha256

virsh -q -c qemu:///system start instance-0000000a >/dev/null
check_equal "virsh start opens its disks, by the hook" 3 "$(our_maps | wc -l)"
virsh -q -c qemu:///system destroy instance-0000000a >/dev/null
check_equal "and virsh destroy closes them" "" "$(our_maps)"

# It lives on as others do, under the keys that it came with.
install -d -o mayfly -m 700 /run/files
check "an adopted disk grows" mayfly resize $old 20M --disk root
check "  an export of it" mayfly export $old /run/files/root.qcow2 --plaintext
check "  has what it holds" grep -qa "written under ripemd160" /run/files/root.qcow2
check "another disk comes" mayfly add-disk $old --ephemeral 16M
check_equal "  with a key of Mayfly's own making" hkdf-sha512 "$(disk_field $old eph0 kdf)"
check "  and goes" mayfly remove-disk --yes $old eph0
look_into $old ripemd160

mayfly recover
mayfly delete --yes $old $new
check_equal "no volume is left" "" "$(lvs --noheadings -o lv_name vg0 | xargs)"
check_equal "no key" "" "$(our_keys)"
check_equal "the domain of others stays" instance-0000000a "$(our_domains)"
