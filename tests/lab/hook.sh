# SPDX-License-Identifier: Apache-2.0
# Plain virsh: the hook opens the disks just before QEMU starts, and closes them when it is gone, whoever ends it. What is not
# Mayfly's starts as ever, even where Mayfly itself is broken; what would lead a guest below the encryption does not.
# lab: -d 1G -d 16M -m 2G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }

domain() { # NAME DISK-PATH: the XML of somebody else's
    cat <<END
<domain type='qemu'><name>$1</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><disk type='block' device='disk'><source dev='$2'/><target dev='vda' bus='virtio'/></disk></devices></domain>
END
}

mayfly launch vm --image "$image" --root 160M --ephemeral 16M --memory 192M --no-start >/dev/null
check_equal "nothing is open" "" "$(our_maps)"
check "virsh start" virsh start vm
guest_up vm >/dev/null
guest vm 'mark BY-VIRSH' marked >/dev/null
check_equal "  has opened both disks" 2 "$(our_maps | wc -l)"
check "virsh destroy" virsh destroy vm
check_equal "  has closed them" "" "$(our_maps)"
check "start again" virsh start vm
guest_up vm >/dev/null
check_equal "  what was written is there" 2 "$(guest vm read 'done' | grep -c 'read vd. BY-VIRSH')"
check "the guest powers itself off" virsh shutdown vm
no_maps() { [ -z "$(our_maps)" ]; }
check "  which closes them too" lab_wait 120 no_maps
check_equal "  and is seen" "shut off" "$(state_of vm)"

check "mayfly start, with the hook behind it" mayfly start vm
check "virsh destroy of what mayfly started" virsh destroy vm
check_equal "  closes as well" "" "$(our_maps)"

check "open for a start that follows" mayfly open --for-start vm
check_equal "  the disks stay open" 2 "$(our_maps | wc -l)"
mayfly recover >/dev/null
check_equal "  recover leaves them, while it may follow" 2 "$(our_maps | wc -l)"
mv /var/lib/mayfly/keys /var/lib/mayfly/away
check "  virsh start needs no key" virsh start vm
mv /var/lib/mayfly/away /var/lib/mayfly/keys
check "  virsh destroy" virsh destroy vm
check_equal "  closes them" "" "$(our_maps)"
check "what a person has opened" mayfly open vm
check "  also for a start" mayfly open --for-start vm
virsh start vm
virsh destroy vm
check_equal "  stays open" 2 "$(our_maps | wc -l)"
check "close" mayfly close vm
check_equal "  closes them" "" "$(our_maps)"

mv /var/lib/mayfly/keys /var/lib/mayfly/away
check_fails 1 "without its key it is not started" virsh start vm 2>/tmp/err
check "  and virsh says why" grep -q 'key local:' /tmp/err
check_equal "  nothing is open" "" "$(our_maps)"
mv /var/lib/mayfly/away /var/lib/mayfly/keys

domain other /dev/ubda >/tmp/other.xml
virsh define /tmp/other.xml
check_fails 1 "a domain that names the physical volume of the group does not start" virsh start other
virsh undefine other
domain other /dev/ubdb >/tmp/other.xml
virsh define /tmp/other.xml
check "a domain of someone else starts" virsh start other
virsh destroy other
cp /etc/mayfly/mayfly.conf /tmp/good.conf
echo 'nonsense' >>/etc/mayfly/mayfly.conf
check "  also where Mayfly's configuration is broken" virsh start other
virsh destroy other
check_fails 1 "  where an instance does not" virsh start vm 2>/tmp/err
check "  and virsh says why" grep -q 'mayfly.conf' /tmp/err
cp /tmp/good.conf /etc/mayfly/mayfly.conf

bare=$(disk_lv vm eph0)
domain thief "$bare" >/tmp/thief.xml
virsh define /tmp/thief.xml
check_fails 1 "a domain that names the volume below an encrypted disk does not start" virsh start thief 2>/tmp/err
check "  and virsh says why" grep -q 'in plaintext' /tmp/err

# The same device by its other names. A guard that compares names would know one of them.
ln -s "$bare" /tmp/data.img
for path in "/dev/mapper/$(dmsetup info -c --noheadings -o name "$bare")" "/dev/dm-$((0x$(stat -Lc %T "$bare")))" /tmp/data.img; do
    [ -e "$path" ] || continue
    virsh undefine thief
    domain thief "$path" >/tmp/thief.xml
    virsh define /tmp/thief.xml
    check_fails 1 "  nor by the name $path" virsh start thief 2>/tmp/err
    check "    and virsh says why" grep -q 'in plaintext' /tmp/err
done
virsh dumpxml --inactive thief | sed "s|<source dev='[^']*'|<source pool='vg0' volume='${bare##*/}'|" >/tmp/pool.xml
check "  (the definition names a pool)" grep -q "pool='vg0'" /tmp/pool.xml
check_fails 8 "  nor as a volume of a storage pool" mayfly hook -- thief prepare begin - </tmp/pool.xml
check "the map of an instance that runs" virsh start vm
virsh undefine thief
domain thief "$(disk_device vm eph0)" >/tmp/thief.xml
virsh define /tmp/thief.xml
check_fails 1 "  is not given to another domain" virsh start thief 2>/tmp/err
check "  and virsh says why" grep -q 'is a disk of instance' /tmp/err
virsh destroy vm
