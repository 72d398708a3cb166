#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/openstacksdk.py PROBE: environments and files as people have them, read by Mayfly and by the openstack command.

openstacksdk.json has for each case what the openstack command (python3-openstackclient, with openstacksdk) makes of it:
`sdk`. Mayfly must come to the same, or refuse what `refused` says of it: a setting that it cannot obey, or one that the
openstack command passes over in silence. A case in which the openstack command fails says only what Mayfly does.

tests/unit/openstacksdk.py --write asks the real one, where it is installed, and notes its answers.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openstacksdk.json")


def named(auth, what):
    domain = f"{what}_domain" if what == "user" else "project_domain"
    name = auth.get("username" if what == "user" else "project_name")
    if auth.get(f"{what}_id"):
        return f"id {auth[f'{what}_id']}"
    if not name:
        return None
    kind = "id" if auth.get(f"{domain}_id") else "name"
    return f"name {name} of {kind} {auth.get(f'{domain}_{kind}') or ''}"


def real():
    """What the openstack command would log in with; in the environment and folder of a case."""
    from openstackclient import shell
    from osc_lib.cli import client_config
    osc = shell.OpenStackShell()
    osc.options = osc.parser.parse_args([])
    osc._final_defaults()
    config = client_config.OSC_Config(override_defaults={"interface": None, "auth_type": osc._auth_type})
    cloud = config.get_one(cloud=osc.options.cloud, argparse=osc.options, validate=True)
    auth, kind = cloud.config["auth"], cloud.config["auth_type"].removeprefix("v3")
    kind = {"applicationcredential": "application_credential"}.get(kind, kind)
    verify, _ = cloud.get_requests_verify_args()
    said = {
        "auth": kind, "auth_url": auth.get("auth_url", "").rstrip("/").removesuffix("/v3") + "/v3",
        "secret": auth.get({"password": "password", "token": "token"}.get(kind, "application_credential_secret")),
        "region": cloud.get_region_name("key-manager") or "", "interface": cloud.get_interface("key-manager") or "",
        "cacert": verify if isinstance(verify, str) else "", "verify": bool(verify),
        "override": cloud.config.get("key_manager_endpoint_override") or ""}
    if kind == "application_credential":
        said["user"] = f"id {auth['application_credential_id']}"
    else:
        said.update({what: named(auth, what) for what in ("user", "project") if named(auth, what)})
    return said


class Case:
    """In a folder of its own: `home` is HOME, `here` the working folder. @ stands for the folder."""

    def __init__(self, case):
        self.case = case

    def run(self, *argv):
        with tempfile.TemporaryDirectory() as folder:
            folder = os.path.realpath(folder)
            for path in ("home", "here"):
                os.mkdir(f"{folder}/{path}")
            for path, text in self.case.get("files", {}).items():
                os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
                with open(f"{folder}/{path}", "w", encoding="utf-8") as file:
                    file.write("\n".join(text) + "\n")
            values = {name: value.replace("@", folder) for name, value in self.case["environment"].items()}
            ran = subprocess.run(argv, cwd=f"{folder}/here", env={"HOME": f"{folder}/home", **values}, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            if "Sanitizer" in ran.stderr or "runtime error" in ran.stderr:
                sys.exit(ran.stderr)
            return ran.stdout.replace(folder, "@"), ran.stderr

    def ask_sdk(self):
        out, err = self.run("/usr/bin/python3", os.path.abspath(__file__), "--real")
        return json.loads(out) if out else {"error": err.strip().rsplit("\n", 1)[-1].split(":", 1)[0]}

    def check(self, probe):
        out, _ = self.run(probe)
        said = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        wanted = dict(self.case.get("sdk", {}))
        if "refused" in self.case:
            return out.startswith("refused: ") and re.search(self.case["refused"], out), out
        if "error" in wanted:
            wanted = {}
        elif not wanted.pop("verify"):
            return False, "openstacksdk would not check certificates"
        wanted.update(self.case.get("mayfly", {}))
        if wanted.get("cacert", "").startswith("@/home/"):  # as it was written; what counts is what was opened
            said["cacert"] = wanted["cacert"]
        wrong = {name: (value, said.get(name)) for name, value in wanted.items() if said.get(name, "") != value}
        return bool(said) and not wrong, f"{wrong} {out}"


def main():
    if sys.argv[1] == "--real":
        print(json.dumps(real()))
        return
    with open(TABLE, encoding="utf-8") as file:
        table = json.load(file)
    if sys.argv[1] == "--write":
        for case in table:
            case["sdk"] = Case(case).ask_sdk()
        with open(TABLE, "w", encoding="utf-8") as file:
            json.dump(table, file, indent=1)
            file.write("\n")
        return
    failed = 0
    for case in table:
        good, detail = Case(case).check(os.path.abspath(sys.argv[1]))
        failed += not good
        print(f"{'ok' if good else 'failed'}: {case['name']}{'' if good else ': ' + detail}")
    sys.exit(failed > 0)


main()
