# SPDX-License-Identifier: Apache-2.0
# An export of a VM that writes all the time: a point in time, encrypted with a key of its own, from which another VM runs;
# and what is left when it is cut off, or runs out of room.
# lab: -d 2G -m 2G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
files=/run/files
install -d -o mayfly -m 700 "$files"

mayfly launch vm --image "$image" --root 300M --ephemeral 48M --memory 192M >/dev/null
guest_up vm >/dev/null
guest vm 'mark FIRST-MARK' marked >/dev/null
check_equal "a dry run makes nothing" "" "$(mayfly export vm $files/a --dry-run >/tmp/plan; ls $files)"
check "  and tells its steps" grep -q 'write .*, encrypted' /tmp/plan
guest vm 'loop LOOP-MARK' looping >/dev/null

mayfly export vm $files/vm.qcow2 --json >/tmp/export.json # while the guest writes
key=$(python3 -ISc 'import json; print(json.load(open("/tmp/export.json"))["export"]["key"])')
guest vm stop stopped >/dev/null
check_equal "no snapshot is left" 2 "$(our_volumes | wc -l)"
check_equal "  nor a map" 2 "$(our_maps | wc -l)"
check_equal "the image has a key of its own" 2 "$(our_keys | wc -l)"
check "  which key list knows as such" grep -q "$key .* image .* of an image file" <(mayfly key list)
check "  and recover leaves alone" grep -q 'All is in order' <(mayfly recover)
check_fails 1 "nothing of the guest stands in the file" grep -qaE 'FIRST-MARK|LOOP-MARK|mayfly' $files/vm.qcow2
check_fails 5 "a file that is there is not replaced" mayfly export vm $files/vm.qcow2
install -d -m 700 $files/root
check "a disk in plaintext, since that was asked for, into a folder that is root's alone" \
    mayfly export vm $files/root/eph.qcow2 --disk eph0 --plaintext
check_equal "  and the file is root's" "root 600" "$(stat -c '%U %a' $files/root/eph.qcow2)"
check_equal "  has no key" 2 "$(our_keys | wc -l)"
check "  and shows what it holds" grep -qa FIRST-MARK $files/root/eph.qcow2

# Cut off while it writes.
until_progress progress mayfly --progress-fd 9 export vm $files/cut.qcow2
kill -9 $pid
wait $pid || true
check_equal "killed: the snapshot is left" 3 "$(our_volumes | wc -l)"
check_fails 9 "no other is made then" mayfly export vm $files/cut.qcow2
lab_wait 120 recovered
check_equal "recover removes it" 2 "$(our_volumes | wc -l)"
check_equal "  its map" 2 "$(our_maps | wc -l)"
check_equal "  and the key of what did not become a file" 2 "$(our_keys | wc -l)"
mayfly delete --yes vm >/dev/null
check_equal "the image's key survives its instance" 1 "$(our_keys | wc -l)"

check_fails 1 "without its key no VM is made of it" mayfly launch new --image $files/vm.qcow2 --root 300M
check "a VM from the image" mayfly launch new --image $files/vm.qcow2 --image-key "$key" --root 300M --memory 192M
check "  comes up" grep -q 'vda:root:ext4' <(guest_up new)
check "  with what was written before" grep -q 'read vda FIRST-MARK' <(guest new read 'done')
check "stop" mayfly stop new --timeout 60
mayfly open new >/dev/null
disk=$(disk_device new root)
check "  its file system is clean" e2fsck -fn "$disk?offset=$(partx -S 512 -go START -n -1 "$disk" | awk '{ print $1 * 512 }')"

# What changes while it is at work has too little room: half of the disk, written while it stands still.
until_progress 'step write' mayfly --progress-fd 9 export new $files/full.qcow2 --room 4M
kill -STOP $pid
dd if=/dev/urandom of="$disk" bs=1M seek=200 count=16 oflag=direct conv=notrunc status=none
kill -CONT $pid
check_fails 10 "an export that runs out of room fails" wait $pid
check "  and says why" grep -q 'use a larger --room' /tmp/err
check_equal "  no file is left" "root vm.qcow2" "$(cd $files && echo *)"
check_equal "  nor a volume" 1 "$(our_volumes | wc -l)"
check_equal "  nor a key" 2 "$(our_keys | wc -l)"
mayfly close new >/dev/null
mayfly delete --yes new >/dev/null
check "destroy the image's key" mayfly key destroy --yes "$key"
check_fails 7 "then the file is worthless" mayfly launch new --image $files/vm.qcow2 --image-key "$key" --root 300M
nothing_left
