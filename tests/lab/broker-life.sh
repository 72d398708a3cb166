# SPDX-License-Identifier: Apache-2.0
# A volume's whole life through the broker, which runs as root in its sandbox, with real LVM and dm-crypt.
# lab: -d 500M -d 100M -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/tests/lab/lib-broker.sh"
requires "$probe" "$broker" "$BUILD/tests/lab/broker-suite"
lab_vg vg0 /dev/ubda
lab_vg vg1 /dev/ubdb

# The suite that the doubles of the broker and of storage pass too.
"$BUILD/tests/lab/broker-suite" "$broker" vg0 vg1 >/tmp/suite 2>&1 || fail "$(grep -E 'ERROR|FAILED|LINE|!=' /tmp/suite)"
check_equal "the suite leaves nothing" "" "$(volumes vg0)"

talk "an encrypted volume is made, opened, written, formatted, closed" "
volume vg0 $a root 8000000 7
lock
create
open
write hello-there
read
format ext4 root
open
drop
mark ready
close
close
list" "ok ok ok ok hello-there ok ok ok ok ok ok ok
${a}_disk ready 8388608 - ok"
check "no map is left" test ! -e "/dev/mapper/${a}_disk-dmcrypt"
check "what was written is not on the volume in the clear" \
    bash -c "! grep -q hello-there /dev/vg0/${a}_disk"

talk "it is opened again and has its file system" "
volume vg0 $a root 8388608 7
lock
open
wait /etc/passwd" "ok ok ok"
talk "a map outlives the connection, and is the same one" "
volume vg0 $a root 8388608 7
lock
open opened
list" "ok ok ${a}_disk ready 8388608 MAYFLY-d15c7274-1111-4111-8111-111111111111 ok"
check_equal "blkid sees the file system" ext4 "$(blkid -p -o value -s TYPE "/dev/mapper/${a}_disk-dmcrypt")"
check_equal "the table shows no key" ":64:logon:" "$(dmsetup table --showkeys "${a}_disk-dmcrypt" | grep -o ':64:logon:')"

talk "doomed, it is closed and removed, but not before" "
volume vg0 $a root 8388608 7
lock
remove
mark doomed
remove
open
close
remove
remove
list" "ok remove EBADE ok remove EBUSY open EBADE ok ok ok ok"
check_equal "nothing is left" "" "$(volumes vg0)"

for fs in xfs:320 vfat:64 swap:16; do
    type=${fs%:*} size=$((${fs#*:} << 20))
    talk "$type on sectors of 4096 bytes" "
volume vg0 $a eph0 $size 9
lock
create
open opened
format $type Data-1
drop" "ok ok ok ok ok"
    found=$(blkid -p -o value -s TYPE "/dev/mapper/${a}_disk.eph0-dmcrypt")
    check_equal "$type is there" "$type" "$found"
    [ "$type" != vfat ] || check_equal "vfat has sectors of 512 bytes" "00 02" \
        "$(od -An -tx1 -j11 -N2 "/dev/mapper/${a}_disk.eph0-dmcrypt" | xargs)"
    talk "$type goes" "
volume vg0 $a eph0 $size 9
lock
close
remove" "ok ok ok"
done

talk "a plain volume" "
volume vg0 $a eph0 16777216 none
lock
create
open
write in-the-clear
format ext4 eph
drop
list" "ok ok ok ok ok ok ${a}_disk.eph0 building 16777216 - ok"
check "its text is on the disk" grep -q in-the-clear /dev/ubda
exec 5<"/dev/vg0/${a}_disk.eph0"
talk "is not removed while it is held" "
volume vg0 $a eph0 16777216 none
lock
remove" "ok remove EBUSY"
check "and was not touched" grep -q in-the-clear /dev/ubda
exec 5<&-
lvchange -q -an "vg0/${a}_disk.eph0"
talk "removed, though not active" "
volume vg0 $a eph0 16777216 none
lock
remove
list" "ok ok ok"
echo 3 >/proc/sys/vm/drop_caches
check "and its text is gone" bash -c '! grep -q in-the-clear /dev/ubda'
