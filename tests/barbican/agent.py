#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/agent.py SRC PROBE AGENT UNWIPED: the process mayfly-keyagent: what it gave up before it said a word, and
what is left of keys, tokens and passwords in its memory, and in that of who asks it.

The memory is read as root from /proc/PID/mem, all of it: heap, stacks, libraries, what the kernel put there at exec.
It must have been built without AddressSanitizer, whose heap keeps what is freed. UNWIPED is mayfly-keyagent without its
own heap (src/keyagent/heap.c): there something must be found.
"""

import base64
import os
import re
import sys
import time
from typing import NamedTuple

from certificates import Certificates
from mayfly import Place, check, hash_of
from proxy import Proxy
from servers import Servers

PIECE = 16  # bytes: what is left of a secret need not be the whole of it
UNREADABLE = "[vvar", "/secretmem"  # the kernel's clocks; memfd_secret(2), even for root
SETTLE_SEC = 20  # for the agent to hear that the key has arrived


class Region(NamedTuple):
    start: int
    end: int
    name: str  # a path, [heap], [stack], or ""
    flags: set

    @property
    def is_secret(self):
        """The pages of a struct secret, or of one that is handed over: locked into RAM, and in no core dump."""
        return {"lo", "dd"} <= self.flags


def regions(pid):
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            if head := re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)", line):
                start, end, name = int(head[1], 16), int(head[2], 16), head[3]
            elif line.startswith("VmFlags:"):
                yield Region(start, end, name, set(line.split()[1:]))


def pieces(secret):
    return {secret[at:at + PIECE] for at in range(0, len(secret) - PIECE + 1, PIECE)}


def forms(name, secret):
    """What to look for: the name of each form, and its pieces."""
    return {f"{name}, {form}": pieces(made) for form, made in {
        "raw": secret, "base64": base64.b64encode(secret), "hex": secret.hex().encode()}.items()}


def contents(memory, region):
    data = b""
    while len(data) < region.end - region.start:
        data += os.pread(memory, region.end - region.start - len(data), region.start + len(data))
    return data


def search(pid, wanted, in_secrets=False):
    """Where each of the forms was seen: outside of secret pages, or in them."""
    found = set()
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    for region in regions(pid):
        if "rd" not in region.flags or region.is_secret != in_secrets or region.name.startswith(UNREADABLE):
            continue
        data = contents(memory, region)
        found |= {(name, region.name) for name, parts in wanted.items() if any(part in data for part in parts)}
    os.close(memory)
    return found


class Subject:
    """A run: the probe (who stands for mayfly) and its agent, and what is secret to them."""

    def __init__(self, what, session, owner):
        self.what, self.session, self.owner = what, session, owner
        self.probe = session.probe.pid
        self.password = forms("password", owner.password.encode())

    def nowhere(self, when, pid, wanted):
        """At once, or as soon as the agent has heard that the other end has it."""
        end = time.monotonic() + SETTLE_SEC
        while (found := search(pid, wanted)) and time.monotonic() < end:
            time.sleep(0.5)
        who = "mayfly" if pid == self.probe else "mayfly-keyagent"
        check(f"{self.what}: {when}: none in the memory of {who}", not found, found)

    def create_and_fetch(self, tokens):
        made = self.session.ask("create 1 512")
        check(f"{self.what}: a key is made", made.ok, made)
        agent, secret = self.session.agent(), self.owner.payload(made.ids[0])
        check("  and known to this test", [hash_of(secret)] == made.hashes)
        key = forms("key", secret)
        token = forms("token", tokens()[-1].encode())
        for pid in self.probe, agent:
            self.nowhere("after create", pid, {**key, **token, **self.password})
        check(f"{self.what}: the agent has the token, in secret pages", search(agent, token, True))

        held = self.session.ask(f"hold {made.ids[0]}")
        check(f"{self.what}: the key is held by mayfly, in secret pages",
              held.hashes == made.hashes and search(self.probe, key, True) == {("key, raw", "")})
        for pid in self.probe, agent:
            self.nowhere("while it is held", pid, {**key, **token, **self.password})
        check(f"{self.what}: not even so by the agent", not search(agent, key, True))
        check(f"{self.what}: it is released", self.session.ask("release").ok)
        for pid in self.probe, agent:
            self.nowhere("after it is released", pid, {**key, **token, **self.password})
            check(f"{self.what}: nor in secret pages", not search(pid, key, True))
        return made.ids[0], key

    def control(self, key_id, key):
        """A search that finds nothing proves nothing, unless it would."""
        name = {"name of the user": {self.owner.name.encode()[:PIECE]}}
        check("control: in the agent, the name of the user is found", search(self.session.agent(), name))
        for place in "heap", "stack":
            self.session.ask(f"spill-{place} {key_id}")
            found = search(self.probe, key)
            check(f"control: in mayfly, a copy on the {place} is found", ("key, raw", f"[{place}]") in found, found)


def memory(place, servers):
    owner = servers.new_user()
    with Certificates() as certificates, Proxy(servers.keystone_port, certificates.context("good")) as keystone, \
            Proxy(servers.barbican_port, certificates.context("good")) as barbican:
        config = place.configure(f"verify_ssl_path = {certificates.ca_file}\nbarbican_endpoint = {barbican.url}", "tls.conf")
        with place.session(owner.environment(OS_AUTH_URL=keystone.url), config) as session:
            Subject("over TLS", session, owner).create_and_fetch(lambda: keystone.tokens)
    with Proxy(servers.keystone_port) as keystone:
        with place.session(owner.environment(OS_AUTH_URL=keystone.url)) as session:
            subject = Subject("without TLS", session, owner)
            subject.control(*subject.create_and_fetch(lambda: keystone.tokens))


def control(place, servers):
    """The same run with an agent that does not wipe what it frees."""
    owner = servers.new_user()
    with Proxy(servers.keystone_port) as keystone:
        with place.session(owner.environment(OS_AUTH_URL=keystone.url)) as session:
            made = session.ask("create 1 512")
            wanted = {**forms("key", owner.payload(made.ids[0])), **forms("token", keystone.tokens[-1].encode())}
            found = search(session.agent(), wanted)
            check("control: without its own heap, key and token are found in the agent",
                  {"key, base64", "token, raw"} <= {name for name, _ in found}, found)


def status_of(pid):
    """What the kernel says of the process; and whether it can be traced and dumped: then /proc/PID/mem is its own."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        status = dict(re.findall(r"(?m)^(\w+):\t(.*)$", file.read()))
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        core = re.search(r"Max core file size +(\S+)", file.read())[1]
    return {"Seccomp": status["Seccomp"], "NoNewPrivs": status["NoNewPrivs"], "root": "0" in status["Uid"].split(),
            "capabilities": int(status["CapEff"], 16), "dumpable": os.stat(f"/proc/{pid}/mem").st_uid != 0, "core": core}


def sandbox(place, servers):
    seen = []
    with Proxy(servers.keystone_port) as keystone:
        with place.session(servers.user("alice").environment(OS_AUTH_URL=keystone.url)) as session:
            keystone.on_connection = lambda: seen.append(status_of(session.agent()))
            session.ask("list")
    check("before its first request, mayfly-keyagent is in its sandbox", seen[:1] == [
        {"Seccomp": "2", "NoNewPrivs": "1", "root": False, "capabilities": 0, "dumpable": False, "core": "0"}], seen)


def main():
    source, probe, agent, unwiped = sys.argv[1:5]
    if os.getuid() != 0:
        print("skipped: only root can read the memory of another process")
        sys.exit(77)
    with Servers(source) as servers, Place(servers, (probe, agent)) as place, \
            Place(servers, (probe, unwiped)) as unwiped_place:
        sandbox(place, servers)
        memory(place, servers)
        control(unwiped_place, servers)


main()
