# SPDX-License-Identifier: Apache-2.0
# What people do with definitions: templates printed from a domain that is still there, UEFI variables, names that change, XML
# that libvirt does not take. The firmware is an empty file: it does not boot, but libvirt keeps its variables as of any other.
# lab: -d 600M -m 1G -t 2400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
virsh() { command virsh -q -c qemu:///system "$@"; }
nvram=/var/lib/libvirt/qemu/nvram
mkdir -p /srv
truncate -s 4M /srv/CODE.fd
truncate -s 512K /srv/VARS.fd

template() { # NAME NVRAM [DEVICES [ELEMENTS]]
    cat <<END
<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>${4:-}
<os><type arch='x86_64' machine='q35'>hvm</type><loader readonly='yes' type='pflash'>/srv/CODE.fd</loader>$2</os>
<features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${3:-}</devices></domain>
END
}
not_said() { ! grep -q "$1" /tmp/err; }
nvram_of() { virsh dumpxml --inactive "$1" | sed -n 's|.*<nvram[^>]*>\(.*\)</nvram>.*|\1|p'; }

# ---- UEFI variables
template golden "<nvram template='/srv/VARS.fd'/>" >/tmp/golden.xml
virsh define /tmp/golden.xml
virsh start golden
virsh destroy golden
echo enrolled >>"$nvram/golden_VARS.fd"
virsh dumpxml --inactive golden >/tmp/template.xml
check "the template names the variables of golden" grep -q "$nvram/golden_VARS.fd" /tmp/template.xml

# What somebody has left under the name of an instance is neither used nor removed (virsh undefine --keep-nvram).
echo stale >"$nvram/ci-1_VARS.fd"
mayfly launch ci --count 2 --root 16M --domain-xml /tmp/template.xml >/dev/null
one=$(nvram_of ci-1) two=$(nvram_of ci-2)
check_equal "each instance has UEFI variables of its own, by its uuid" \
    "$nvram/$(virsh domuuid ci-1 | head -1)_VARS.fd $nvram/$(virsh domuuid ci-2 | head -1)_VARS.fd" "$one $two"
check "  which libvirt has made from the template" cmp /srv/VARS.fd "$one"
check "  of the other one as well" cmp /srv/VARS.fd "$two"
mayfly delete --yes ci-1 >/dev/null
check "they go with the instance" test ! -e "$one"
check "  those of others stay" test -s "$two" -a "$(tail -c 9 "$nvram/golden_VARS.fd")" = enrolled -a "$(cat "$nvram/ci-1_VARS.fd")" = stale

virsh destroy ci-2
virsh domrename ci-2 renamed
mayfly launch ci-2 --root 16M --domain-xml /tmp/template.xml --no-start >/dev/null
check "a renamed domain keeps its variables" test "$(nvram_of ci-2)" != "$two" -a "$(nvram_of renamed)" = "$two"
mayfly delete --yes renamed ci-2 >/dev/null
check "  which go with it" test ! -e "$two"

# firmware='efi': libvirt 9.0 names the file only while the domain runs.
mkdir -p /etc/qemu/firmware
cat >/etc/qemu/firmware/00-lab.json <<END # before those of other packages
{"description": "lab", "interface-types": ["uefi"], "features": [], "tags": [],
 "mapping": {"device": "flash", "executable": {"filename": "/srv/CODE.fd", "format": "raw"},
             "nvram-template": {"filename": "/srv/VARS.fd", "format": "raw"}},
 "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}]}
END
template t "" | sed "s|<os>|<os firmware='efi'>|; s|<loader.*</loader>||" >/tmp/efi.xml
check "a firmware that libvirt chooses" mayfly launch efi --root 16M --domain-xml /tmp/efi.xml
one=$(nvram_of efi)
check "  has variables by the uuid, too" test -n "$one" -a -s "$one"
check "  which go with the instance" mayfly delete --yes efi
check "  and are gone" test ! -e "$one"

mayfly launch edited --root 16M --domain-xml /tmp/template.xml --no-start >/dev/null
virsh dumpxml --inactive edited | sed "s|$(nvram_of edited)|$nvram/golden_VARS.fd|" >/tmp/edited.xml
virsh define /tmp/edited.xml
check "an instance with the variables of another is found" grep -q 'foreign-nvram: .*golden_VARS.fd, which domain golden has, too' <(mayfly show edited)
mayfly delete --yes edited >/dev/null 2>/tmp/err
check "variables that a person has put in stay" test "$(tail -c 9 "$nvram/golden_VARS.fd")" = enrolled
check "  which is told" grep -q "NVRAM file $nvram/golden_VARS.fd stays" /tmp/err
check_equal "no domain of ours is left" golden "$(our_domains)"

# A launch that fails when its domain starts, and is undone.
template golden "<nvram template='/srv/none.fd'>$nvram/golden_VARS.fd</nvram>" >/tmp/dead.xml
status=0
mayfly launch dead --root 16M --domain-xml /tmp/dead.xml 2>/tmp/err || status=$?
cat /tmp/err
check "a launch that fails removes no variables of others" test "$status" != 0 -a "$(tail -c 9 "$nvram/golden_VARS.fd")" = enrolled
virsh undefine --nvram golden

# ---- what else two domains cannot share
template t "" "<disk type='file' device='disk'><source file='/srv/VARS.fd'/><target dev='vda' bus='virtio'/></disk>" >/tmp/t.xml
refused 8 'would write to disk vda' "a disk of the template's" mayfly launch t --root 16M --domain-xml /tmp/t.xml
template t "" "<interface type='user'><mac address='52:54:00:12:34:56'/></interface>" >/tmp/t.xml
refused 1 'cannot share the MAC address' "one MAC address for two" mayfly launch t --count 2 --root 16M --domain-xml /tmp/t.xml
template t "" "" "<genid>6f1e8a8e-ffff-4000-8000-00000000000a</genid><sysinfo type='smbios'><system>
<entry name='uuid'>6f1e8a8e-ffff-4000-8000-00000000000b</entry></system></sysinfo>" >/tmp/t.xml
mayfly launch t --count 2 --root 16M --domain-xml /tmp/t.xml --no-start >/dev/null
check_equal "generation ids are made anew" 2 \
    "$(for name in t-1 t-2; do virsh dumpxml --inactive "$name" | grep -o '<genid>.*'; done | grep -v ffff | sort -u | wc -l)"
mayfly delete --yes t-1 t-2 >/dev/null
check_equal "no domain is left" "" "$(our_domains)"
world_changed

# ---- libvirt's verdict
template t "" "" "<cpu><topology sockets='2' cores='2' threads='1'/></cpu>" >/tmp/t.xml
for dry in "" --dry-run; do
    refused 1 'libvirt refuses its XML' "a topology that does not fit $dry" \
        mayfly launch t --vcpus 6 --root 16M --domain-xml /tmp/t.xml $dry
done
mayfly -v launch t --vcpus 6 --root 16M --domain-xml /tmp/t.xml 2>/tmp/err || true
check "  it is told before anything is made" not_said "create volume"
template mayfly-trial-x "" "" "<metadata><a:instance xmlns:a='urn:mayfly:trial:1'/></metadata>" >/tmp/t.xml
virsh define /tmp/t.xml
check "recover removes a trial that was cut off" grep -q 'libvirt judged its definition: removed' <(mayfly recover)
check_equal "no domain is left" "" "$(our_domains)"

# ---- names
long=$(printf 'n%.0s' {1..90})
like=6f1e8a8e-0000-4000-8000-00000000000a
for name in "$long" "$like"; do
    template "$name" "<nvram template='/srv/VARS.fd'/>" >/tmp/t.xml
    virsh define /tmp/t.xml
    check "add-disks for a domain named ${name:0:40}" mayfly add-disks "$name" --root 16M
    uuid=$(virsh domuuid "$name" | head -1)
    check "  it is found by its name, and started" mayfly start "$name"
    mayfly stop "$uuid" --force --timeout 0 >/dev/null
    if [ "$name" = "$long" ]; then
        check "  by its uuid in capitals" grep -q "$uuid" <(mayfly show "${uuid^^}")
        check "  and without hyphens" grep -q "$uuid" <(mayfly show "${uuid//-/}")
    fi
    mayfly delete --yes "$name" >/dev/null
    virsh undefine --nvram "$name"
done

mayfly launch a --root 16M --memory 64M --no-start >/dev/null
mayfly launch b --root 16M --memory 64M --no-start >/dev/null
uuid_a=$(virsh domuuid a | head -1)
virsh domrename a c
virsh domrename b a
virsh domrename c b
mv /var/lib/mayfly/keys /var/lib/mayfly/away
mayfly start "$uuid_a" 2>/tmp/err || true
mv /var/lib/mayfly/away /var/lib/mayfly/keys
check "an error names an instance as libvirt does: $(cat /tmp/err)" grep -q 'instance b: ' /tmp/err

# ---- a definition that is changed while the rescue image is written
guest_image
install -d -o mayfly /run/mine
until_progress 'progress 1' mayfly --progress-fd 9 rescue b --image "$image"
virsh desc b --config "changed meanwhile"
wait "$pid" || fail "$(cat /tmp/err)"
check "a change while the rescue image was written is kept" grep -q 'changed meanwhile' <(virsh desc b --config)
mayfly unrescue b >/dev/null
check "  after unrescue too" grep -q 'changed meanwhile' <(virsh desc b --config)
mayfly stop b --force --timeout 0 >/dev/null

# ---- libvirtd is restarted while an image is written
until_progress 'progress 1' mayfly --progress-fd 9 launch w --image "$image" --root 300M --memory 64M --no-start
lab_libvirtd
status=0
wait "$pid" || status=$?
check_equal "a launch goes on when libvirtd is restarted: $(cat /tmp/err)" 0 "$status"

mayfly start w >/dev/null
until_progress 'progress 1' mayfly --progress-fd 9 export w /run/mine/w.qcow2
lab_stop_libvirtd
status=0
wait "$pid" || status=$?
check_equal "a disk is exported though libvirt is gone" 0 "$status"
check "  the file is there" test -s /run/mine/w.qcow2
lab_libvirtd

# ---- /etc/libvirt as Fedora and SUSE have it
chmod 700 /etc/libvirt
check "the folder of the definitions need not be open to mayfly" mayfly launch closed --root 16M --memory 64M --no-start
check "  nor for a disk more" mayfly add-disk closed --ephemeral 16M
chmod 755 /etc/libvirt
mayfly delete --yes a b w closed >/dev/null
