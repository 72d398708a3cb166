#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/who.py SRC PROBE AGENT: who asks, in every way that a caller can say it, and what becomes of a token
that has expired or was revoked."""

import contextlib
import os
import re
import sys
import time
import uuid

from mayfly import DENIED, GONE, UNREACHABLE, USAGE, Place, own, check, refused
from proxy import Proxy, page, status
from servers import Servers, http

CLOUDS = """
clouds:
  other:
    auth: {{auth_url: "http://127.0.0.1:1/v3", username: nobody}}
  lab:
    region_name: RegionOne
    auth:
      auth_url: {auth_url}
      username: {name}
      project_name: {project}
      user_domain_name: Default
      project_domain_name: Default
"""
SECURE = """
clouds:
  lab:
    auth: {{password: {password}}}
"""


def may(what, place, key, environment, **more):
    answer = place.ask_one(environment, f"fetch {key}", **more)
    check(f"{what}: may fetch", answer.ok, answer)


def may_not(what, place, key, environment, words, status=DENIED, **more):
    refused(f"{what}: may not", place.ask_one(environment, f"fetch {key}", **more), status, words)


def password(place, owner, key):
    may("a password", place, key, owner.environment())
    may_not("a wrong password", place, key, owner.environment(OS_PASSWORD="not-the-password"), "the password, .* is wrong")
    may_not("an unknown user", place, key, owner.environment(OS_USERNAME="nobody-of-that-name"), "the user, .* is wrong")
    may_not("a project that is not his", place, key, owner.environment(OS_PROJECT_NAME="tenant-a"), "project")
    may_not("nobody", place, key, {"OS_AUTH_URL": owner.servers.auth_url}, "OS_|username|credentials")


def application_credential(place, owner, key):
    auth_url = owner.servers.auth_url
    owner.login()
    made = http("POST", f"{auth_url}/users/{owner.id}/application_credentials", owner.token,
                {"application_credential": {"name": "ci"}})[0]["application_credential"]
    by_id = {"OS_AUTH_URL": auth_url, "OS_AUTH_TYPE": "v3applicationcredential",
             "OS_APPLICATION_CREDENTIAL_ID": made["id"], "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"]}
    by_name = {"OS_AUTH_URL": auth_url, "OS_APPLICATION_CREDENTIAL_NAME": "ci", "OS_USERNAME": owner.name,
               "OS_USER_DOMAIN_NAME": "Default", "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"]}
    may("an application credential by its id", place, key, by_id)
    may("an application credential by its name", place, key, by_name)
    may_not("its wrong secret", place, key, {**by_id, "OS_APPLICATION_CREDENTIAL_SECRET": "wrong-secret"},
            "application credential .* secret is wrong")
    http("DELETE", f"{auth_url}/users/{owner.id}/application_credentials/{made['id']}", owner.token)
    may_not("one that was deleted", place, key, by_id, "application credential .* was deleted")


@contextlib.contextmanager
def pipe_with(text):
    """A descriptor to read the text from, once."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    try:
        yield reading
    finally:
        os.close(reading)


def ask_by_fd(place, environment, token, line):
    with pipe_with(f"{token}\n") as fd:
        return place.ask_one({**environment, "TOKEN_FD": str(fd)}, line, pass_fds=[fd])


def token(place, owner, key):
    servers = owner.servers
    fresh = owner.login()
    by_variable = {"OS_AUTH_URL": servers.auth_url, "OS_AUTH_TYPE": "token", "OS_TOKEN": fresh}
    servers.requests()
    may("OS_TOKEN", place, key, by_variable)
    asked = servers.requests()
    check("  for which no other is made", not any("POST" in line for line in asked), asked)
    answer = ask_by_fd(place, {"OS_AUTH_URL": servers.auth_url}, fresh, f"fetch {key}")
    check("--token-fd: may fetch", answer.ok, answer)
    answer = ask_by_fd(place, {}, fresh, f"fetch {key}")
    check("--token-fd alone, with the host's Keystone: may fetch", answer.ok, answer)
    servers.revoke(fresh)
    may_not("OS_TOKEN that was revoked", place, key, by_variable, "expired or was revoked; get a fresh one")
    refused("--token-fd that was revoked: may not", ask_by_fd(place, by_variable, fresh, f"fetch {key}"), DENIED,
            "token of --token-fd: it has expired or was revoked; get a fresh one")
    check("a new one may", ask_by_fd(place, by_variable, owner.login(), f"fetch {key}").ok)


def clouds_yaml(place, owner, key):
    values = {"auth_url": owner.servers.auth_url, **vars(owner)}
    place.write("home/.config/openstack/clouds.yaml", CLOUDS.format(**values))
    home = {"HOME": f"{place.folder}/home", "CLOUD": "lab"}
    may_not("a cloud without its password", place, key, home, "cloud lab of clouds.yaml: the password is missing")
    place.write("home/.config/openstack/secure.yaml", SECURE.format(**values), 0o600)
    may("a cloud, with its password in secure.yaml", place, key, home)
    may("the same by OS_CLOUD", place, key, {"HOME": home["HOME"], "OS_CLOUD": "lab"})
    whole = place.write("whole.yaml", CLOUDS.format(**values) + f"      password: {owner.password}\n", 0o600)
    may("OS_CLIENT_CONFIG_FILE", place, key, {"OS_CLIENT_CONFIG_FILE": whole, "CLOUD": "lab"})
    refused("a cloud that is not there", place.ask_one({**home, "CLOUD": "lost"}, f"fetch {key}"), 4, "has no cloud lost")


def host(place, owner, key):
    """The host's own user, who was granted the key when it was made."""
    may("the host, with its password in a file", place, key, {})
    folder = os.path.dirname(place.write("credentials/mayfly.barbican", "compute-pw\n", 0o400))
    none = place.configure(name="none.conf", password_file="/nonexistent")
    may("the host, with a credential of systemd", place, key, {"CREDENTIALS_DIRECTORY": folder}, config=none)
    may_not("the host without a password", place, key, {}, "no credentials, and the host's password or secret cannot be read", config=none)
    open_to_all = place.configure(name="open.conf", password_file=place.write("open-password", "compute-pw\n", 0o644))
    may_not("a password that others can read", place, key, {}, "open-password: .*others .* can read it; chmod 600",
            config=open_to_all)
    check("the host may not destroy", not place.ask_one({}, f"destroy {key}").ok and owner.may_read(key))


def host_application_credential(place, owner, key):
    """The same user, by an application credential; its secret lies where a password would."""
    servers, compute = owner.servers, owner.servers.user("compute")
    compute.login()
    credentials = f"{servers.auth_url}/users/{compute.id}/application_credentials"
    name = f"host-{uuid.uuid4().hex[:8]}"
    made = http("POST", credentials, compute.token, {"application_credential": {"name": name}})[0]["application_credential"]
    secret = place.write("host-secret", made["secret"] + "\n", 0o600)

    def config(name, more, password_file=secret):
        return place.configure(name=f"{name}.conf", host_more=more, password_file=password_file)

    kind = "auth_type = v3applicationcredential\n"
    by_id = config("by-id", f"{kind}application_credential_id = {made['id']}")
    may("the host, by an application credential's id", place, key, {}, config=by_id)
    may("  and by its name", place, key, {}, config=config("by-name", f"{kind}application_credential_name = {name}"))
    folder = os.path.dirname(place.write("secret/mayfly.barbican", made["secret"], 0o400))
    may("  with its secret as a credential of systemd", place, key, {"CREDENTIALS_DIRECTORY": folder},
        config=config("none-2", f"{kind}application_credential_id = {made['id']}", "/nonexistent"))
    answer = place.ask_one({}, "diagnose", config=by_id)
    check("  and doctor knows whose it is", answer.ok and "credentials=0" in answer.text, answer)
    may_not("  with a password for its secret", place, key, {}, "application credential .* secret is wrong",
            config=config("wrong", f"{kind}application_credential_id = {made['id']}", place.host_password))
    may_not("  without its id", place, key, {}, "barbican_service_user.: application_credential_id is missing",
            config=config("without", kind))
    may_not("an id without the type", place, key, {}, "application_credential_id: has no effect with auth_type = password",
            status=USAGE, config=config("unused", f"application_credential_id = {made['id']}"))
    for unknown in ("v3token", "v3oidcpassword", "v3applicationcredentials"):
        may_not(f"auth_type = {unknown}", place, key, {}, f"auth_type.*{unknown}", status=USAGE,
                config=config(unknown, f"auth_type = {unknown}"))
    http("DELETE", f"{credentials}/{made['id']}", compute.token)
    may_not("  once it was deleted", place, key, {}, "application credential .* was deleted", config=by_id)


def catalog(place, owner, key):
    """Region and interface: each endpoint is a proxy that notes who came."""
    servers = owner.servers
    one, two = f"one-{uuid.uuid4().hex[:8]}", f"two-{uuid.uuid4().hex[:8]}"
    with Proxy(servers.barbican_port) as public, Proxy(servers.barbican_port) as internal, \
            Proxy(servers.barbican_port) as other:
        servers.add_endpoint(one, public.url)
        servers.add_endpoint(one, internal.url, "internal")
        servers.add_endpoint(two, other.url)
        may("region by OS_REGION_NAME", place, key, owner.environment(OS_REGION_NAME=two))
        check("  and is taken", (len(public.requests), len(internal.requests), len(other.requests)) == (0, 0, 1))
        config = place.configure(f"barbican_region_name = {one}\nbarbican_endpoint_type = internal", "region.conf")
        nowhere = owner.environment(OS_REGION_NAME="")
        may("region and interface by the configuration", place, key, nowhere, config=config)
        check("  and is taken", (len(public.requests), len(internal.requests), len(other.requests)) == (0, 1, 1))
        may("interface by OS_INTERFACE", place, key, {**nowhere, "OS_INTERFACE": "public"}, config=config)
        check("  and is taken", (len(public.requests), len(internal.requests), len(other.requests)) == (1, 1, 1))
        may_not("none of several regions", place, key, nowhere, f"several regions: .*{one}.*choose one by OS_REGION_NAME", USAGE)
        may_not("a region that is not there", place, key, owner.environment(OS_REGION_NAME="nowhere"),
                f"region nowhere .*RegionOne/public.*{one}/public", UNREACHABLE)
        may_not("an interface that is not there", place, key, owner.environment(OS_REGION_NAME=two, OS_INTERFACE="admin"),
                f"interface admin, but .*{two}/public", UNREACHABLE)


def places(place, owner, key):
    """A Barbican that does not have the key says 404. Only that of the region which made it is believed."""
    servers = owner.servers
    other, twin = f"other-{uuid.uuid4().hex[:8]}", f"twin-{uuid.uuid4().hex[:8]}"
    gone = status(404, '{"code": 404, "title": "Not Found", "description": "Secret not found"}', "application/json")
    with Proxy(servers.barbican_port) as empty, Proxy(servers.barbican_port) as inside:
        servers.add_endpoint(other, empty.url)
        servers.add_endpoint(twin, inside.url, "internal")
        servers.add_endpoint(twin, servers.barbican_url)
        empty.fault = gone
        elsewhere = owner.environment(OS_REGION_NAME=other)
        refused("another region's 404", place.ask_one(elsewhere, f"fetch {key}"), UNREACHABLE, "nothing is known of it")
        refused("  nor is the key destroyed there", place.ask_one(elsewhere, f"destroy {key}"), UNREACHABLE, "nothing is known")
        override = owner.environment(OS_KEY_MANAGER_ENDPOINT_OVERRIDE=empty.url)
        refused("the same by its address", place.ask_one(override, f"fetch {key}"), UNREACHABLE, "nothing is known of it")
        refused("a reference without a place", place.ask_one(owner.environment(), f"fetch {uuid.uuid4()}"), UNREACHABLE)
        check("the key is still there", owner.may_read(key))
        made = place.ask_one(owner.environment(OS_REGION_NAME=twin), "create 1 512").ids[0]
        names = [place.ask_one(owner.environment(OS_REGION_NAME=twin, **more), "place").words for more in (
            {}, {"OS_INTERFACE": "internal"}, {"OS_KEY_MANAGER_ENDPOINT_OVERRIDE": f"{inside.url}/v1/"})]
        check("all interfaces of a Barbican are one place", [made.split("/")[0]] in names and len(set(map(str, names))) == 1,
              names)
        inside.fault = gone
        refused("which is believed by each of them", place.ask_one(owner.environment(
            OS_REGION_NAME=twin, OS_INTERFACE="internal"), f"fetch {made}"), GONE, "gone for good")
        check("  and by none where it is", place.ask_one(owner.environment(OS_REGION_NAME=twin), f"destroy {made}").ok and
              own(made) not in owner.secrets())


def revoked_under_way(place, owner, key):
    """By a proxy, which knows the tokens. After a fetch the run's token is revoked."""
    servers = owner.servers
    with Proxy(servers.keystone_port) as keystone:
        with place.session(owner.environment(OS_AUTH_URL=keystone.url)) as session:
            check("a run begins", session.ask(f"fetch {key}").ok and len(keystone.tokens) == 1)
            servers.revoke(keystone.tokens[0])
            check("its token is revoked: it gets a second one, and goes on", session.ask(f"fetch {key}").ok)
            check("  and only one", len(keystone.tokens) == 2)
            check("  which it keeps", session.ask("list").ok and len(keystone.tokens) == 2)
            servers.revoke(keystone.tokens[1])
            check("that one is revoked too, having worked: it gets a third one", session.ask(f"fetch {key}").ok)
            check("  and only one", len(keystone.tokens) == 3, keystone.requests)
    with Proxy(servers.keystone_port) as keystone, Proxy(servers.barbican_port) as barbican:
        config = place.configure(f"barbican_endpoint = {barbican.url}", "refusing.conf")
        with place.session(owner.environment(OS_AUTH_URL=keystone.url), config=config) as session:
            barbican.fault = status(401, page("No"))
            refused("tokens that Barbican never takes", session.ask(f"fetch {key}"), DENIED, "has just given")
            check("  two are tried", len(keystone.tokens) == 2, keystone.requests)


def expired(place, owner, key):
    """As above, with a Keystone whose tokens live for 2 seconds. This spoils the servers for other tests."""
    servers = owner.servers
    servers.down("keystone")
    path = f"{servers.folder}/keystone.conf"
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"(?m)^expiration = .*", "expiration = 2", file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    servers.up(2)
    given = {"OS_AUTH_URL": servers.auth_url, "OS_TOKEN": owner.login()}
    time.sleep(3)
    may_not("OS_TOKEN that has expired", place, key, given, "expired or was revoked; get a fresh one")
    with place.session(owner.environment()) as session:
        session.ask("list")  # its answer, and how many tokens it takes, depend on how fast this machine is
        servers.requests()
        time.sleep(3)
        session.ask(f"fetch {key}")
        asked = servers.requests()
        check("a token that expires under way is renewed", "POST /v3/auth/tokens 201" in asked, asked)


def main():
    source, *programs = sys.argv[1:4]
    with Servers(source) as servers, Place(servers, programs) as place:
        owner = servers.new_user()
        key = place.ask_one(owner.environment(), "create 1 512").ids[0]
        for test in (password, application_credential, token, clouds_yaml, host, host_application_credential, catalog,
                     places, revoked_under_way):
            test(place, owner, key)
        if servers.mine:
            expired(place, owner, key)


main()
