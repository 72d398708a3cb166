# SPDX-License-Identifier: Apache-2.0
"""Real Keystone and Barbican servers, and what their users and their administrator do with them besides Mayfly.

MAYFLY_OPENSTACK=FOLDER takes servers that lab/openstack/up FOLDER has started already, and leaves them up.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab/openstack"))
from people import password_of, project_of

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever the environment says


def http(method, url, token=None, body=None, **headers):
    """The answer's body, read as JSON, if there is one, and its headers."""
    headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    if token:
        headers["X-Auth-Token"] = token
    data = json.dumps(body).encode() if body is not None else None
    with OPENER.open(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
        text = answer.read()
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return json.loads(text) if text and is_json else text, answer.headers


class Servers:
    def __init__(self, source, token_seconds=3600):
        self.source = source
        self.mine = None if os.environ.get("MAYFLY_OPENSTACK") else tempfile.TemporaryDirectory()
        self.folder = self.mine.name if self.mine else os.environ["MAYFLY_OPENSTACK"]
        if self.mine:
            self.up(token_seconds)
        with open(f"{self.folder}/env", encoding="utf-8") as file:
            self.settings = dict(re.findall(r"([A-Z_]+)=(\S+)", file.read()))
        self.auth_url = self.settings["OS_AUTH_URL"]
        self.keystone_port, self.barbican_port = (int(self.settings[f"{n}_PORT"]) for n in ("KEYSTONE", "BARBICAN"))
        self.barbican_url = f"http://127.0.0.1:{self.barbican_port}"
        self.admin = self.user("admin")
        self.regions = set()  # made here

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.mine:
            self.down()
            self.mine.cleanup()

    def up(self, token_seconds):
        subprocess.run([f"{self.source}/lab/openstack/up", self.folder, str(token_seconds)], check=True)

    def down(self, *names):
        subprocess.run([f"{self.source}/lab/openstack/down", self.folder, *names], check=True)

    def user(self, name):
        """One of lab/openstack/people.py."""
        return User(self, name, password_of(name), project_of(name))

    def new_user(self):
        """An owner of secrets in a project of his own, where nobody else counts."""
        name, password = f"tenant-{uuid.uuid4().hex[:12]}", f"pw-{uuid.uuid4().hex}{uuid.uuid4().hex}"
        project = self.ask("POST", "/projects", {"project": {"name": name, "domain_id": "default"}})["project"]["id"]
        made = {"name": name, "domain_id": "default", "password": password}
        user = self.ask("POST", "/users", {"user": made})["user"]["id"]
        for role in self.ask("GET", "/roles")["roles"]:
            if role["name"] in ("member", "creator"):
                self.ask("PUT", f"/projects/{project}/users/{user}/roles/{role['id']}")
        return User(self, name, password, name)

    def add_endpoint(self, region, url, interface="public"):
        """One more place where the catalog says that Barbican is."""
        service = self.ask("GET", "/services?type=key-manager")["services"][0]["id"]
        if region not in self.regions:
            self.ask("PUT", f"/regions/{region}", {"region": {}})
            self.regions.add(region)
        made = {"service_id": service, "interface": interface, "region_id": region, "url": url}
        self.ask("POST", "/endpoints", {"endpoint": made})

    def ask(self, method, path, body=None, **headers):
        """Keystone, as its administrator."""
        return http(method, self.auth_url + path, self.admin.token, body, **headers)[0]

    def revoke(self, token):
        self.ask("DELETE", "/auth/tokens", **{"X-Subject-Token": token})

    def requests(self):
        """What Mayfly asked since the last call: `METHOD PATH STATUS` each."""
        path = f"{self.folder}/requests"
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        open(path, "w", encoding="utf-8").close()
        return lines


class User:
    """Somebody whom Keystone knows, and his project's secrets as he sees them himself."""

    def __init__(self, servers, name, password, project):
        self.servers, self.name, self.password, self.project = servers, name, password, project
        self.id = self.known_token = None

    @property
    def token(self):
        self.known_token = self.known_token or self.login()
        return self.known_token

    def login(self):
        """A new token."""
        domain = {"name": "Default"}
        who = {"name": self.name, "domain": domain, "password": self.password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}},
                         "scope": {"project": {"name": self.project, "domain": domain}}}}
        answer, headers = http("POST", f"{self.servers.auth_url}/auth/tokens", body=body)
        self.id = answer["token"]["user"]["id"]
        return headers["X-Subject-Token"]

    def environment(self, **more):
        """As an openrc file sets it."""
        return {"OS_AUTH_URL": self.servers.auth_url, "OS_USERNAME": self.name, "OS_PASSWORD": self.password,
                "OS_PROJECT_NAME": self.project, "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne", **more}

    def barbican(self, method, path, body=None, **headers):
        return http(method, f"{self.servers.barbican_url}/v1{path}", self.token, body, **headers)[0]

    def secrets(self):
        """The ids of all secrets of the project, sorted."""
        answer = self.barbican("GET", "/secrets?limit=100")
        assert answer["total"] <= 100
        return sorted(secret["secret_ref"].rsplit("/", 1)[1] for secret in answer["secrets"])

    def make_secret(self):
        body = {"name": "made-by-hand", "algorithm": "AES", "mode": "xts", "bit_length": 512, "secret_type": "symmetric",
                "payload_content_type": "application/octet-stream", "payload_content_encoding": "base64",
                "payload": base64.b64encode(os.urandom(64)).decode()}
        return self.barbican("POST", "/secrets", body)["secret_ref"].rsplit("/", 1)[1]

    def payload(self, secret):
        return self.barbican("GET", f"/secrets/{secret.rsplit('/', 1)[-1]}/payload", Accept="application/octet-stream")

    def may_read(self, secret):
        try:
            return bool(self.payload(secret))
        except urllib.error.HTTPError as error:
            assert error.code == 403
            return False
