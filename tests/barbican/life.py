#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/life.py SRC PROBE AGENT: the life of a key in Barbican, who may do what with it, and how often the
servers are asked for it."""

import sys

from certificates import Certificates
from mayfly import DENIED, GONE, USAGE, Place, check, hash_of, refused
from proxy import Proxy, lost
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
    refused("an id that is none", place.ask_one(alice, "fetch ../../v1/secrets"), USAGE, "no uuid")


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


def many(place, servers):
    """Over connections that the proxy counts. A create that was carried out, but whose answer was lost, is found."""
    owner = servers.new_user()
    with Proxy(servers.barbican_port) as proxy:
        config = place.configure(f"barbican_endpoint = {proxy.url}", "many.conf")
        made = place.ask_one(owner.environment(), "create 30 512", config=config)
        check("thirty keys are made", sorted(made.ids) == owner.secrets(), made)
        check("by three requests each", len(proxy.requests) == 90, len(proxy.requests))
        check("over four connections at most", 0 < proxy.connections <= 4, proxy.connections)
        proxy.fault, proxy.where = lost, "POST /v1/secrets$"
        made = place.ask_one(owner.environment(), "create 2 512", config=config)
        check("a store whose answer is lost is found by its name", made.ok, made)
        check("  and there is no second one", len(owner.secrets()) == 32, owner.secrets())


def over_tls(place, servers):
    """Both servers by https, as the catalog says for a region."""
    owner = servers.new_user()
    with Certificates() as certificates, Proxy(servers.keystone_port, certificates.context("good")) as keystone, \
            Proxy(servers.barbican_port, certificates.context("good"), host="localhost") as barbican:
        servers.add_endpoint(f"tls-{barbican.port}", barbican.url)
        config = place.configure(f"verify_ssl_path = {certificates.ca_file}\nbarbican_region_name = tls-{barbican.port}",
                                 "tls.conf")
        environment = owner.environment(OS_AUTH_URL=keystone.url)
        made = place.ask_one(environment, "create 2 512", config=config)
        check("over TLS, keys are made", made.ok and sorted(made.ids) == owner.secrets(), made)
        first, second = made.ids
        fetched, listed, destroyed, gone = place.ask(environment, f"fetch {first}", "list", f"destroy {first}",
                                                     f"fetch {first}", config=config)
        check("  fetched", fetched.hashes == made.hashes[:1], fetched)
        check("  listed", sorted(listed.ids) == sorted(made.ids), listed)
        check("  destroyed", destroyed.ok and owner.secrets() == [second], destroyed)
        refused("  and gone", gone, GONE)
        check("all of it through TLS", len(keystone.requests) == 2 and len(barbican.requests) == 11, barbican.requests)


def main():
    source, *programs = sys.argv[1:4]
    with Servers(source) as servers, Place(servers, programs) as place:
        first, second = life(place, servers)
        host_access(place, servers, first)
        rights(place, servers, second)
        orders(place, servers)
        many(place, servers)
        over_tls(place, servers)


main()
