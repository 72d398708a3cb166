#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""verify.py MAYFLY-DISKS DISK-CIPHER GUEST.QCOW2 TOOLS.EXT4 [KILLS [SEED]]: fio in a guest verifies each byte of two disks of
mayfly-disks, whose cipher has sectors of 4096 bytes and of 512, while workers, QEMU and in the end the keeper are killed.

fio writes in rounds, each with data of its own, and reads all of it back in the same run. KILLS times a worker is killed at
a random moment meanwhile; the moments come from SEED. One more is killed before each guest begins. Once for ten kills and more QEMU is killed under load: then what
had been written and flushed before is there. A guest that was started anew reads all once more. A worker that was killed
shows as no error in the guest. A keeper that was killed takes its worker with it and leaves no process with the disks or
the keys; the guest waits, and goes on when the disks are served again. Last, OpenSSL finds a text in the files.

TMPDIR should be no tmpfs: there transfers are done at once, and few requests are under way when a worker dies.
"""
import errno
import os
import random
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.append(os.path.dirname(os.path.realpath(__file__)))
from disks import Disks, check_text
from guest import Guest, kernel_of

MIB = 1 << 20
KIB = 1 << 10
DISK_BYTES = 36 * MIB
TIMEOUT = 180  # of one round of fio, on a busy machine
TEXT, TEXT_AT = "the-first-of-May", 64 * KIB
SECTOR_BYTES = {"large": 4096, "small": 512}
OPTIONS = {name: f",sector-size={size},discard" for name, size in SECTOR_BYTES.items()}
DEVICES = ("vdc", "vdd")  # vda is the guest's root, vdb has the tools

# fio shares each size out among both disks. The sectors of `even` and `odd` make up blocks together; the blocks of `keep` lie
# between those of `trim`; `middle`, which begins and ends within a block, is made zero later.
FIO = ("run fio --minimal --thread --direct=1 --ioengine=libaio --iodepth=8 --fsync=8 --verify=pattern --verify_fatal=1 "
       "--filename=" + ":".join("/dev/" + device for device in DEVICES))
ZERO_AT, ZERO_BYTES = 8 * MIB + 64 * KIB + 512, 65 * KIB
ODD = f"--name=odd --rw=write:512 --bs=512 --offset={4 * MIB + 512} --size=512k"
BLOCKS = "--name=blocks --rw=randwrite --bs=4k --offset=10M --size=4M"
LOAD = (ODD, BLOCKS,
        "--name=sectors --rw=randwrite --bs=512 --offset=12M --size=1M",
        "--name=large --rw=write --bs=512k --offset=24M --size=16M",
        "--name=keep --rw=write:4k --bs=4k --offset=5M --size=2M",
        f"--name=left --rw=write --bs=4608 --offset={ZERO_AT - 14 * 4608} --size={2 * 14 * 4608}",
        f"--name=right --rw=write --bs=4608 --offset={ZERO_AT + ZERO_BYTES} --size={2 * 14 * 4608}")
MIXED = "--name=mixed --rw=randwrite --bsrange=512-64k --blockalign=512 --offset=16M --size=16M"
MIXED_AGAIN = "--name=mixed --rw=write --bs=64k --offset=16M --size=16M"
MIDDLE = f"--name=middle --rw=write --bs=13k --offset={ZERO_AT} --size={2 * ZERO_BYTES} --verify=0"
TRIM = f"--name=trim --rw=trim:4k --bs=4k --offset={5 * MIB + 4 * KIB} --size=2M --verify=0 --fsync=0"
ZEROES = f"--name=zeroes --rw=read --bs=1k --offset={ZERO_AT} --size={2 * ZERO_BYTES} --verify=pattern --verify_pattern=0"
SLOTS = 4  # places for what was settled before a load, at 32M


def stamp(seed):
    return f"{(1 << 28) + seed:x}"


def filled(seed):
    """Each block has the number of its round and its own place over and over, since crc32c of fio takes what is older for good."""
    return f"--randseed={seed} --verify_pattern=0x{stamp(seed)}%o"


def mixed(seed, job=MIXED):
    """Has no places in it: fio does not find the same sizes again, so blocks of another size verify them."""
    return f"{job} --randseed={seed} --verify_pattern=0x{stamp(seed)}"


def even(seed):
    return f"--name=even --rw=write:512 --bs=512 --offset=4M --size=512k --end_fsync=1 {filled(seed)}"


def whole(slot, seed):
    return f"--name=whole{slot} --rw=write --bs=16k --offset={32 + slot}M --size=512k --end_fsync=1 {filled(seed)}"


class VerifiedGuest(Guest):
    """The guest with the tools and both disks, and what was written to these by this one or by those before it."""

    def __init__(self, files, disks, written):
        self.written = written
        drives = []
        for name, path, form in (("root", files.image, "qcow2"), ("tools", files.tools, "raw")):
            drives += ["-drive", f"id={name},file={path},format={form},if=none,snapshot=on", "-device", f"virtio-blk-pci,drive={name}"]
        super().__init__(disks, files.folder, *drives, "-smp", "2", "-no-reboot", loglevel=4, timeout=TIMEOUT,
                         before=disks.kill_worker)
        assert "disks=vda:root:ext4,vdb:tools:ext4,vdc:-:unknown,vdd:-:unknown" in self.ready, self.ready

    def fio(self, *words):
        self.say(" ".join((FIO, *words)))
        return self.result()

    def result(self):
        said = self.answer(b"ran fio")
        for line in said.split("\n"):
            if line.startswith("3;fio"):
                self.written.verified_bytes += int(line.split(";")[5]) * KIB
        told = "\n".join(line for line in said.split("\n") if not line.startswith("3;fio"))
        assert " error, dev " not in told, told
        return int(re.search("MAYFLY-GUEST ran fio ([0-9]+)", told)[1]), told

    def must(self, *words):
        status, said = self.fio(*words)
        assert status == 0, said

    def settle(self):
        """Writes what must be there from now on, whatever comes."""
        w = self.written
        w.settled += 1
        w.seed += 1
        w.even, w.slots[w.settled % SLOTS] = w.seed, w.seed
        self.must(even(w.seed), whole(w.settled % SLOTS, w.seed))

    def begin_round(self):
        self.written.seed += 1
        self.written.round = None
        self.say(" ".join((FIO, filled(self.written.seed), *LOAD, MIDDLE, TRIM, mixed(self.written.seed))))

    def end_round(self):
        status, said = self.result()
        assert status == 0, said
        for device in DEVICES:
            said = self.ask(f"run blkdiscard -f -z -o {ZERO_AT} -l {ZERO_BYTES} /dev/{device}", "ran blkdiscard")
            assert "ran blkdiscard 0" in said and " error, dev " not in said, said
        self.written.round = self.written.seed
        self.written.rounds += 1

    def verify(self):
        """All that is known of both disks, past every cache."""
        w = self.written
        jobs = [even(w.even)] + [whole(slot, seed) for slot, seed in w.slots.items()]
        if w.round is not None:
            jobs += [f"{job} {filled(w.round)}" for job in LOAD] + [mixed(w.round, MIXED_AGAIN)]
        self.must("--verify_only=1", *jobs)
        if w.round is not None:
            self.must(ZEROES)

    def under_way(self):
        """How many requests a worker has not given back, by the file that QEMU keeps for it (src/disks/inflight.h)."""
        found = 0
        folder = f"/proc/{self.process.pid}/fd"
        for fd in os.listdir(folder):
            if "mayfly-inflight" not in os.readlink(f"{folder}/{fd}"):
                continue
            with open(f"{folder}/{fd}", "rb") as f:
                area = f.read()
            entries = struct.unpack_from("<QHH", area)[2]
            step = (16 + 16 * entries + 63) // 64 * 64
            for at in range(0, len(area) - 15, step):
                found += sum(area[at + 16:at + 16 + 16 * entries:16])
        return found


class Written:
    def __init__(self):
        self.seed = self.settled = self.rounds = self.verified_bytes = 0
        self.slots, self.even, self.round = {}, None, None


class Kills(threading.Thread):
    """Kills the worker again and again, at random moments: also just after it has begun."""

    def __init__(self, disks, guest, n, chance):
        super().__init__()
        self.disks, self.guest, self.n = disks, guest, n
        self.pauses = [chance.uniform(0.05, 2.5) for _ in range(n)]
        self.under_way, self.fault = [], None
        self.start()

    def run(self):
        try:
            for pause in self.pauses:
                time.sleep(pause)
                self.wait_for_requests()
                self.disks.kill_worker(lambda: self.under_way.append(self.guest.under_way()))
        except BaseException as fault:  # whoever waits for the end hears of it
            self.fault = fault

    def wait_for_requests(self):
        """Fio starts and ends slowly in an emulated guest; a worker that has nothing to do is killed at times, too."""
        end = time.monotonic() + 5
        while self.guest.under_way() == 0 and time.monotonic() < end:
            time.sleep(0.005)

    def end(self):
        self.join()
        if self.fault:
            raise self.fault
        return self.under_way


class Files:
    def __init__(self, folder, image, tools):
        self.folder, self.image, self.tools = folder, image, tools
        os.unlink(kernel_of(image, folder))
        for name in SECTOR_BYTES:
            with open(os.path.join(folder, name), "wb") as f:
                f.truncate(DISK_BYTES)


class Run:
    def __init__(self, program, files, kills, seed):
        self.program, self.files, self.kills, self.chance = program, files, kills, random.Random(seed)
        self.keys = {name: os.urandom(64) for name in SECTOR_BYTES}
        self.written = Written()
        self.under_way, self.cuts = [], 0
        self.disks = self.serve()

    def serve(self):
        return Disks(self.program, self.files.folder, self.keys, OPTIONS)

    def start_guest(self):
        return VerifiedGuest(self.files, self.disks, self.written)

    def under_fire(self, guest, kills):
        """Rounds, until as many workers have died."""
        killer = Kills(self.disks, guest, kills, self.chance)
        while True:
            guest.begin_round()
            guest.end_round()
            if not killer.is_alive():
                break
        guest.verify()
        self.under_way += killer.end()

    def wait_for_load(self, guest):
        """Until fio has begun, a moment longer, and until some request is under way."""
        for pause in (self.chance.uniform(0, 1), 0):
            end = time.monotonic() + TIMEOUT
            while guest.under_way() == 0:
                assert time.monotonic() < end, f"the guest does not write: {guest.seen.decode(errors='replace')}"
                if guest.has(b"ran"):
                    guest.end_round()
                    guest.begin_round()
                guest.take(0.005)
            time.sleep(pause)

    def cut_power(self, guest):
        """QEMU dies under load, at times with the worker; the next guest finds what was settled."""
        guest.settle()
        guest.begin_round()
        self.wait_for_load(guest)
        self.cuts += 1
        if self.chance.random() < 0.5:
            self.disks.kill_worker()
        guest.cut_power()
        guest = self.start_guest()
        guest.verify()
        return guest

    def held_by(self, pid):
        """The disks' files, and the sockets, that a process has."""
        found = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if int(fd) > 2 and (link.startswith("socket:") or os.path.dirname(link) == self.files.folder):
                found.add(link)
        return found

    def holders(self, things):
        """Processes that have one of these things."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if things & self.held_by(pid):
                    found.add(int(pid))
            except OSError:  # it has ended, or is another user's
                continue
        return found

    def listens(self):
        """The disks whose sockets somebody listens on."""
        found = []
        for name in self.disks.names:
            with socket.socket(socket.AF_UNIX) as client:
                if client.connect_ex(self.disks.socket(name)) != errno.ECONNREFUSED:
                    found.append(name)
        return found

    def kill_keeper(self, guest):
        """Nothing of it is left; the guest waits, and goes on when its disks are served again."""
        guest.begin_round()
        self.wait_for_load(guest)
        keeper, worker = self.disks.process.pid, self.disks.worker()
        things = self.held_by(keeper)
        assert self.holders(things) == {keeper, worker}, (self.holders(things), keeper, worker)
        self.disks.process.kill()
        self.disks.process.wait()
        end = time.monotonic() + TIMEOUT
        while self.holders(things) or self.listens():  # the kernel closes what a process had a moment after its end
            assert time.monotonic() < end, f"of a killed keeper is left: {self.holders(things)}, {self.listens()}"
            time.sleep(0.01)
        under_way = guest.under_way()
        for _ in range(3):
            guest.take(1)
        assert not guest.has(b"ran") and b" error, dev " not in guest.seen, guest.seen.decode(errors="replace")
        self.disks.remove_sockets()
        self.disks = self.serve()
        guest.end_round()
        guest.verify()
        say(f"the keeper was killed with {under_way} requests under way: no process has its disks or sockets, and the guest has waited")

    def run(self):
        guest = self.start_guest()
        guest.settle()
        for device in DEVICES:
            guest.ask(f"write {device} {TEXT_AT} {TEXT}", "written")
        check_noticed(guest)
        cuts = max(1, self.kills // 10)
        for n in range(cuts + 1):
            kills = self.kills * (n + 1) // (cuts + 1) - self.kills * n // (cuts + 1)
            self.under_fire(guest, kills)
            if n < cuts:
                guest = self.cut_power(guest)
            say(f"{len(self.under_way)} kills, {self.written.rounds} rounds")
        guest.power_off()
        guest = self.start_guest()
        guest.verify()
        assert sum(self.under_way) > 0, "no worker had anything to do when it was killed"
        self.kill_keeper(guest)
        check_errors_show(guest, self.files)
        guest.power_off()

    def figures(self):
        return (f"{len(self.under_way)} workers were killed, {sum(map(bool, self.under_way))} of them with {sum(self.under_way)} requests "
                f"under way, and {self.cuts} guests; {self.written.rounds} rounds, "
                f"{self.written.verified_bytes / MIB:.0f} MiB were verified")


def check_noticed(guest):
    """What an older round has left is not taken for what was written last."""
    status, said = guest.fio("--verify_only=1", whole(guest.written.settled % SLOTS, guest.written.seed + 1))
    assert status != 0 and "verify" in said, said


def check_errors_show(guest, files):
    """The judge sees an error: a disk is cut short behind everybody's back."""
    os.truncate(os.path.join(files.folder, "small"), 10 * MIB)
    try:
        guest.fio("--verify_only=1", f"{BLOCKS} {filled(guest.written.round)}")
    except AssertionError as seen:
        assert " error, dev vdd" in str(seen), seen
    else:
        raise AssertionError("an error of a disk does not show")


def say(what):
    print(f"{time.monotonic() - BEGAN:6.1f} s  {what}", flush=True)


def main():
    program, cipher, image, tools = sys.argv[1:5]
    kills, seed = [int(word) for word in sys.argv[5:]] + [4, 1][len(sys.argv) - 5:]
    if not (os.path.exists(image) and os.path.exists(tools) and shutil.which("qemu-system-x86_64") and shutil.which("mcopy")):
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # for what QEMU keeps of its own disks
        folder = os.path.realpath(folder)  # as /proc has it
        run = Run(program, Files(folder, image, tools), kills, seed)
        try:
            run.run()
        finally:
            run.disks.stop()
        for name, size in SECTOR_BYTES.items():
            check_text(cipher, run.keys[name], os.path.join(folder, name), TEXT, size)
    say(run.figures())


BEGAN = time.monotonic()
main()
