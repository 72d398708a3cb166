# SPDX-License-Identifier: Apache-2.0
# An instance that is told who it is: a seed disk with a host name, a key and user data, encrypted, kept by a rebuild and gone with the
# instance; what it is connected to; that it starts with the host; disks that are added while it runs.
# lab: -d 1G -m 2G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }
# How often the disks of the host have the text.
on_host_disks() { { grep -aoF "$1" /dev/ubda || true; } | wc -l; }
in_seed() { grep -aqF "$1" "$(disk_device web seed)"; }

# Of root's own, where the user mayfly may not look.
mkdir -m 700 /tmp/own
key='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICNnv2xCyQ5JCsCfCXA0TarnnHmq5NE4LANiUac6QquK me@home'
marker="password-$(head -c 12 /dev/urandom | xxd -p)"
echo "$key" >/tmp/own/key.pub
printf '#cloud-config\npassword: %s\n' "$marker" >/tmp/own/user-data
echo '-----BEGIN OPENSSH PRIVATE KEY-----' >/tmp/own/key

refused 1 'is private' "a private key" mayfly launch web --root 16M --ssh-key /tmp/own/key
refused 4 'cannot be opened' "a file that is not there" mayfly launch web --root 16M --user-data /tmp/own/none
refused 1 'host name' "a host name that cannot be one" mayfly launch web --root 16M --hostname 'a b'
refused 4 'libvirt knows no such network' "a network that is not there" mayfly launch web --root 16M --network nowhere
refused 4 'no such interface' "a bridge that is not there" mayfly launch web --root 16M --network bridge=nowhere

check "launch with a seed" mayfly launch web --image "$image" --root 160M --memory 192M --hostname web-1 --autostart \
    --ssh-key /tmp/own/key.pub --user-data /tmp/own/user-data
check "  its guest sees it last" grep -q 'vda:root:ext4,vdb:CIDATA:seed' <(guest_up web)
guest web seed 'done' >/tmp/seed
check "  the guest has its name" grep -q 'seed hostname web-1' /tmp/seed
check "  and its id" grep -q "seed id $(virsh domuuid web | head -1)" /tmp/seed
check "  and its key" grep -qF "seed key $key" /tmp/seed
check "  and its user data" grep -q 'seed data #cloud-config' /tmp/seed
check "  it may not write there" grep -q "error vdb can't be written" <(guest web 'write vdb 0 x' '(written|error).*')
check "  show names the disk" grep -q '^seed ' <(mayfly show web)
check "the host has the user data through the map" in_seed "$marker"
check_equal "  and nowhere on its disks" 0 "$(on_host_disks "$marker")"
check "it has autostart" test -L /etc/libvirt/qemu/autostart/web.xml
check "  which show tells" grep -q '^Starts: with the host' <(mayfly show web)
check_equal "it is on no network, and show does not speak of it" "" "$(mayfly show web | grep '^Addr' || true)"
check "its console is that of virsh" grep -q 'Escape character' \
    <(script -qec 'mayfly console web' /dev/null < <(sleep 5; printf '\035'))
check_fails 1 "  which wants a terminal" mayfly console web </dev/null
for n in 1 2 3 4; do
    check "disk $n more, while it runs" mayfly add-disk web --ephemeral 8M
done

check "a rebuild" mayfly rebuild --yes web --empty
check "  keeps what the seed held" in_seed "$marker"
check "    all of it" in_seed "$key"
check_equal "  under another key" 0 "$(on_host_disks "$marker")"
check "delete" mayfly delete --yes web
check "  takes autostart along" test ! -e /etc/libvirt/qemu/autostart/web.xml
nothing_left
