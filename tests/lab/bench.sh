# SPDX-License-Identifier: Apache-2.0
# mayfly bench on real parts: every kind of disk is measured; what others have is not touched; nothing is left of it, also where it
# was stopped or killed; and what is lent shows nothing of what stood there before.
# lab: -d 256M -m 1G -t 900
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
lab_users
lab_vg vg0 /dev/ubda
lab_config

lvcreate -qq -y -Wn -n other -L 8M vg0
head -c 8M /dev/urandom >/dev/vg0/other
other=$(cksum </dev/vg0/other)
lvcreate -qq -y -Wn -n before -L 200M vg0
repeat BEFORE-MARK 200M >/dev/vg0/before
sync
lvremove -qq -y vg0/before
lvcreate -qq -y -Wn -Zn -n before -L 200M vg0
check "what stood in an extent can be read, as a control" grep -qa BEFORE-MARK /dev/vg0/before
lvremove -qq -y vg0/before

bench=(bench --size 32M --runtime 1 --rounds 1 --job read-4k-qd1 --job write-4k-qd32)
temporary() { find /tmp -maxdepth 1 -name 'mayfly-??????'; }
there=$(temporary) # the clone itself, say
processes() { { pgrep -a 'fio|qemu-'; pgrep -a mayfly-disks; } || true; } # pgrep takes 15 characters at most
left() { our_volumes; our_maps; temporary | grep -vxF "$there" || true; processes; }
cleared() { mayfly recover >/tmp/recovered || true; [ -z "$(left)" ]; } # there is no libvirt here, and recover says so

check "a dry run tells its steps" grep -q 'make scratch volume vg0/.*_disk.bench of 32 MiB' <(mayfly "${bench[@]}" --dry-run)
check_fails 10 "no room is said before anything is made" mayfly bench --size 1T
check_fails 1 "there are just so many jobs" mayfly bench --job read
check_fails 1 "no other group is taken" mayfly bench --volume-group vg1
mount --bind /dev/null /usr/bin/fio
check_fails 4 "without fio it says so" mayfly "${bench[@]}"
umount /usr/bin/fio
check_equal "nothing was made" "" "$(left)"

until_progress 'step round 1: read 4K QD1, mayfly' mayfly --progress-fd 9 "${bench[@]}"
kill -9 $pid
wait $pid || true
lv=$(our_volumes)
check "killed: its volume is left" [ -n "$lv" ]
check_fails 1 "  in which nothing stands of what was there before" grep -qa BEFORE-MARK "/dev/vg0/$lv"
lab_wait 120 cleared
check "recover removes it, without libvirt" grep -q 'a bench was cut off: its scratch volume is removed' /tmp/recovered

until_progress 'step round 1: read 4K QD1, nbd' mayfly --progress-fd 9 "${bench[@]}"
kill -INT $pid
status=0
wait $pid || status=$?
check_equal "stopped: it ends so" 130 $status
check_equal "  and has cleared up" "" "$(left)"

for disk in vhost mayfly-user; do
    until_progress "step round 1: read 4K QD1, $disk" mayfly --progress-fd 9 "${bench[@]}"
    lab_wait 30 pgrep "$([ $disk = vhost ] && echo qemu-storage || echo mayfly-disks)" >/dev/null
    kill -9 $pid
    wait $pid || true
    lab_wait 120 cleared
    check_equal "killed with $disk: recover leaves nothing, and no process is left" "" "$(left)"
done

mayfly "${bench[@]}" --json --plot /tmp/chart.svg >/tmp/bench.json
check_equal "it has cleared up" "" "$(left)"
check "every cell was measured" python3 -ISc '
import json
document = json.load(open("/tmp/bench.json"))
bench = document["bench"]
assert document["version"] == 1 and bench["size_bytes"] == 32 << 20 and bench["rounds"] == 1
measured = [d["name"] for d in bench["disks"] if d["measured"]]
assert measured == ["raw", "mayfly", "cryptsetup", "nbd", "qemu-luks", "vhost", "mayfly-user"], bench["disks"]
assert [d.get("sector_bytes") for d in bench["disks"]] == [512, 4096, 512, 512, 512, 512, 4096]
assert len(bench["cells"]) == 14
for cell in bench["cells"]:
    assert cell["iops"] > 0 and cell["bytes_per_sec"] > 0 and cell["latency_p50_usec"] > 0, cell
    assert cell["latency_p50_usec"] <= cell["latency_p99_usec"] <= cell["latency_p99_9_usec"], cell
    assert (cell["disk"] == "raw") == ("ratio" not in cell), cell
    assert cell["disk"] != "qemu-luks" or cell["compared_with"] == "nbd", cell
    assert cell["disk"] != "mayfly-user" or cell["compared_with"] == "vhost" and cell["ratio"] > 0, cell'
check_equal "the chart has a bar for each" 14 "$(grep -c '<rect.*rx=' /tmp/chart.svg)"

mount --bind /dev/null /usr/bin/qemu-nbd
until_progress 'step round 1: write 4K QD32, raw' mayfly --progress-fd 9 "${bench[@]}"
kill -TERM $pid
wait $pid || true
check_fails 1 "without qemu-nbd its columns are left out" grep -q nbd /tmp/err
umount /usr/bin/qemu-nbd
mount --bind /dev/null /usr/bin/qemu-storage-daemon
mayfly "${bench[@]}" --job write-4k-qd1 --json >/tmp/bench.json
umount /usr/bin/qemu-storage-daemon
check "without qemu-storage-daemon the pair is left out, and why" python3 -ISc '
import json
disks = {d["name"]: d for d in json.load(open("/tmp/bench.json"))["bench"]["disks"]}
assert disks["nbd"]["measured"] and disks["qemu-luks"]["measured"]
for name in ("vhost", "mayfly-user"):
    assert not disks[name]["measured"] and "install qemu-system-common" in disks[name]["why_not"], disks[name]'
check_equal "  and nothing is left" "" "$(left)"
check_equal "the volume of others is what it was" "$other" "$(cksum </dev/vg0/other)"
