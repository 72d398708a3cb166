#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/life.py SRC PROBE AGENT: the life of a key in Barbican, who may do what with it, and how often the
servers are asked for it."""

import sys
import time

from certificates import Certificates
from mayfly import DENIED, GONE, UNREACHABLE, USAGE, Place, check, hash_of, own, refused
from proxy import Proxy, late, lost, pages_of, pending
from servers import Servers


def count(requests, words):
    return sum(words in line for line in requests)


def life(place, servers):
    alice = servers.user("alice")
    environment = alice.environment()
    servers.requests()
    made = place.ask_one(environment, "create 3 512")
    check("three keys are made", made.ok and len(made.ids) == 3, made)
    asked = servers.requests()
    check("with one token", count(asked, "POST /v3/auth/tokens") == 1, asked)
    check("and three requests each: secret, access, consumer", count(asked, "/v1/") == 9, asked)
    check("they are in Barbican", [hash_of(alice.payload(key)) for key in made.ids] == made.hashes)
    fetched = place.ask(environment, *[f"fetch {key}" for key in made.ids])
    check("what is fetched is what was made", [answer.words for answer in fetched] == [[h] for h in made.hashes], fetched)
    asked = servers.requests()
    check("with one request each, and one token in all", len(asked) == 4, asked)
    listed = place.ask_one(environment, "list")
    check("they are listed", set(listed.ids) >= set(made.ids), listed)
    first = made.ids[0]
    twice = place.ask(environment, f"destroy {first}", f"destroy {first}")
    check("a key is destroyed, twice", all(answer.ok for answer in twice), twice)
    refused("and gone", place.ask_one(environment, f"fetch {first}"), GONE, "gone for good")
    check("which destroying may be", place.ask_one(environment, f"may-destroy {first}").ok)
    return made.ids[1:]


def host_access(place, servers, key):
    alice, host = servers.user("alice").environment(), servers.user("compute").environment()
    check("the host may fetch a key", place.ask_one(host, f"fetch {key}").ok)
    revoked = place.ask(alice, f"revoke {key}", f"revoke {key}")
    check("until that is ended, once", [a.text for a in revoked] == ["ok changed", "ok unchanged"], revoked)
    refused("  which it notices", place.ask_one(host, f"fetch {key}"), DENIED, "project that owns it")
    check("and begun again", place.ask_one(alice, f"grant {key}").ok and place.ask_one(host, f"fetch {key}").ok)
    servers.requests()
    alone = place.configure(name="alone.conf", host_access="none")
    made = place.ask_one(alice, "create 1 512", config=alone)
    check("without host_access, a key takes two requests", count(servers.requests(), "/v1/") == 2)
    refused("  and the host may not fetch it", place.ask_one(host, f"fetch {made.ids[0]}"), DENIED)


def rights(place, servers, key):
    for name in ("bob", "carol"):
        refused(f"{name} may not fetch it", place.ask_one(servers.user(name).environment(), f"fetch {key}"), DENIED, "403")
    for name in ("bob", "carol", "dave", "compute"):
        may, destroyed = place.ask(servers.user(name).environment(), f"may-destroy {key}", f"destroy {key}")
        refused(f"{name} may not destroy it, and is told so before", may, DENIED, "403")
        refused("  nor after", destroyed, DENIED, "403")
    alice = servers.user("alice").environment()
    check("alice may, and it is unharmed", all(a.ok for a in place.ask(alice, f"may-destroy {key}", f"fetch {key}")))
    refused("an id that is none", place.ask_one(alice, "fetch ../../v1/secrets"), USAGE, "not of the form PLACE/ID")
    refused("another that is none", place.ask_one(alice, "fetch x/../v1"), USAGE, "not a uuid")


def orders(place, servers):
    config = place.configure("create = order", "order.conf")
    alice = servers.user("alice").environment()
    for bits in (256, 512):
        made = place.ask_one(alice, f"create 1 {bits}", config=config)
        check(f"Barbican makes a key of {bits} bits", made.ok, made)
        again, gone = place.ask(alice, f"fetch {made.ids[0]}", f"destroy {made.ids[0]}")
        check("  the same as it is fetched", again.hashes == made.hashes and gone.ok, again)
    made = place.ask_one(alice, "create 6 512", config=config)
    check("six are ordered at once", len(set(made.ids)) == len(set(made.hashes)) == 6, made)
    fetched = place.ask(alice, *[f"fetch {key}" for key in made.ids])
    check("  each is its own", [f.hashes[0] for f in fetched] == made.hashes, fetched)
    check("  and is destroyed", all(a.ok for a in place.ask(alice, *[f"destroy {key}" for key in made.ids])))


def slow_orders(place, servers):
    """A worker that takes its time: each order has number_of_retries x retry_delay, whatever `deadline` is."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        more = f"create = order\nbarbican_endpoint = {proxy.url}\nnumber_of_retries = 6\nretry_delay = 1"
        config = place.configure(more, "slow.conf", host_access="none", deadline=5)
        proxy.fault, proxy.where = pending(3), "GET /v1/(orders/|secrets\\?)"
        made = place.ask_one(owner.environment(), "create 3 512", config=config)
        check("three slow orders outlast the deadline of requests", made.ok, made)
        looks = sum("GET /v1/orders/" in line for line in proxy.requests)
        check("  with few looks", looks <= 30, looks)
        check("  and are all there is", made.uuids == owner.secrets(), owner.secrets())
        proxy.requests.clear()
        proxy.fault = pending(3600)
        begun = time.monotonic()
        refused("an order that never ends", place.ask_one(owner.environment(), "create 2 512", config=config), UNREACHABLE,
                "not made the key within 6 s .*may still appear.*mayfly recover")
        took = time.monotonic() - begun
        check("  is waited for as long as was said", 6 <= took < 16, took)
        looks = sum("GET /v1/orders/" in line for line in proxy.requests)
        check("  with few looks", looks <= 20, looks)


def many(place, servers):
    """Over connections that the proxy counts. A create that was carried out, but whose answer was lost, is found."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        config = place.configure(f"barbican_endpoint = {proxy.url}", "many.conf")
        made = place.ask_one(owner.environment(), "create 30 512", config=config)
        check("thirty keys are made", made.uuids == owner.secrets(), made)
        check("by three requests each", len(proxy.requests) == 90, len(proxy.requests))
        check("over four connections at most", 0 < proxy.connections <= 4, proxy.connections)
        together(place, owner, proxy, config, made)
        made = place.ask_one(owner.environment(), "create 30 512", config=config)
        proxy.fault, proxy.where = lost, "POST /v1/secrets$"
        made = place.ask_one(owner.environment(), "create 2 512", config=config)
        check("a store whose answer is lost is found by its name", made.ok, made)
        check("  and there is no second one", len(owner.secrets()) == 32, owner.secrets())
        check("  and it is what Barbican has", [hash_of(owner.payload(key)) for key in made.ids] == made.hashes)


def together(place, owner, proxy, config, made):
    """The same keys, fetched and destroyed together."""
    environment, ids = owner.environment(), " ".join(made.ids)
    proxy.requests.clear()
    proxy.connections = 0
    fetched = place.ask_one(environment, f"fetch-many {ids}", config=config)
    check("they are fetched together", fetched.words == made.hashes, fetched)
    check("  by one request each", len(proxy.requests) == 30, len(proxy.requests))
    check("  over four connections at most", 0 < proxy.connections <= 4, proxy.connections)
    proxy.requests.clear()
    check("it is asked at once who may destroy them",
          place.ask_one(environment, f"may-destroy-many {ids}", config=config).ok and len(proxy.requests) == 30)
    place_of_them = made.ids[0].split("/")[0]
    proxy.requests.clear()
    proxy.connections = 0
    wrong = f"{place_of_them}/no-uuid elsewhere/{own(made.ids[0])}"
    refused("one that is none of Barbican's is told of",
            place.ask_one(environment, f"destroy-many {wrong} {ids}", config=config), USAGE, "no-uuid.*not a uuid")
    check("  and all others are destroyed", owner.secrets() == [], owner.secrets())
    check("  by two requests each", len(proxy.requests) == 60, len(proxy.requests))
    check("  over four connections at most", 0 < proxy.connections <= 4, proxy.connections)
    check("and again, which does no harm", place.ask_one(environment, f"destroy-many {ids}", config=config).ok)


def strays(place, servers):
    """A store that is carried out long after its answer was given up: the POST was repeated meanwhile."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        config = place.configure(f"barbican_endpoint = {proxy.url}", "strays.conf", host_access="none")
        bodies = []
        proxy.fault, proxy.where = late(bodies), "POST /v1/secrets$"
        made = place.ask_one(owner.environment(), "create 1 512", config=config)
        check("a store that is carried out late is repeated", made.ok and len(bodies) == 2, made)
        check("  with another key", bodies[0] != bodies[1])
        check("  and the first is destroyed", owner.secrets() == made.uuids, owner.secrets())
        check("  the key is the other's", hash_of(owner.payload(made.ids[0])) == made.hashes[0])


def pages(place, servers):
    """An administrator may have set max_limit_paging; and the project's secrets are many."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        config = place.configure(f"barbican_endpoint = {proxy.url}", "pages.conf", host_access="none")
        made = place.ask_one(owner.environment(), "create 7 512", config=config)
        proxy.fault, proxy.where = pages_of(3), "GET /v1/secrets\\?"
        listed = place.ask_one(owner.environment(), "list", config=config)
        check("a list goes on behind a short page", sorted(listed.ids) == sorted(made.ids), listed)


def plus(place, servers):
    """A volume group's name may have a plus in it, which is a blank in a query."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        config = place.configure(f"barbican_endpoint = {proxy.url}", "plus.conf", host_access="none")
        proxy.fault, proxy.where = lost, "POST /v1/secrets$"
        made = place.ask_one(owner.environment(), "create 1 512 vg+1", config=config)
        check("a lost store is found in a group with a plus", made.ok and owner.secrets() == made.uuids, owner.secrets())


def over_tls(place, servers):
    """Both servers by https, as the catalog says for a region."""
    owner = servers.new_user()
    with Certificates() as certificates, Proxy(servers.keystone_port, certificates.context("good")) as keystone, \
            Proxy(servers.barbican_port, certificates.context("good"), host="localhost") as barbican:
        servers.add_endpoint(f"tls-{barbican.port}", barbican.url)
        config = place.configure(f"verify_ssl_path = {certificates.ca_file}\nbarbican_region_name = tls-{barbican.port}",
                                 "tls.conf")
        environment = owner.environment(OS_AUTH_URL=keystone.url, OS_REGION_NAME="")
        made = place.ask_one(environment, "create 2 512", config=config)
        check("over TLS, keys are made", made.ok and made.uuids == owner.secrets(), made)
        first, second = made.ids
        fetched, listed, destroyed, gone = place.ask(environment, f"fetch {first}", "list", f"destroy {first}",
                                                     f"fetch {first}", config=config)
        check("  fetched", fetched.hashes == made.hashes[:1], fetched)
        check("  listed", sorted(listed.ids) == sorted(made.ids), listed)
        check("  destroyed", destroyed.ok and owner.secrets() == [own(second)], destroyed)
        refused("  and gone", gone, GONE)
        check("all of it through TLS", len(keystone.requests) == 2 and len(barbican.requests) == 12, barbican.requests)


def main():
    source, *programs = sys.argv[1:4]
    with Servers(source) as servers, Place(servers, programs) as place:
        first, second = life(place, servers)
        host_access(place, servers, first)
        rights(place, servers, second)
        orders(place, servers)
        slow_orders(place, servers)
        many(place, servers)
        strays(place, servers)
        pages(place, servers)
        plus(place, servers)
        over_tls(place, servers)


main()
