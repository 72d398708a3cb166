# SPDX-License-Identifier: Apache-2.0
"""mayfly-disks as a test starts it, and its files as OpenSSL reads them."""
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import time

TIMEOUT = 120


def handed_over(key):
    fd = os.memfd_create("key", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, mmap.PAGESIZE)
    os.pwrite(fd, key, 0)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


class Disks:
    """mayfly-disks with a disk for each key: a file of the disk's name in the folder, a socket beside it, options by name."""

    def __init__(self, program, folder, keys, options=None):
        self.folder, self.names = folder, list(keys)
        fds, argv = [], [program]
        for name, key in keys.items():
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.socket(name))
            listener.listen()
            new = [listener.detach(), os.open(self.file(name), os.O_RDWR | os.O_DIRECT), handed_over(key)]
            argv.append("--disk=id={},listen={},file={},key={},queues=2".format(name, *new) + (options or {}).get(name, ""))
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

    def wait_for_worker(self, true):
        end = time.monotonic() + TIMEOUT
        while not true(self.worker()):
            assert time.monotonic() < end, "mayfly-disks: its worker does not end, or no other one starts"
            time.sleep(0.01)

    def kill_worker(self, when_gone=lambda: None):
        self.wait_for_worker(lambda pid: pid)
        old = self.worker()
        os.kill(old, signal.SIGKILL)
        self.wait_for_worker(lambda pid: pid != old)
        when_gone()
        self.wait_for_worker(lambda pid: pid not in (0, old))

    def remove_sockets(self):
        for name in self.names:
            os.unlink(self.socket(name))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=TIMEOUT)
        self.remove_sockets()
        assert status == 0, f"mayfly-disks ended with {status}"


def encipher(program, key, data, path):
    with open(path, "wb") as to:
        subprocess.run([program, "encrypt", key.hex(), "4096"], input=data, stdout=to, check=True)


def decipher(program, key, path, sector_bytes=4096):
    with open(path, "rb") as f:
        return subprocess.run([program, "decrypt", key.hex(), str(sector_bytes)], stdin=f, capture_output=True, check=True).stdout


def check_text(program, key, path, text, sector_bytes=4096):
    """A text that the guest wrote is in no plain file; OpenSSL finds it there by the key."""
    with open(path, "rb") as f:
        assert text.encode() not in f.read(), f"{path}: plaintext in the file"
    assert text.encode() in decipher(program, key, path, sector_bytes), f"{path}: the text is not in the file"
