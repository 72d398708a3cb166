#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/output.py SCHEMA SRC FAKE-MAYFLY: every verb's document, and its errors, against the schema.

All verbs run over a host in memory (tests/fake/fake-mayfly.c). A document with a field that the schema does not have is
refused here, although programs have to let such a one pass. What the schema lists is compared with the tables of SRC.
"""
import copy
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

WEB = "11111111-0000-4000-8000-000000000000"
ORPHAN = "33333333-0000-4000-8000-000000000000"
APART = "44444444-0000-4000-8000-000000000000"
NOVA = "22222222-0000-4000-8000-000000000000"

# Exit status, command. Each gets --json.
SCRIPT = f"""
0 launch ci --count 2 --root 1G --ephemeral 2G,fs=xfs --swap 1G --image i.qcow2 --dry-run
0 launch ci --count 2 --root 1G --ephemeral 2G,fs=xfs --swap 1G --image i.qcow2 --network default
5 launch ci-1 --root 1G
1 launch ci --root nothing
0 list
0 list ci-* --state running --sort -size
4 list nobody
1 list --output name
0 show ci-1
4 show nobody
1 console ci-1
0 start ci-1 ci-2
0 stop --all --timeout 0 --force
0 start --all
0 reboot --all --hard
0 stop ci-1 ci-2
0 wait ci-1 ci-2 --state stopped
5 wait ci-1 --state running --timeout 0
4 wait nobody --state running
1 wait ci-1
0 start --all
0 wait ci-1 --state running
1 stop
1 stop --all ci-1
4 start ci-1 nobody nobody-else
0 reboot ci-1
0 reboot ci-1 --hard
0 resize ci-1 3G --disk eph0 --dry-run
0 resize ci-1 3G --disk eph0
0 resize ci-1 3G --disk eph0
8 resize ci-1 1G --disk eph0
0 tune ci-1 --dry-run
0 tune --all
5 set-engine ci-1 user
1 set-engine ci-1 qemu
0 stop ci-1 --timeout 0 --force
0 set-engine ci-1 user --dry-run
0 set-engine ci-1 user
0 set-engine ci-1 user
0 start ci-1
0 show ci-1
0 stop ci-1 --timeout 0 --force
0 set-engine ci-1 dm-crypt
0 start ci-1
0 add-disk ci-1 --ephemeral 1G --dry-run
0 add-disk ci-1 --ephemeral 1G
0 remove-disk ci-1 eph1 --yes --dry-run
0 remove-disk ci-1 eph1 --yes
4 remove-disk ci-1 eph1 --yes
1 remove-disk ci-1 root --yes
0 rescue ci-1 --image i.qcow2 --dry-run
0 rescue ci-1 --image i.qcow2
0 show ci-1
0 unrescue ci-1 ci-2
0 rebuild ci-1 --yes --empty --dry-run
0 rebuild ci-1 ci-2 --yes --empty
0 stop ci-1 ci-2 --timeout 0 --force
0 rebuild ci-1 --yes --empty --dry-run
0 open ci-1 --read-only
0 show ci-1
0 open ci-1
0 show ci-1
0 close ci-1
4 add-disk ci-1 --seed-image /nowhere
1 add-disk ci-1 --seed-image /dev/null
0 export ci-1 /img/e.qcow2 --dry-run
0 export ci-1 /img/e.qcow2
0 export ci-1 --output-fd 1 --plaintext --dry-run
1 export ci-1 --output-fd 1
1 export ci-1
1 export ci-1 /img/f --output-fd 1 --plaintext
0 key list
0 key show ci-1
4 key show local:nowhere/nothing
@key {ORPHAN}
0 key show local:local/{ORPHAN}
6 key destroy --yes local:local/{ORPHAN} local:nowhere/6f1e8a8e-0000-4000-8000-00000000dead
1 key grant ci-1
1 key
1 key nothing
@libvirt gone
0 list
10 start ci-1
@libvirt back
@keys gone
6 start ci-1
6 key list
@keys back
0 delete --yes ci-1 ci-2
4 delete --yes ci-1 nobody
0 launch batch --count 2 --root 1G --shared-key --no-start
0 delete --yes batch-1
0 delete --yes batch-2
@domain web {WEB}
0 add-disks web --root 1G --swap 1G --dry-run
0 add-disks web --root 1G --swap 1G
0 show web
0 list web
5 add-disks web --root 1G
0 delete --yes web
0 add-disks --uuid {APART} --root 1G,name=disk --ephemeral 1G,fs=xfs,name=disk.eph0
0 add-disks --uuid {APART} --root 1G,name=disk --ephemeral 1G,fs=xfs,name=disk.eph0
5 add-disks --uuid {APART} --root 2G
1 add-disks --uuid web --root 2G
0 open {APART}
0 close {APART}
0 resize {APART} 2G --disk disk
0 delete --yes {APART}
@nova {NOVA}
0 add-disks --uuid {APART} --root 1G --key barbican:{NOVA} --key-owner caller
8 key destroy --yes barbican:{NOVA}
0 delete --yes {APART}
0 adopt {NOVA} --key barbican:{NOVA} --kdf nova-ripemd160 --key-size 512 --dry-run
0 adopt {NOVA} --key barbican:{NOVA} --kdf nova-ripemd160 --key-size 512
0 adopt {NOVA} --key barbican:{NOVA} --kdf nova-ripemd160 --key-size 512
1 adopt {NOVA}
1 adopt {NOVA} --key - --kdf nova-ripemd160 --key-size 512
1 key grant {NOVA}
0 delete --yes {NOVA}
0 recover
@crash 10
9 launch cut --root 1G
@key {ORPHAN}
0 recover --dry-run
0 recover
0 bench --dry-run
0 bench --rounds 1 --runtime 1
0 doctor
0 metrics
0 metrics --quick
0 hook web started begin -
1 hook web
1 list --bogus
1 nothing
"""


def strict(schema):
    """The same schema, but no object has other fields than those that it names."""
    schema = copy.deepcopy(schema)
    for part in schema["$defs"].values():
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)


def script(folder, fake):
    """Runs it all; yields command, wanted status, status, document, what was said."""
    lines = [line for line in SCRIPT.splitlines() if line]
    commands, wanted = [], {}
    for number, line in enumerate(lines, 1):
        if line.startswith("@"):
            commands.append(line)
            continue
        status, command = line.split(" ", 1)
        wanted[number] = (int(status), command)
        commands.append(command + " --json")
    done = subprocess.run([fake, folder], input="\n".join(commands) + "\n", text=True, check=False)
    assert done.returncode == 0, f"fake-mayfly ended with {done.returncode}"
    for number, (status, command) in wanted.items():
        name = Path(folder) / f"{number:03}"
        yield (command, status, int(name.with_suffix(".status").read_text()),
               name.with_suffix(".out").read_text(), name.with_suffix(".err").read_text())


def names(thing, key="properties"):
    """All names of fields in a schema; or, with key None, in a document."""
    if isinstance(thing, list):
        return set().union(*[names(one, key) for one in thing]) if thing else set()
    if not isinstance(thing, dict):
        return set()
    own = set(thing.get(key, {})) if key else set(thing)
    return own | set().union(*[names(one, key) for one in thing.values()]) if thing else own


def disks(thing):
    """All disks in a document."""
    if isinstance(thing, dict):
        own = [thing] if {"role", "volume_group", "size_bytes"} <= set(thing) else []
        return own + [disk for one in thing.values() for disk in disks(one)]
    return [disk for one in thing for disk in disks(one)] if isinstance(thing, list) else []


def rows(source, table, pattern):
    """What the rows of a table of src name."""
    return re.findall(pattern, (Path(source) / table).read_text(), re.M)


def odd(some, others):
    """What is not as often in the one list as in the other."""
    return sorted(one for one in {*some, *others} if some.count(one) != others.count(one))


def differences(schema, verbs, file_systems):
    """Where the schema has others than the code has, or a verb without one form of its document."""
    listed = schema["properties"]["verb"]["enum"]
    formed = [verb for form in schema["allOf"] for verb in form["if"].get("properties", {"verb": {"enum": []}})["verb"]["enum"]]
    made = schema["$defs"]["disk"]["properties"]["file_system"]["enum"]
    yield from (f"is verb {verb} in it, and in verbs.def?" for verb in odd(listed, verbs))
    yield from (f"what form has the document of {verb}?" for verb in odd(formed, listed))
    yield from (f"is file system {fs} in it, and in file-systems.def?" for fs in odd(made, file_systems))


# What no run of this script brings about.
UNSEEN = {"doubt", "incomplete", "tpm_state"}


def main():
    schema = json.loads(Path(sys.argv[1]).read_text())
    verbs = set(rows(sys.argv[2], "cli/verbs.def", r'^VERB\(\w+, "([a-z-]+)"'))
    verbs |= {"key list", "key show", "key destroy", "key grant"}
    jsonschema.Draft202012Validator.check_schema(schema)
    validator, failed, seen, fields, scopes = strict(schema), 0, set(), set(), set()
    for difference in differences(schema, sorted(verbs), rows(sys.argv[2], "storage/file-systems.def", r"^[A-Z_]+\((\w+),")):
        print(f"FAILED: the schema: {difference}")
        failed += 1
    of_disks = {f"{name} of a disk" for name in schema["$defs"]["disk"]["properties"]}
    with tempfile.TemporaryDirectory() as folder:
        for command, wanted, status, text, said in script(folder, sys.argv[3]):
            try:
                document = json.loads(text)
                assert status == wanted, f"it ended with {status}, not {wanted}"
                error = document.get("error", {})
                assert error.get("status", 0) == status, "its error has another status"
                assert not error or said.endswith(f"mayfly: {error['text']}\n"), "standard error says something else"
                validator.validate(document)
                seen.add(document.get("verb"))
                fields |= names(document, None)
                for disk in disks(document):
                    fields |= {f"{name} of a disk" for name in disk}
                    scopes.add(disk.get("key_scope"))
                print("ok:", command)
            except (AssertionError, ValueError, jsonschema.ValidationError) as why:
                failed += 1
                where = "/".join(map(str, getattr(why, "absolute_path", [])))
                print(f"FAILED: {command}: {getattr(why, 'message', why)} at '{where}' in\n{text}\n{said}")
            else:
                failed += not notices(validator, document)
    for scope in set(schema["$defs"]["disk"]["properties"]["key_scope"]["enum"]) - scopes:
        print(f"FAILED: no disk had a key of the scope {scope}")
        failed += 1
    for field in sorted((names(schema) | of_disks) - fields - UNSEEN):
        print(f"FAILED: no document had a field {field}")
        failed += 1
    for verb in sorted(verbs - seen):
        print(f"FAILED: no document of {verb} was looked at")
        failed += 1
    sys.exit(failed != 0)


def notices(validator, document):
    """Does the schema notice an unknown field, and one that is missing?"""
    for change in ({**document, "unknown": 1}, {k: v for k, v in document.items() if k != "version"}):
        if validator.is_valid(change):
            print(f"FAILED: the schema takes {json.dumps(change)}")
            return False
    return True


if __name__ == "__main__":
    main()
