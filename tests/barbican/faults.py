#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/faults.py SRC PROBE AGENT: what goes wrong between mayfly-keyagent and Keystone or Barbican.

Every fault of a table, at either server, against create, fetch, destroy and list: the right exit status, a
sentence that a person can act upon, an end within the deadlines, and nothing left behind.
"""

import json
import os
import queue
import re
import signal
import sys
import time
from concurrent import futures
from typing import Any, NamedTuple

import proxy as p
from certificates import Certificates
from mayfly import DENIED, FAILED, GONE, OK, UNREACHABLE, Place, check, refused
from proxy import Proxy
from servers import Servers

AT_ONCE = 8  # jobs: most of them wait
LONG = {"request_timeout": 20, "deadline": 60}  # the defaults


class Fault(NamedTuple):
    """`statuses`: of all four at Keystone; then at Barbican of create, fetch, destroy, list. `cause` and
    `way_out` are regular expressions for the sentence. `waits`: for a deadline, so let it be a short one."""

    behaviour: Any  # of the proxy; or a dict: how it listens
    statuses: tuple
    cause: str
    way_out: str
    waits: bool = False


# 6: nothing is known, so it may be tried again, and nothing is removed. Whatever is no answer of the service itself is 6.
ALL_6 = (UNREACHABLE,) * 5
# 2: the service itself said no.
ALL_2 = (DENIED,) * 5
# Keystone takes no such request from us, so whoever says so is not it. Barbican may: to ask again would not help.
LIMIT = (UNREACHABLE, FAILED, FAILED, FAILED, FAILED)
# 7 is for Barbican's own words alone, and destroying what is gone is no error. What was just made, or a list, is not gone.
OWN_404 = (UNREACHABLE, UNREACHABLE, GONE, OK, UNREACHABLE)
# Half a key is a key as far as HTTP goes: it is found out by the check value in the tags (tests/unit/test_check.c).
CUT = (UNREACHABLE, UNREACHABLE, OK, UNREACHABLE, UNREACHABLE)
BARBICANS_404 = json.dumps({"code": 404, "title": "Not Found", "description": "Secret not found"})
BROKEN = "broke (in the middle of the|before an) answer"
LATE = "|no (whole answer|connection) within the"  # what is tried again may end so
AGAIN, ADDRESS = "try again", "check (the|its|that|[a-z_]+)"

FAULTS = {
    "refused": Fault({"listening": False}, ALL_6, f"Connection refused{LATE}", ADDRESS),
    "no one takes the connection": Fault({"listening": None}, ALL_6, "no connection within", f"{AGAIN}|{ADDRESS}",
                                         waits=True),
    "wrong CA": Fault({"tls": "stranger"}, ALL_6, "certificate is not trusted", "verify_ssl_path"),
    "wrong name": Fault({"tls": "other-name"}, ALL_6, "certificate is for another host", "use the name"),
    "hang": Fault(p.hang, ALL_6, "no whole answer within", AGAIN, waits=True),
    "endless": Fault(p.endless, ALL_6, "no whole answer within|longer than any", f"{AGAIN}|{ADDRESS}", waits=True),
    "huge": Fault(p.huge, ALL_6, "longer than any", ADDRESS),
    "drop": Fault(p.drop, ALL_6, BROKEN + LATE, AGAIN),
    "drop in the headers": Fault(p.drop_in_the_headers, ALL_6, BROKEN + LATE, AGAIN),
    "drop in the body": Fault(p.drop_in_the_body, ALL_6, BROKEN + LATE, AGAIN),
    "truncated in the headers": Fault(p.truncated_in_the_headers, ALL_6, BROKEN + LATE, AGAIN),
    "truncated": Fault(p.truncated, ALL_6, BROKEN + LATE, AGAIN),
    "cut": Fault(p.cut, CUT, "not a Keystone token|not Barbican's|not how Barbican", ADDRESS),
    "garbage": Fault(p.garbage, ALL_6, "is not HTTP/1.1", ADDRESS),
    "portal": Fault(p.status(200, p.page("Log in")), ALL_6, "answers 200: Log in|longer than any|not Barbican's",
                    ADDRESS),
    "401": Fault(p.status(401, p.page("No")), ALL_2, "refuses|answers 401: No", "wrong|clock|fresh"),
    "403": Fault(p.status(403, p.page("No")), ALL_2, "refuses user|answers 403: No", "wrong|credentials of the project"),
    "404": Fault(p.status(404, p.page("Nothing here")), ALL_6, "answers 404: Nothing here", ADDRESS),
    "404 of Barbican": Fault(p.status(404, BARBICANS_404, "application/json"), OWN_404, "answers 404: Secret not found",
                             f"{ADDRESS}|mayfly delete"),
    "413": Fault(p.status(413, p.page("Too long")), LIMIT, "answers 413: Too long", f"{ADDRESS}|look at Barbican's log"),
    "429": Fault(p.status(429, p.page("Slowly"), Retry_After="3600"), ALL_6, "answers 429: Slowly", f"{AGAIN}|{ADDRESS}"),
    "500": Fault(p.status(500, p.page("Oh")), ALL_6, f"answers 500: Oh{LATE}", f"{AGAIN}|{ADDRESS}"),
    "503": Fault(p.status(503, p.page("Busy")), ALL_6, f"answers 503: Busy{LATE}", f"{AGAIN}|{ADDRESS}"),
}


def redirect(url):
    return Fault(p.status(307, Location=f"{url}/v1/secrets"), ALL_6, "redirect", "correct (auth_url|barbican_endpoint)")

# What of a create is behind the proxy's fault: all; the second request alone; the second one, and the undoing.
CREATES = {"create": ".", "create: access": "PUT .*/acl", "create: undoing": "PUT .*/acl|DELETE|GET"}


class Job:
    """One fault at one server, with a tenant of its own."""

    def __init__(self, world, tenant, name, at_barbican):
        self.world, self.tenant, self.name, self.at_barbican = world, tenant, name, at_barbican
        self.fault = FAULTS[name]
        self.where = f"{name} at {'Barbican' if at_barbican else 'Keystone'}"
        self.connects = not isinstance(self.fault.behaviour, dict)
        self.times = world.short if self.fault.waits else LONG
        self.failures, self.cells_done = [], 0

    def expect(self, what, good, detail):
        """Noted, so that one run shows all that is wrong."""
        if not good:
            self.failures.append(f"failed: {self.where}: {what}: {detail}")

    def run(self):
        servers, how = self.world.servers, {} if self.connects else dict(self.fault.behaviour)
        if "tls" in how:
            how["tls"] = self.world.certificates.context(how["tls"])
        with Proxy(servers.barbican_port if self.at_barbican else servers.keystone_port, **how) as self.proxy:
            more = f"verify_ssl_path = {self.world.certificates.ca_file}\n"
            environment = self.tenant.environment()
            if self.at_barbican:
                more += f"barbican_endpoint = {self.proxy.url}\n"
            else:
                environment["OS_AUTH_URL"] = f"{self.proxy.url}/v3"
            config = self.world.place.configure(more, f"{self.tenant.name}.conf", **self.times)
            self.peace = (environment, config) if self.connects else (self.tenant.environment(), None)
            with self.world.place.session(environment, config) as self.session:
                # for which Barbican need not be reached
                self.place_name = (self.session.ask("place") if self.at_barbican else self.in_peace("place")).words[0]
                self.cells()
        print("\n".join(self.failures or [f"ok: {self.where}: {self.cells_done} cells"]), flush=True)
        return not self.failures

    def cells(self):
        creates = CREATES if self.at_barbican and self.connects else {"create": "."}
        at_keystone, create, fetch, destroy, list_ = self.fault.statuses
        for what, where in creates.items():
            self.cell(what, "create 2 512", where, create if self.at_barbican else at_keystone)
        for what, status in {"fetch": fetch, "list": list_, "destroy": destroy}.items():
            key = self.tenant.make_secret() if what != "list" else ""
            request = f"{what} {self.place_name}/{key}" if key else what
            self.cell(what, request, ".", status if self.at_barbican else at_keystone, key)

    def cell(self, what, request, where, status, key=""):
        before = self.tenant.secrets()
        self.cells_done += 1
        if self.connects:
            self.proxy.fault, self.proxy.where = self.fault.behaviour, where
        start = time.monotonic()
        answer = self.session.ask(request)
        took = time.monotonic() - start
        self.proxy.fault = p.plain
        self.expect(f"{what}: exit {status}", answer.status == status, repr(answer))
        self.expect("it ends with the deadline, and that of the undoing", took < 2 * self.times["deadline"] + 30, took)
        if status:
            self.sentence(what, answer.text, key)
        if what == "destroy":  # whether it was carried out or not
            again = self.in_peace(request if self.connects else f"destroy {key}")
            self.expect("to destroy again finishes the job", again.ok, repr(again))
            before.remove(key)
        self.nothing_is_left(what, answer, before)

    def in_peace(self, request):
        """The answer to another run, without the fault."""
        environment, config = self.peace
        return self.world.place.ask_one(environment, request, config=config)

    def sentence(self, what, text, key):
        names = [key or "barbican", self.fault.cause, self.fault.way_out]
        for name in (*names, "Barbican" if self.at_barbican else "Keystone"):
            self.expect(f"{what}: the sentence says {name}", re.search(name, text), text)

    def nothing_is_left(self, what, answer, before):
        """Nothing, or what a create could not undo, which says so, and which list, and so recover, finds."""
        left = set(self.tenant.secrets()) - set(before)
        if left:
            told = "mayfly recover" in answer.text or self.name == "404 of Barbican"  # which was believed
            self.expect(f"{what}: it says that something is left", told, repr(answer))
            self.expect(f"{what}: it is listed", left <= set(self.in_peace("list").uuids), left)
            for key in left:
                self.in_peace(f"destroy {key}")
        after = self.tenant.secrets()
        self.expect(f"{what}: nothing is left", after == before, (before, after))


class World(NamedTuple):
    servers: Servers
    place: Place
    certificates: Certificates
    tenants: queue.Queue
    short: dict  # deadlines that the servers keep, on this machine and at this moment, if nothing is wrong

    def run(self, name, at_barbican):
        tenant = self.tenants.get()
        try:
            return Job(self, tenant, name, at_barbican).run()
        finally:
            self.tenants.put(tenant)


def killed(world):
    """mayfly-keyagent ends in the middle of a create; another one finds what it left."""
    owner = world.servers.new_user()
    with Proxy(world.servers.barbican_port) as proxy:
        config = world.place.configure(f"barbican_endpoint = {proxy.url}", "killed.conf")
        with world.place.session(owner.environment(), config) as session:
            agent = session.ask("list") and session.agent()
            proxy.fault, proxy.where = lambda _: os.kill(agent, signal.SIGKILL), "PUT .*/acl"
            answer = session.ask("create 2 512")
            proxy.fault = p.plain
            refused("mayfly-keyagent is killed", answer, FAILED, "killed by signal 9 .* mayfly recover finds")
            left, listed = owner.secrets(), session.ask("list")
            check("what it left is listed", len(left) == 2 and listed.uuids == left, listed)
            check("and destroyed", all(session.ask(f"destroy {key}").ok for key in left) and not owner.secrets())


def short_times(pool, tenants):
    """From what a request takes when all make one at a time."""
    start = time.monotonic()
    for made in [pool.submit(tenant.make_secret) for tenant in tenants]:
        made.result()
    took = round(time.monotonic() - start)
    return {"request_timeout": 4 + 3 * took, "deadline": 6 + 4 * took}


def main():
    source, *programs = sys.argv[1:4]
    wanted = sys.argv[4:] or [*FAULTS, "redirect"]
    with Servers(source) as servers, Place(servers, programs) as place, Certificates() as certificates, \
            Proxy(servers.barbican_port) as elsewhere, futures.ThreadPoolExecutor(AT_ONCE) as pool:
        FAULTS["redirect"] = redirect(elsewhere.url)
        tenants = [servers.new_user() for _ in range(AT_ONCE)]
        world = World(servers, place, certificates, queue.Queue(), short_times(pool, tenants))
        for tenant in tenants:
            world.tenants.put(tenant)
        jobs = [pool.submit(world.run, name, at_barbican) for name in wanted for at_barbican in (False, True)]
        good = [job.result() for job in jobs]
        check("all cells are as the table says", all(good))
        killed(world)
        check("where redirects lead to, nobody came", elsewhere.connections == 0, elsewhere.requests)


main()
