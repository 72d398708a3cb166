#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""guest.py MAYFLY-DISKS DISK-CIPHER GUEST.QCOW2: a guest of QEMU's on disks of mayfly-disks.

A boot sector of our own (boot-sector.S): the BIOS boots, reads and writes by it on an encrypted disk. Then the lab's guest,
emulated: its root file system is on an encrypted disk; it formats a second one and writes to both, while the worker is
killed again and again; what it wrote is there when it has started anew, and OpenSSL finds it in the files, where nothing of
it is in plaintext. Its kernel comes from QEMU: emulation without KVM does not notice that another process has put new code
where old code has run, as a chain of boot loaders does.
"""
import atexit
import fcntl
import mmap
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

MIB = 1 << 20
DATA_BYTES = 48 * MIB
TIMEOUT = 120
TEXT = "the-first-of-May"
NAMES = ("root", "data")


def handed_over(key):
    fd = os.memfd_create("key", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, mmap.PAGESIZE)
    os.pwrite(fd, key, 0)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


class Disks:
    """mayfly-disks with a root disk and one for data."""

    def __init__(self, program, folder, keys):
        self.folder = folder
        fds, argv = [], [program]
        for name in NAMES:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.socket(name))
            listener.listen()
            new = [listener.detach(), os.open(self.file(name), os.O_RDWR | os.O_DIRECT), handed_over(keys[name])]
            argv.append("--disk=id={},listen={},file={},key={},queues=2".format(name, *new))
            fds += new
        # a search for leaks traces the process, which its filter does not let it
        environment = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        self.process = subprocess.Popen(argv, pass_fds=fds, env=environment)
        for fd in fds:
            os.close(fd)

    def socket(self, name):
        return os.path.join(self.folder, name + ".socket")

    def file(self, name):
        return os.path.join(self.folder, name)

    def worker(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return int((f.read().split() or ["0"])[0])

    def kill_worker(self):
        old = self.worker()
        os.kill(old, signal.SIGKILL)
        while self.worker() in (0, old):
            time.sleep(0.01)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=TIMEOUT)
        for name in NAMES:
            os.unlink(self.socket(name))
        assert status == 0, f"mayfly-disks ended with {status}"


def qemu(disks, *more):
    argv = ["qemu-system-x86_64", "-machine", "pc,accel=tcg,memory-backend=ram", "-cpu", "qemu64", "-m", "192", "-nodefaults",
            "-display", "none", "-object", "memory-backend-memfd,id=ram,size=192M,share=on", "-serial", "stdio", *more]
    for number, name in enumerate(NAMES):
        argv += ["-chardev", f"socket,id={name},path={disks.socket(name)},reconnect=1",
                 "-device", f"vhost-user-blk-pci,chardev={name},num-queues=2,bootindex={number + 1}"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(process.kill)
    return process


class Guest:
    """QEMU, and its serial console."""

    def __init__(self, disks, folder):
        self.process = qemu(disks, "-kernel", os.path.join(folder, "vmlinuz"), "-initrd", os.path.join(folder, "initrd"),
                            "-append", "console=ttyS0 quiet loglevel=3 nokaslr mitigations=off lpj=4000000 tsc=reliable "
                            "no_timer_check cryptomgr.notests=1 8250.nr_uarts=1 random.trust_cpu=on")
        self.seen = b""
        self.answer(b"ready")

    def say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def has(self, word):
        for line in self.seen.split(b"\n")[:-1]:
            if line.strip().startswith(b"MAYFLY-GUEST " + word):
                return True
        return False

    def take(self, seconds):
        if select.select([self.process.stdout], [], [], seconds)[0]:
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"QEMU has ended: {self.seen.decode(errors='replace')}"
            self.seen += more

    def answer(self, word):
        """What it has said up to a line that begins with MAYFLY-GUEST and this word."""
        end = time.monotonic() + TIMEOUT
        while not self.has(word):
            assert time.monotonic() < end, f"no {word.decode()}: {self.seen.decode(errors='replace')}"
            self.take(1)
        said, self.seen = self.seen.decode(errors="replace"), b""
        return said

    def ask(self, command, word):
        self.say(command)
        return self.answer(word.encode())

    def power_off(self):
        self.say("poweroff")
        self.process.communicate(timeout=TIMEOUT)


def encipher(program, key, data, path):
    with open(path, "wb") as to:
        subprocess.run([program, "encrypt", key.hex(), "4096"], input=data, stdout=to, check=True)


def decipher(program, key, path):
    with open(path, "rb") as f:
        return subprocess.run([program, "decrypt", key.hex(), "4096"], stdin=f, capture_output=True, check=True).stdout


def write_under_fire(disks, guest, kills):
    """The mark, over and over, while workers die."""
    guest.say(f"loop {TEXT}")
    guest.answer(b"looping")
    for _ in range(kills):
        time.sleep(0.5)
        disks.kill_worker()
        time.sleep(2.5)  # QEMU connects again once a second
    guest.ask("stop", "stopped")


def marks(said):
    return [line.split(" ", 3) for line in said.replace("\r", "").split("\n") if line.startswith("MAYFLY-GUEST read ")]


def make_disks(cipher, folder, image, keys):
    """The lab's guest as the root disk, enciphered by OpenSSL, an empty disk, and the guest's kernel beside them."""
    plain = os.path.join(folder, "plain")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, plain], check=True)
    for name in ("vmlinuz", "initrd"):
        subprocess.run(["mcopy", "-i", plain + "@@1M", "::" + name, folder], check=True, env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
    with open(plain, "rb") as f:
        encipher(cipher, keys["root"], f.read(), os.path.join(folder, "root"))
    os.unlink(plain)
    with open(os.path.join(folder, "data"), "wb") as f:
        f.truncate(DATA_BYTES)


def boot_by_bios(program, cipher, keys):
    """The boot sector finds its line, and writes it to another place."""
    line = b"booted from an encrypted disk\n"
    with tempfile.TemporaryDirectory() as folder:
        sector = os.path.join(folder, "sector")
        source = os.path.join(os.path.dirname(os.path.realpath(__file__)), "boot-sector.S")
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none", "-o", sector, source],
                       check=True)
        with open(sector, "rb") as f:
            disk = f.read(512).ljust(9 * 512, b"\0") + line.ljust(4096, b"x")
        for name in NAMES:
            encipher(cipher, keys[name], disk.ljust(MIB, b"\0"), os.path.join(folder, name))
        disks = Disks(program, folder, keys)
        guest = qemu(disks)
        said = b""
        while b"written\n" not in said and b"failed\n" not in said:
            more = os.read(guest.stdout.fileno(), 4096)
            assert more, said
            said += more
        guest.kill()
        guest.communicate()
        disks.stop()
        assert line in said and b"written" in said, said
        there = decipher(cipher, keys["root"], os.path.join(folder, "root"))
        assert there[67 * 512:67 * 512 + 4096] == line.ljust(4096, b"x"), "what the BIOS wrote is not there"


def run_guest(program, cipher, image, keys):
    with tempfile.TemporaryDirectory() as folder:
        make_disks(cipher, folder, image, keys)
        disks = Disks(program, folder, keys)
        try:
            guest = Guest(disks, folder)
            guest.ask("format vdb data", "formatted vdb")
            write_under_fire(disks, guest, 3)
            guest.ask(f"mark {TEXT}", "marked")
            guest.power_off()
            guest = Guest(disks, folder)
            said = guest.ask("read", "done")
            assert said.count(TEXT) == 2 and "corrupt" not in said, said
            guest.power_off()
        finally:
            disks.stop()
        for name, key in keys.items():
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                assert TEXT.encode() not in f.read(), f"{name}: plaintext in the file"
            assert TEXT.encode() in decipher(cipher, key, path), f"{name}: the text is not in the file"


def main():
    program, cipher, image = sys.argv[1:]
    if not (os.path.exists(image) and shutil.which("qemu-system-x86_64") and shutil.which("mcopy")):
        sys.exit(77)
    keys = {name: os.urandom(64) for name in NAMES}
    boot_by_bios(program, cipher, keys)
    run_guest(program, cipher, image, keys)


main()
