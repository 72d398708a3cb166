# SPDX-License-Identifier: Apache-2.0
"""A compute host: mayfly over doubles of storage and libvirt (fleet-mayfly.c), driven as Nova's driver drives it
(integrations/nova), and killed now and then.

    host.act("create", server)      until it has worked, whatever fails or is killed meanwhile
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import uuid
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "barbican"))
from mayfly import NOBODY, as_nobody
from proxy import Proxy

VIOLATION = 99  # of fleet-mayfly.c: an operation broke a rule of the doubles
AGAIN_SEC = 1  # between two tries
CONFIG = """
[libvirt]
images_volume_group = vg0
[ephemeral_storage_encryption]
enabled = true
"""


class Failed(Exception):
    """mayfly said that it could not; `name` is that of the error."""

    def __init__(self, name, text):
        super().__init__(text)
        self.name = name


class Killed(Exception):
    pass


def is_kept(owner, key):
    """By Barbican, as the owner sees it."""
    try:
        return bool(owner.payload(key))
    except urllib.error.HTTPError as e:
        if e.code != 404:
            raise
        return False


class Server:
    def __init__(self, owner, disks):
        self.uuid, self.owner, self.disks = str(uuid.uuid4()), owner, disks
        self.name = f"instance-{self.uuid[:8]}"
        self.tried = self.runs = False
        self.key = None

    def volumes(self):
        return {f"{self.uuid}_{disk}" for disk in self.disks}

    def xml(self):
        """As libvirt gives it to its hook."""
        devices = "".join(f"<disk type='block'><source dev='/dev/mapper/{volume}-dmcrypt'/></disk>"
                          for volume in sorted(self.volumes()))
        return f"<domain><name>{self.name}</name><uuid>{self.uuid}</uuid><devices>{devices}</devices></domain>"


class Host:
    def __init__(self, place, number, rng, cut, turn):
        self.place, self.number, self.rng, self.turn = place, number, rng, turn
        self.folder = f"{place.folder}/host-{number}"
        place.write(f"host-{number}/host-name", f"compute-{number}-{rng.randbytes(8).hex()}")
        if os.getuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self.proxy = Proxy(place.servers.barbican_port)
        self.proxy.fault = self.behind(cut)
        self.config = place.configure(f"barbican_endpoint = {self.proxy.url}", f"host-{number}.conf", host_more=CONFIG)
        self.servers = []  # that are to be there
        self.in_order = set()  # projects, as Nova's driver notes them
        self.fuse = None  # when whatever runs then is killed
        self.kill_share = 0
        self.busy = 0  # seconds
        self.seconds, self.failures, self.kills = [], [], {"mayfly": 0, "host": 0}

    def behind(self, cut):
        """To Barbican, unless that is cut off. Then a request of every other host fails at once; those of the rest wait,
        and are carried out once Barbican is back, whether their sender is still there or not."""
        def carry(exchange):
            if cut.is_set() and self.number % 2:
                exchange.hang_up()
            while cut.is_set():
                time.sleep(0.1)
            answer = exchange.forward()
            if cut.is_set():
                exchange.hang_up()  # it was carried out, and nobody hears of it
            exchange.answer(*answer)
        return carry

    # ----------------------------------------------------------- one process

    def run(self, words, environment=None, said=""):
        """Exit status, output and errors; Killed if its time had come."""
        process = subprocess.Popen([self.place.probe, "state", self.place.agent, *words], env=environment or {}, cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   encoding="utf-8", start_new_session=True, **as_nobody())
        try:
            left = None if self.fuse is None else max(self.fuse - time.monotonic(), 0)
            out, err = process.communicate(said, timeout=left)
        except subprocess.TimeoutExpired:
            self.kill(process)
        if process.returncode == VIOLATION or process.returncode < 0 or "Sanitizer" in err or "runtime error" in err:
            raise AssertionError(f"{words}: {process.returncode}: {err}")
        return process.returncode, out, err

    def kill(self, process):
        """mayfly alone, whose mayfly-keyagent may go on for a moment; or all that runs on the host, which boots again."""
        self.fuse = None
        what = self.rng.choice(["mayfly", "host"])
        self.kills[what] += 1
        (os.kill if what == "mayfly" else os.killpg)(process.pid, signal.SIGKILL)
        process.communicate()
        if what == "host":
            self.reboot()
        raise Killed(what)

    def mayfly(self, owner, verb, *words, said=""):
        """The document that it prints. By the token of the owner, or as the host."""
        command = ["--config-file", self.config, *verb.split(), "--json", *words]
        environment = {}
        if owner:
            command += ["--token-fd", "0"]
            environment, said = {"OS_AUTH_URL": owner.servers.auth_url}, owner.token
        _, out, err = self.run(command, environment, said)
        document = json.loads(out)
        if "error" in document:
            raise Failed(document["error"]["name"], f"{verb}: {document['error']['text']} {err}")
        return document

    def libvirt(self, what, *words):
        status, out, err = self.run([what, *words])
        if status:
            raise Failed("libvirt", f"{what} {words}: {err}")
        return [line.split() for line in out.splitlines()]

    # ---------------------------------------------- as Nova's driver has them

    def nova(self, owner, verb, *words):
        """What a killed mayfly has left half done is put in order first."""
        try:
            return self.mayfly(owner, verb, *words)
        except Failed as e:
            if e.name != "needs-recover":
                raise
        self.recover(owner)
        return self.mayfly(owner, verb, *words)

    def recover(self, owner):
        with contextlib.suppress(Failed):  # what remains is for others
            self.mayfly(owner, "recover")

    def hook(self, server, *moment):
        status, _, err = self.run(["--config-file", self.config, "hook", server.name, *moment, "-"], said=server.xml())
        if status:
            raise Failed("hook", err)

    def start(self, server):
        """By libvirt, whose hook opens the disks by the host's right if they are closed."""
        self.hook(server, "prepare", "begin")
        self.libvirt("@start", server.uuid)
        server.runs = True

    def spawn(self, server):
        words = ["--root", "1G", "--image", "/image", "--image-format", "raw"]
        for _ in range(len(server.disks) - 1):
            words += ["--ephemeral", "1G,fs=ext4"]
        made = self.nova(server.owner, "add-disks", "--uuid", server.uuid, "--volume-group", "vg0", *words, server.name)
        server.key = made["instances"][0]["disks"][0]["key"]
        self.libvirt("@define", server.name, server.uuid)
        self.nova(server.owner, "open", "--for-start", server.uuid)
        self.start(server)

    def destroy(self, server):
        self.libvirt("@end", server.uuid)
        self.hook(server, "release", "end")
        self.libvirt("@undefine", server.uuid)
        project = server.owner.project
        try:
            self.nova(server.owner, "delete", "--yes", "--leave-key", server.uuid)
            if server.key and is_kept(server.owner, server.key):
                raise AssertionError(f"{server.key} outlives the delete of {server.uuid}")
        except Failed as e:
            if e.name != "missing":
                raise
            self.in_order.discard(project)
        if project not in self.in_order:
            self.recover(server.owner)
            self.in_order.add(project)

    def reboot(self):
        """Then what ran starts by the host's right; what that cannot start waits for its owner."""
        self.libvirt("@reboot")
        self.in_order.clear()
        self.recover(None)
        ran = [server for server in self.servers if server.runs]
        for server in ran:
            server.runs = False
            with contextlib.suppress(Failed):
                self.start(server)

    # ------------------------------------------------------------------ acts

    def create(self, server):
        if server.tried:
            self.destroy(server)
        server.tried = True
        self.spawn(server)

    def restart(self, server):
        """As its owner's hard reboot of one that is off."""
        self.nova(server.owner, "open", "--for-start", server.uuid)
        self.start(server)

    def put_in_order(self, owner):
        self.mayfly(owner, "recover")

    def act(self, what, *operands):
        """Again and again, as its owner would."""
        while not self.try_once(what, operands):
            time.sleep(AGAIN_SEC)

    def try_once(self, what, operands):
        with self.turn:
            begun = time.monotonic()
            if self.rng.random() < self.kill_share:
                self.fuse = begun + self.rng.uniform(0, statistics.median(self.seconds or [1]))
            try:
                getattr(self, what)(*operands)
                self.seconds.append(time.monotonic() - begun)
                return True
            except (Failed, Killed) as e:
                self.failures.append(f"{what}: {e}")
                return False
            finally:
                self.fuse = None
                self.busy += time.monotonic() - begun

    def create_and_delete(self, owners, n_create, n_delete, done):
        """In an order of the seed's. `done` is told of each."""
        acts = ["create"] * n_create
        for _ in range(n_delete):
            acts.insert(self.rng.randrange(len(acts) // 2, len(acts) + 1), "destroy")
        for what in acts:
            if what == "create":
                server = Server(self.rng.choice(owners), self.rng.choice((["disk"], ["disk", "disk.eph0"])))
                self.act(what, server)
                self.servers.append(server)
            else:
                server = self.servers.pop(self.rng.randrange(len(self.servers)))
                self.act(what, server)
            done()
