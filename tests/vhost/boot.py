#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""boot.py MAYFLY-DISKS DISK-CIPHER GUEST.QCOW2: a guest of QEMU's on disks of mayfly-disks.

A boot sector of our own (boot-sector.S): the BIOS boots, reads and writes by it on an encrypted disk. Then the lab's guest,
emulated: its root file system is on an encrypted disk; it formats a second one and writes to both, while the worker is
killed again and again; what it wrote is there when it has started anew, and OpenSSL finds it in the files, where nothing of
it is in plaintext.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.dirname(os.path.realpath(__file__)))
from disks import Disks, check_text, decipher, encipher
from guest import Guest, kernel_of, qemu

MIB = 1 << 20
DATA_BYTES = 48 * MIB
TEXT = "the-first-of-May"
NAMES = ("root", "data")


def write_under_fire(disks, guest, kills):
    """The mark, over and over, while workers die."""
    guest.say(f"loop {TEXT}")
    guest.answer(b"looping")
    for _ in range(kills):
        time.sleep(0.5)
        disks.kill_worker()
        time.sleep(2.5)  # QEMU connects again once a second
    guest.ask("stop", "stopped")


def make_disks(cipher, folder, image, keys):
    """The lab's guest as the root disk, enciphered by OpenSSL, an empty disk, and the guest's kernel beside them."""
    plain = kernel_of(image, folder)
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
            check_text(cipher, key, os.path.join(folder, name), TEXT)


def main():
    program, cipher, image = sys.argv[1:]
    if not (os.path.exists(image) and shutil.which("qemu-system-x86_64") and shutil.which("mcopy")):
        sys.exit(77)
    keys = {name: os.urandom(64) for name in NAMES}
    boot_by_bios(program, cipher, keys)
    run_guest(program, cipher, image, keys)


main()
