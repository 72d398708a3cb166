# SPDX-License-Identifier: Apache-2.0
"""QEMU's emulation with the lab's guest, on disks of mayfly-disks.

The guest's kernel comes from QEMU: emulation without KVM does not notice that another process has put new code where old
code has run, as a chain of boot loaders does.
"""
import atexit
import json
import os
import select
import socket
import subprocess
import time

TIMEOUT = 120


def run_guest(monitor, before):
    """Lets QEMU go on, which -S has stopped when it had connected to its disks."""
    with monitor.makefile("rw") as said:
        for command, then in (("qmp_capabilities", before), ("cont", lambda: None)):
            said.write(json.dumps({"execute": command}) + "\n")
            said.flush()
            while "return" not in json.loads(said.readline()):
                pass
            then()


def qemu(disks, *more, before=lambda: None):
    """QEMU, which runs the guest. `before` is called once it has connected to its disks, before the guest begins."""
    ours, monitor = socket.socketpair()
    argv = ["qemu-system-x86_64", "-machine", "pc,accel=tcg,memory-backend=ram", "-cpu", "qemu64", "-m", "192", "-nodefaults",
            "-display", "none", "-object", "memory-backend-memfd,id=ram,size=192M,share=on", "-serial", "stdio", "-S",
            "-chardev", f"socket,id=monitor,fd={monitor.fileno()}", "-mon", "monitor,mode=control", *more]
    for number, name in enumerate(disks.names):
        argv += ["-chardev", f"socket,id={name},path={disks.socket(name)},reconnect=1",
                 "-device", f"vhost-user-blk-pci,chardev={name},num-queues=2,bootindex={number + 1}"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[monitor.fileno()])
    atexit.register(process.kill)
    monitor.close()
    with ours:
        run_guest(ours, before)
    return process


def kernel_of(image, folder):
    """Puts the kernel of the lab's guest into the folder; returns the image's raw form, which is there, too."""
    plain = os.path.join(folder, "plain")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, plain], check=True)
    for name in ("vmlinuz", "initrd"):
        subprocess.run(["mcopy", "-i", plain + "@@1M", "::" + name, folder], check=True, env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
    return plain


class Guest:
    """QEMU, and its serial console. The kernel says what is worse than `loglevel` there. `before` is as for
    qemu()."""

    def __init__(self, disks, folder, *more, loglevel=3, timeout=TIMEOUT, before=lambda: None):
        self.timeout = timeout
        self.process = qemu(disks, "-kernel", os.path.join(folder, "vmlinuz"), "-initrd", os.path.join(folder, "initrd"),
                            "-append", f"console=ttyS0 quiet loglevel={loglevel} nokaslr mitigations=off lpj=4000000 tsc=reliable "
                            "no_timer_check cryptomgr.notests=1 8250.nr_uarts=1 random.trust_cpu=on", *more, before=before)
        self.seen = b""
        self.ready = self.answer(b"ready")

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
        end = time.monotonic() + self.timeout
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
        self.process.communicate(timeout=self.timeout)

    def cut_power(self):
        self.process.kill()
        self.process.communicate()
