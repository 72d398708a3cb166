#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/fleet/fleet.py SRC FLEET-MAYFLY FLEET-KEYAGENT [OPTION]...: many compute hosts of several tenants, and one real
Keystone and Barbican. Servers are created and deleted on all hosts at once; Barbican is cut off in the middle; mayfly is
killed, and hosts are. In the end each server has its volumes and its key, and nothing else is there. Then it says what
was asked of the services, how long that took, and what was busy meanwhile.

  --hosts N --servers N --deleted N     that are there, are created, are deleted, on all of them together
  --outage SECONDS                      without Barbican
  --at-once N                           creates and deletes, on all hosts together
  --tenants N --kills SHARE --seed N    projects; of the creates and deletes; of all that is left to chance
"""

import argparse
import os
import random
import re
import resource
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "barbican"))
from host import Host
from mayfly import Place, check, own
from servers import Servers, User

PAGE = 100  # of secrets
EVERY = 100  # acts it is said how far it is


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs=3)
    for name, default in (("hosts", 4), ("servers", 20), ("deleted", 6), ("tenants", 3), ("at-once", 10),
                          ("seed", int(time.time()))):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--outage", type=float, default=5)
    parser.add_argument("--kills", type=float, default=0.2)
    return parser.parse_args()


def share(total, parts, number):
    """Of `total` things, for one of so many."""
    return total // parts + (number < total % parts)


def on_all(hosts, work):
    """On all at once; a host whose work ends by an exception fails the test."""
    failed = []

    def one(host):
        try:
            work(host)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(f"host {host.number}: {e!r}")
    threads = [threading.Thread(target=one, args=[host]) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("  no host gave up", not failed, failed)


class Fleet:
    def __init__(self, place, servers, o):
        self.o, self.servers = o, servers
        self.owners = [servers.new_user() for _ in range(o.tenants)]
        for owner in self.owners:
            check(f"tenant {owner.name} has a token", owner.token)
        self.cut = threading.Event()
        turn = threading.Semaphore(o.at_once)
        self.hosts = [Host(place, n, random.Random(f"{o.seed}/{n}"), self.cut, turn) for n in range(o.hosts)]
        self.n_done = 0
        self.progress = threading.Condition()

    # ------------------------------------------------------------------ life

    def done(self):
        with self.progress:
            self.n_done += 1
            self.progress.notify_all()
            if self.n_done % EVERY == 0:
                print(f"{time.strftime('%T')} {self.n_done} acts are done", flush=True)

    def cut_off(self):
        """Once half of all is done."""
        with self.progress:
            self.progress.wait_for(lambda: self.n_done >= (self.o.servers + self.o.deleted) // 2)
        before = self.n_done
        self.cut.set()
        time.sleep(self.o.outage)
        self.cut.clear()
        print(f"Barbican was cut off for {self.o.outage:g} s, in which {self.n_done - before} acts were done", flush=True)

    def live(self):
        outage = threading.Thread(target=self.cut_off, daemon=True)
        outage.start()

        def work(host):
            host.kill_share = self.o.kills
            host.create_and_delete(self.owners, share(self.o.servers, self.o.hosts, host.number),
                                   share(self.o.deleted, self.o.hosts, host.number), self.done)
            host.kill_share = 0
        on_all(self.hosts, work)
        outage.join()

    def settle(self):
        """What did not come back after a reboot is started by its owner. Where something failed or was killed, each tenant's
        recover, too."""
        def work(host):
            for server in host.servers:
                if not server.runs:
                    host.act("restart", server)
            for owner in self.owners if host.failures else ():
                host.act("put_in_order", owner)
        on_all(self.hosts, work)

    # -------------------------------------------------------------- accounts

    def keys(self):
        """The name of each secret by its id, as an administrator sees them."""
        found = {}
        admin = self.servers.admin
        admin.login()
        role = next(role["id"] for role in self.servers.ask("GET", "/roles")["roles"] if role["name"] == "admin")
        for owner in self.owners:
            project = self.servers.ask("GET", f"/projects?name={owner.project}")["projects"][0]["id"]
            self.servers.ask("PUT", f"/projects/{project}/users/{admin.id}/roles/{role}")
            looks = User(self.servers, admin.name, admin.password, owner.project)
            page = [None] * PAGE
            offset = 0
            while len(page) == PAGE:
                page = looks.barbican("GET", f"/secrets?limit={PAGE}&offset={offset}")["secrets"]
                offset += PAGE
                found.update({secret["secret_ref"].rsplit("/", 1)[1]: secret["name"] for secret in page})
        return found

    @staticmethod
    def faults_of(host):
        """Of what is on the host; and whose volumes name which key."""
        shown = host.libvirt("@show")
        volumes = {words[1]: words[2:] for words in shown if words[0] == "volume"}
        maps = {words[1] for words in shown if words[0] == "map"}
        domains = {words[1] for words in shown if words[0] == "domain"}
        guests = {words[1] for words in shown if words[0] == "domain" and words[2] == "running"}
        wanted = set().union(*(server.volumes() for server in host.servers))
        servers = {server.uuid for server in host.servers}
        faults = [f"volume {lv} is lost" for lv in wanted - volumes.keys()]
        faults += [f"volume {lv} is left" for lv in volumes.keys() - wanted]
        faults += [f"volume {lv} is {words[0]}" for lv, words in volumes.items() if words[0] != "ready"]
        faults += [f"map of {lv} is closed" for lv in wanted - maps]
        faults += [f"map of {lv} is left" for lv in maps - wanted]
        faults += [f"guest {uuid} does not run" for uuid in servers - guests]
        faults += [f"domain {uuid} is left" for uuid in domains - servers]
        return [f"host {host.number}: {fault}" for fault in faults], {
            own(key): {lv.split("_")[0] for lv, (_, named) in volumes.items() if named == key} for _, key in volumes.values()}

    def faults(self):
        keys, named, faults = self.keys(), {}, []
        for host in self.hosts:
            more, names = self.faults_of(host)
            faults += more
            for key, uuids in names.items():
                named.setdefault(key, set()).update(uuids)
        faults += [f"key {key} of {named[key]} is lost" for key in named.keys() - keys.keys()]
        faults += [f"key {key} is left: {keys[key]}" for key in keys.keys() - named.keys()]
        faults += [f"key {key} of {named[key]} is another's: {keys[key]}" for key in keys.keys() & named.keys()
                   if named[key] != {keys[key].rsplit("/", 1)[1]}]
        return faults

    def check(self, what):
        """Nothing lost, nothing left."""
        faults = self.faults()
        there = sum(len(host.servers) for host in self.hosts)
        check(f"{what}: {there} servers run, each with its volumes, open, and its key; nothing else", not faults, faults)
        check("  as many as were asked for", there == self.o.servers - self.o.deleted, there)

    def control(self):
        """What is lost and left on purpose is found."""
        (host, lost), *_, (_, keyless) = [(host, server) for host in self.hosts for server in host.servers]
        lv, key = f"{lost.uuid}_disk", own(keyless.key)
        host.libvirt("@lose", lv)
        keyless.owner.barbican("DELETE", f"/secrets/{key}")
        left = self.owners[0].make_secret()
        faults = "\n".join(self.faults())
        for fault in f"volume {lv} is lost", f"key {key} of .* is lost", f"key {left} is left":
            check(f"control: {fault}", re.search(fault, faults), faults)

    # --------------------------------------------------------------- figures

    def processor_seconds(self):
        """Of the services, of mayfly and its agents, and of this test with its proxies."""
        used = {}
        for name in ("keystone", "barbican"):
            with open(f"{self.servers.folder}/{name}.pid", encoding="utf-8") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                words = file.read().rpartition(")")[2].split()
            used[name] = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        for name, who in (("mayfly", resource.RUSAGE_CHILDREN), ("this test", resource.RUSAGE_SELF)):
            usage = resource.getrusage(who)
            used[name] = usage.ru_utime + usage.ru_stime
        return used

    def figures(self, took, used, asked, others):
        acts = self.o.servers + self.o.deleted
        keystone = sum("/v3" in line for line in asked)
        barbican = [len(host.proxy.requests) for host in self.hosts]
        seconds = [second for host in self.hosts for second in host.seconds]
        busy = [host.busy for host in self.hosts]
        kills = {what: sum(host.kills[what] for host in self.hosts) for what in ("mayfly", "host")}
        print(f"{acts} acts on {self.o.hosts} hosts in {took:.0f} s, {self.o.outage:g} of them without Barbican: "
              f"{acts / max(took - self.o.outage, 1):.1f} each second beside these")
        print(f"killed: mayfly {kills['mayfly']} times, hosts {kills['host']} times; "
              f"tried again: {sum(len(host.failures) for host in self.hosts)} times")
        print(f"requests of mayfly's: {keystone} to Keystone, {len(asked) - keystone} to Barbican; of others to Keystone: {others} "
              f"(Barbican's, and of this test's look after each delete); each host tried {min(barbican)} to {max(barbican)}, {statistics.mean(barbican):.0f} on average, "
              f"{sum(barbican) / acts:.1f} an act")
        print(f"an act: median {statistics.median(seconds):.2f} s, longest {max(seconds):.1f} s; "
              f"a host was busy for {min(busy):.0f} to {max(busy):.0f} s, {statistics.mean(busy):.0f} on average")
        print(f"processor time, of {took:.0f} s on each of {len(os.sched_getaffinity(0))}: " + ", ".join(
            f"{name} {second:.0f} s ({1000 * second / acts:.0f} ms an act)" for name, second in used.items()), flush=True)


def main():
    o = options()
    source, *programs = o.programs
    print(f"seed {o.seed}", flush=True)
    with Servers(source) as servers, Place(servers, programs) as place:
        fleet = Fleet(place, servers, o)
        servers.requests()
        others = Path(servers.folder, "requests.others")
        others.write_text("", encoding="utf-8")
        before, begun = fleet.processor_seconds(), time.monotonic()
        fleet.live()
        took = time.monotonic() - begun
        used = {name: second - before[name] for name, second in fleet.processor_seconds().items()}
        asked, n_others = servers.requests(), sum("/v3" in line for line in others.read_text(encoding="utf-8").splitlines())
        fleet.figures(took, used, asked, n_others)
        fleet.settle()
        fleet.check("after all that")
        on_all(fleet.hosts, lambda host: host.act("reboot"))
        fleet.settle()
        fleet.check("after a reboot of all hosts")
        fleet.control()


main()
