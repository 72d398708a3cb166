# SPDX-License-Identifier: Apache-2.0
# Engine user over LVM: mayfly-disks serves volumes to QEMU, which runs as another user, as it does on a host. The hook, every
# verb, a worker and a keeper that are killed; what was written is read back through dm-crypt, and stands nowhere in plaintext.
# lab: -d 1G -m 2G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
lab_qemu_user=libvirt-qemu
host_up /dev/ubda
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }

# The built-in template, but QEMU brings the guest's kernel: emulation does not notice code that another process has written, so no
# chain of boot loaders works there (see tests/vhost/guest.py).
template=/run/images/template.xml
make_template() {
    qemu-img convert -O raw "$image" /run/images/plain
    MTOOLS_SKIP_CHECK=1 mcopy -i /run/images/plain@@1M ::vmlinuz ::initrd /run/images/
    rm /run/images/plain
    chmod 644 /run/images/*
    sed "s|<domain type='[a-z]*'|<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'|; /<\/domain>/d" \
        "$SRC/data/domain.xml"
    cat <<'END'
<qemu:commandline>
  <qemu:arg value='-kernel'/><qemu:arg value='/run/images/vmlinuz'/><qemu:arg value='-initrd'/><qemu:arg value='/run/images/initrd'/>
  <qemu:arg value='-append'/><qemu:arg value='console=ttyS0 quiet loglevel=3 nokaslr mitigations=off lpj=4000000 tsc=reliable no_timer_check cryptomgr.notests=1 8250.nr_uarts=1 random.trust_cpu=on'/>
</qemu:commandline></domain>
END
}
make_template >$template

sockets=/run/mayfly/disks
processes() { pgrep -x mayfly-disks || true; }
keepers() { pgrep -x -P 1 mayfly-disks || true; }
keeper_of() { # ROLE: its process, which holds the state
    local process
    for process in $(keepers); do
        ! readlink "/proc/$process/fd/"* | grep -q "/$(disk_field vm "$1" volume).keeper$" || echo "$process"
    done
}
none() { [ -z "$(processes)" ]; }
nothing_served() { # WHAT
    check_equal "$1: no process serves a disk" "" "$(processes)"
    check_equal "  no socket is left" "" "$(find $sockets -type s)"
    check_equal "  no map" "" "$(our_maps)"
}
reads() { guest vm read 'done' | tr -d '\r' | grep -c "read vd. $1" || true; }

check "launch" mayfly launch vm --image "$image" --root 160M --ephemeral 16M --memory 192M --engine user --domain-xml $template
check_equal "no map is there" "" "$(our_maps)"
check_equal "a keeper for each disk, of the user mayfly" "mayfly mayfly" "$(ps -o user= -p "$(keepers | tr '\n' ',' | sed 's/,$//')" | tr -d ' ' | xargs)"
check_equal "show tells the engine, and that the disk is open" "user True" "$(disk_field vm root engine) $(disk_field vm root open)"
check_equal "  and the socket" "$sockets/$(disk_field vm root volume)" "$(disk_device vm root)"
check_equal "which is for QEMU's group" "660 mayfly libvirt-qemu" "$(stat -c '%a %U %G' "$(disk_device vm root)")"
check_equal "each volume says so" 2 "$(lvs --noheadings -o lv_tags vg0 | grep -c mayfly.engine=user)"
guest_up vm >/dev/null
guest vm 'mark SERVED-DISK' marked >/dev/null
check_equal "the guest reads what it wrote" 2 "$(reads SERVED-DISK)"

guest vm 'loop LOOP-MARK' looping >/dev/null
for _ in 1 2 3; do
    keeper=$(keeper_of root)
    worker=$(pgrep -P "$keeper")
    kill -9 "$worker"
    lab_wait 60 sh -c "pgrep -P $keeper >/dev/null"
done
files=/run/files
install -d -o mayfly -m 700 $files
check "export of the running guest" mayfly export vm $files/vm.qcow2
check_equal "  through a map that is gone again" "" "$(our_maps)"
check "a live resize" mayfly resize vm --disk eph0 24M
check "one more disk for the running guest" mayfly add-disk vm --ephemeral 16M
check_equal "  is served, too" 3 "$(keepers | wc -l)"
rounds=$(guest vm stop stopped | grep -o '[0-9]*$')
check "workers were killed, and the guest wrote on ($rounds rounds)" test "$rounds" -gt 0
check "the added disk is taken back" mayfly remove-disk --yes vm eph1
check_equal "  with its keeper" 2 "$(keepers | wc -l)"
check "recover finds nothing to do" grep -q 'All is in order' <(mayfly recover)

kill -9 "$(keeper_of eph0)"
check_equal "a keeper is killed" 1 "$(keepers | wc -l)"
check "  start brings it back to the running guest" mayfly start vm
check_equal "  one for each disk" 2 "$(keepers | wc -l)"
check_equal "  and the guest reads on" 2 "$(reads SERVED-DISK)"

check "stop" mayfly stop vm --timeout 0 --force
nothing_served "  it"
check "virsh start: the hook serves the disks" virsh start vm
guest_up vm >/dev/null
check_equal "  which hold what was written" 2 "$(reads SERVED-DISK)"
guest vm 'mark LAST-MARK' marked >/dev/null
check "virsh destroy" virsh destroy vm
nothing_served "  it"

sed -n "/<disk/,/<\/disk>/p" <(virsh dumpxml vm) | sed '/<\/disk>/q' >/tmp/disk.xml
cat >/tmp/thief.xml <<END
<domain type='qemu'><name>thief</name><memory unit='MiB'>64</memory>
<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>$(sed '/<address/d; /<alias/d' /tmp/disk.xml)</devices></domain>
END
check "another domain with that socket" virsh define /tmp/thief.xml
check_fails 1 "  does not start" virsh start thief 2>/tmp/err
check "  and is told why" grep -q 'is a disk of instance' /tmp/err
virsh undefine thief

check "open, for the host" mayfly open vm
check_equal "  by dm-crypt" 2 "$(our_maps | wc -l)"
check_equal "  is told to scripts" /dev/mapper "$(dirname "$(disk_device vm root)")"
check "  what the guest wrote is there" grep -qa LAST-MARK "$(disk_device vm eph0)"
check "start takes the disks back" mayfly start vm
check_equal "  without maps" "" "$(our_maps)"
guest_up vm >/dev/null
check_equal "  the guest has its data" 2 "$(reads LAST-MARK)"

mayfly stop vm --timeout 0 --force >/dev/null
served=$(virsh dumpxml --inactive --security-info vm)
check "set-engine dm-crypt" grep -q 'has engine dm-crypt now' <(mayfly set-engine vm dm-crypt)
check_equal "  no volume has the tag" 0 "$(lvs --noheadings -o lv_tags vg0 | grep -c mayfly.engine || true)"
check "  start" mayfly start vm
check_equal "  opens maps" "2 " "$(our_maps | wc -l) $(processes)"
guest_up vm >/dev/null
check_equal "  with the same data" 2 "$(reads LAST-MARK)"
refused 5 'stop' "a running guest keeps its engine" mayfly set-engine vm user
world_changed
mayfly stop vm --timeout 0 --force >/dev/null
check "set-engine user" mayfly set-engine vm user
check_equal "  the definition is as before" "$(sed '/iothread/d' <<<"$served")" "$(virsh dumpxml --inactive --security-info vm | sed '/iothread/d')"
check "  start" mayfly start vm
check_equal "  serves them" 2 "$(keepers | wc -l)"
guest_up vm >/dev/null
check_equal "  with the same data" 2 "$(reads LAST-MARK)"

before=$(virsh dumpxml --inactive --security-info vm)
check "rescue" mayfly rescue vm --image "$image" --root 144M
guest_up vm >/dev/null
check_equal "  by a keeper more" 3 "$(keepers | wc -l)"
check "unrescue" mayfly unrescue vm
check_equal "  and all is as before" "$before" "$(virsh dumpxml --inactive --security-info vm)"
guest_up vm >/dev/null
check "rebuild" mayfly rebuild vm --image "$image" --yes
guest_up vm >/dev/null
check_equal "  the old data is gone, the engine stays" "0 user" "$(reads LAST-MARK) $(disk_field vm root engine)"

mayfly stop vm --timeout 0 --force >/dev/null
flock "/dev/vg0/$(disk_field vm root volume)" sleep 600 &
stranger=$!
lab_wait 20 pgrep -P $stranger >/dev/null
world_changed
refused 5 'in use' "another program has a volume open and locked" mayfly delete --yes vm
pkill -P $stranger
wait $stranger || true
check "delete" mayfly delete --yes vm
nothing_served "  it"
mayfly key list --json | python3 -ISc 'import json, sys; [print(k["key"]) for k in json.load(sys.stdin)["keys"]]' |
    while read -r key; do mayfly key destroy --yes "$key" >/dev/null; done # that of the export
nothing_left
lvcreate -q -L 4M -n control vg0 >/dev/null
echo CONTROL-MARK >/dev/vg0/control
sync
check_fails 1 "nothing of the guest stands on the disk" grep -qaE 'SERVED-DISK|LOOP-MARK|LAST-MARK' /dev/ubda
check "  where the search finds what was put there" grep -qa CONTROL-MARK /dev/ubda

lvremove -qy vg0/control >/dev/null
lab_config key_manager.backend=ephemeral
world_changed
refused 1 'another backend' "a key that cannot be fetched again" mayfly launch e --root 16M --engine user
lab_config libvirt.engine=user ephemeral_storage_encryption.cipher=serpent-xts-plain64
refused 1 'aes-xts-plain64' "another cipher" mayfly launch e --root 16M
lab_config libvirt.engine=user
check "an engine that is configured" mayfly launch e --root 16M --no-start
check_equal "  is what new instances get" user "$(disk_field e root engine)"
check "  delete" mayfly delete --yes e
nothing_left
