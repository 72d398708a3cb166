# SPDX-License-Identifier: Apache-2.0
# libvirtd in the lab: the user mayfly runs a domain through the group libvirt, others may
# not, and nothing that a guest writes to its console is lost.
# lab: -m 1G -t 2160
. "$SRC/lab/lib.sh"
requires libvirtd virsh qemu-system-x86_64

lab_users
lab_libvirtd
virsh=(virsh -q -c qemu:///system)

cat >/tmp/domain.xml <<'END'
<domain type='qemu'>
  <name>one</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='pty'/>
  </devices>
</domain>
END
check "mayfly defines a domain" as_mayfly "${virsh[@]}" define /dev/stdin </tmp/domain.xml
check "the definition is where lab_state keeps them" test -s /etc/libvirt/qemu/one.xml
check_fails 1 "another user may not connect" setpriv --reuid 65534 --regid 65534 --clear-groups \
    env HOME=/tmp "${virsh[@]}" list
check "mayfly starts it" as_mayfly "${virsh[@]}" start one
check "the BIOS is heard from its first words" lab_console_expect one '^.*SeaBIOS .*' 30
check "  and to the end" lab_console_expect one 'No bootable device' 30
check_fails 1 "what was not said is not found" lab_console_expect one 'no such words' 1
check "it is destroyed" as_mayfly "${virsh[@]}" destroy one
check "and started again" as_mayfly "${virsh[@]}" start one
check "its console is logged again" lab_console_expect one 'SeaBIOS .*' 30
