# SPDX-License-Identifier: Apache-2.0
# What the broker does not do, with real LVM and dm-crypt under it.
# lab: -d 100M -d 100M -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/tests/lab/lib-broker.sh"
requires "$probe" "$broker"
lab_vg vg0 /dev/ubda
lab_vg vg1 /dev/ubdb
lvcreate -q -Zn -Wn -y -n theirs -L 4M vg0 >/dev/null
lvcreate -q -Zn -Wn -y -n "${b}_disk" -L 4M vg0 >/dev/null

talk "nothing without the lock" "
volume vg0 $a root 8388608 7
create
close
remove" "create EPERM close EPERM remove EPERM"
talk "nothing in a group that is not in mayfly.conf" "
volume vg1 $a root 8388608 7
lock
create
remove" "ok create EPERM remove EPERM"
talk "nothing with a volume that has our name but not our tags" "
volume vg0 $b root 4194304 7
lock
open
mark doomed
remove" "ok open EBADE mark EBADE remove EBADE"
talk "no name is given twice" "
volume vg0 $a root 8388608 7
lock
create
create
list" "ok ok create EEXIST ${a}_disk building 8388608 - ok"
c=33333333-3333-4333-8333-333333333333
lab_config libvirt.images_volume_group=vg9,vg0
lvchange -q --addtag "mayfly.disk=d15c7274${c:8}" vg0/theirs
talk "no disk has the uuid of another, and a group that is not there has none" "
volume vg0 $c root 4194304 7
lock
create" "ok create EEXIST"
check "the sentence names it" grep -q "d15c7274${c:8}: is volume vg0/theirs already" /tmp/sentences
lvchange -q --deltag "mayfly.disk=d15c7274${c:8}" vg0/theirs
talk "its own it may have" "
volume vg0 $c root 4194304 7
lock
create
remove" "ok ok ok"
lab_config libvirt.images_volume_group=vg0
talk "more than there is" "
volume vg0 $a eph0 8388608000 7
lock
create" "ok create ENOSPC"

talk "a wrong key opens nothing, and a map of others is left alone" "
volume vg0 $a root 8388608 8
lock
open
format ext4 x" "ok open EKEYREJECTED format EBADE"
check "no map was made for it" test ! -e "/dev/mapper/${a}_disk-dmcrypt"
lvchange -q --deltag mayfly.sector=4096 --addtag mayfly.sector=512 "vg0/${a}_disk"
talk "a changed tag is like a wrong key" "
volume vg0 $a root 8388608 7
lock
open" "ok open EKEYREJECTED"
lvchange -q --deltag mayfly.sector=512 --addtag mayfly.sector=4096 "vg0/${a}_disk"
dmsetup create "${a}_disk-dmcrypt" --uuid CRYPT-PLAIN-x --table "0 8 zero"
talk "someone's map of our name stays" "
volume vg0 $a root 8388608 7
lock
open
close
remove" "ok open EBADE close EBADE remove EBADE"
dmsetup remove "${a}_disk-dmcrypt"

mkfifo /tmp/hold
"$probe" "$broker" </tmp/hold >/tmp/held 2>&1 &
exec 3>/tmp/hold
echo "lock $a" >&3
lab_wait 120 grep -qx 'lock ok' /tmp/held || fail "the lock was not had: $(cat /tmp/held)"
talk "the lock is another's" "lock $a" "lock EBUSY"
check "the sentence names it" grep -q "$a: another mayfly works on it" /tmp/sentences
exec 3>&-
wait
talk "until that one is gone" "lock $a" "ok"

lab_config libvirt.images_volume_group=vg0
chown 12 /etc/mayfly/mayfly.conf
talk "a configuration that root does not own" "lock $a" "lock EPERM"
chown 0 /etc/mayfly/mayfly.conf
echo nonsense >>/etc/mayfly/mayfly.conf
talk "a configuration with an error is told to the client" "lock $a" "lock EINVAL"
check "with its place" grep -q 'mayfly.conf:[0-9]' /tmp/sentences
lab_config libvirt.images_volume_group=vg0

version=$(sed -n 's/.*WIRE_VERSION 0x\(.*\)U/\1/p' "$BUILD/src/broker/wire-version.h")
python3 - "$broker" "$version" "$SRC/src/broker/ops.def" <<'END'
import random, re, socket, subprocess, sys
ops = re.findall(r"^OP\(\w+, *(\w+)", open(sys.argv[3]).read(), re.M)
with_body = [number for number, body in enumerate(ops) if body != "op_none"]  # others may be answered well
random.seed(7)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
broker = subprocess.Popen([sys.argv[1]], stdin=theirs)
theirs.close()
for i in range(3000):
    size = random.choice((1, 7, 8, 9, 45, 100, 500, 9000))
    packet = bytearray(random.randbytes(size))
    packet[8:9] = packet[8:9] and b"x"  # a SETTLE of an empty name would be a good one
    if i % 3:
        packet[:8] = int(sys.argv[2], 16).to_bytes(4, "little") + bytes((random.choice(with_body), 0, 0, 0))
    ours.send(packet)
    answer = ours.recv(4096)
    assert int.from_bytes(answer[4:8], "little", signed=True) < 0, answer
ours.close()
assert broker.wait(20) == 0
END
ok "garbage is answered by errors"
check_equal "all is as before" "${a}_disk ${b}_disk theirs" "$(volumes vg0)"
