#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/transcript.py [--write] TRANSCRIPT FAKE-MAYFLY: all that the verbs say to a person, against a transcript.

The commands are those of output.py, without --json and with -v, over the same host in memory; then all again with --json, for
the values of their fields. TRANSCRIPT has what each printed (after "|"), what it said on standard error (after "!") and
its exit status. Whoever changes a sentence on purpose makes the transcript anew by --write, and reads the difference.
"""
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import output
from output import ORPHAN, WEB

# What these find depends on the machine.
OTHERS = ("doctor", "bench", "metrics")
SPREAD = ("list", "show", "key list", "key show", "recover")  # a field a line; others are one line
# What options say, and what is refused before anything is done. Files are those of FILES, in the working directory.
MORE = f"""
launch m-1 --root 1G --memory 2G --vcpus 2 --ssh-key ssh.pub --user-data user-data --hostname host --ephemeral 1G
launch m-2 --root 1G --ssh-key none --domain-xml domain.xml --domain-xml domain.xml --no-start
launch m-3 --root 1G --firmware bios --autostart --ephemeral 1G,fs=vfat,name=data --swap 64M,name=s
launch m-4 --root 1G --vcpus 0
launch m-4 --root 1G --vcpus 1025
launch m-4 --root 1G --memory lots
launch m-4 --root 1G --count 0
launch m-4 --root 1G --ephemeral 1G,fs=btrfs
launch m-4 --root 1G --ephemeral 1G,nothing
launch m-4 --root 1G --swap 1G,fs=ext4
launch m-4 --root 1G{" --ephemeral 1G" * 17}
launch m-4 --root 1G --key-owner nobody
launch m-4 --root 1G --key-owner caller
launch m-4 --root 1G --firmware none
launch
launch m-4 m-5 --root 1G
launch m-4
launch m-4 --root 1G --ssh-key nowhere.pub
launch m-4 --root 1G --ssh-key empty
launch m-4 --root 1G --ssh-key ssh.pub
launch m-4 --root 1G --ssh-key user-data
launch m-4 --root 1G --ssh-key none --ssh-key ssh.pub
launch m-4 --root 1G --user-data nowhere
launch m-4 --root 1G --user-data empty
launch m-4 --root 1G --user-data large
launch m-4 --root 1G --user-data .
launch m-4 --domain-xml nowhere
launch m-4 --root
launch m-4 -x
launch --help
add-disk m-1 --ephemeral 1G --ephemeral 1G
add-disk m-1
add-disks --root 1G
add-disks --help
list --output help
list --output name,server,project
list --output name,nothing
list --output {",".join(["name"] * 20)}
list --volume-group vg0 --noheadings --bytes
list --volume-group vg9
list --state dancing
list --sort nothing
list -q
list one two three
show m-1
show m-3 m-1
console m-1 --json
console nobody
export m-1 /img/m.qcow2 --disk eph0 --room 64M
export m-1 /img/m.qcow2 --room none
export m-1 /img/plain.raw --plaintext --disk root
export m-1 /img/p.qcow2 --disk swap
key
key --help
key list m-1
key list m-1 m-2
key show m-1 m-2
key destroy local:1
key grant m-1 --user ~
adopt {WEB} --kdf none
adopt {WEB} --key-size 7
adopt {WEB} --key - --kdf nova-sha256
rescue m-1
rescue m-1 --image i.qcow2 --root 2G --timeout 5
rescue m-1 --image i.qcow2 --timeout soon
unrescue m-1
resize m-1 3G
resize m-1 +1G --disk eph0
resize m-1 +x --disk eph0
remove-disk m-1 eph0
remove-disk m-1 eph0 --timeout 5 --yes
remove-disk m-1 eph0 --timeout never --yes
delete m-1
rebuild m-1 m-2 --empty --dry-run
rebuild m-1 --empty
tune m-1 m-3 --dry-run
tune m-1 m-3 --dry-run --json
tune
set-engine m-1
set-engine m-1 user
set-engine m-1 qemu
start m-1 --all
start --all
stop m-1 --timeout 90000
close m-1
open m-1
stop m-2 --force --timeout 0
open m-2 --read-only --for-start
open m-2 --for-start
open m-2 --for-start
close m-2
start m-2
wait m-1 --state paused
list --token-fd 99
list --progress-fd x
list --os-cloud lab
start m-2 --progress-fd 2
resize m-2 2G --disk root --progress-fd 2
bench --size 1M
bench --size 32M --job nothing
bench --rounds 0
bench --rounds 1 --runtime 1 --job read-4k-qd1 --job write-128k --plot chart.svg
bench --rounds 1 --runtime 1 --job read-4k-qd1 --plot nowhere/chart.svg
hook m-1 prepare begin -
hook m-1 release end -
@libvirt gone
list
show m-1
show m-1 --json
doctor
start m-2
recover
@libvirt back
@keys gone
launch m-6 --root 1G
recover
doctor
@keys back
@key {ORPHAN}
@answer no
key destroy local:local/{ORPHAN}
recover -q
key list
@answer no
delete m-1 m-2
@answer no
remove-disk m-1 seed
@answer yes
remove-disk m-1 seed
@backend barbican
launch b --count 4 --root 1G --no-start
@asks theirs
delete --yes --leave-key b-1
delete --yes --leave-key b-2 --json
@keys gone
delete --yes --forget-key b-3
delete --yes --forget-key b-4 --json
@keys back
@asks ours
@backend local
@crash 14
launch cut --count 3 --root 1G
list
show cut-1
recover
@crash 3
delete --yes m-3
list
start m-3
recover
delete --yes m-1 m-2
--help
--version
"""
FILES = {
    "ssh.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2bXq9kq4Qp9o7m0pVn0e7s0l0g0a0b0c0d0e0f0g0h me@host\n",
    "user-data": "#cloud-config\npackages: [vim]\n",
    "domain.xml": "<domain type='kvm'><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>",
    "empty": "",
    "large": "#" * 300000,
}
CHANGING = [
    (re.compile(r"\d+\.\d+ s\b"), "TIME"),
    (re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?"), "DATE"),
    (re.compile(r'("(?:created|at|seconds|time|duration)[a-z_]*": )[0-9.]+'), r"\1TIME"),
    (re.compile(r"(as the disk was made; )[^|\"\n]*"), r"\1..."),
]


def tamed(text):
    for pattern, instead in CHANGING:
        text = pattern.sub(instead, text)
    return text


def run(fake, commands):
    """(command, status, output, what was said) of each."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        for name, text in FILES.items():
            (work / name).write_text(text)
        done = subprocess.run([os.path.abspath(fake), folder], input="\n".join(commands) + "\n", text=True, check=False, cwd=work,
                              env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, f"fake-mayfly ended with {done.returncode}"
        for number, command in enumerate(commands, 1):
            name = Path(folder) / f"{number:03}"
            if command.startswith("@"):
                yield command, 0, "", ""
            else:
                yield (command, int(name.with_suffix(".status").read_text()), name.with_suffix(".out").read_text(),
                       name.with_suffix(".err").read_text())


def told(fake, commands):
    for command, status, text, said in run(fake, commands):
        yield f"$ {command}" + (f"   # {status}" if status else "")
        if command.startswith(OTHERS):
            yield from (f"| {line}" for line in text.splitlines() if line.startswith("QEMU's LUKS"))
            continue
        if command.endswith("--json") and text:
            text = json.dumps(json.loads(text), indent=1 if command.startswith(SPREAD) else None, ensure_ascii=False)
        for mark, lines in (("|", text), ("!", said)):
            yield from (f"{mark} {line}".rstrip() for line in tamed(lines).splitlines())


def main():
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    transcript, fake = Path(arguments[0]), arguments[1]
    lines = [line for line in output.SCRIPT.splitlines() if line]
    commands = [line if line.startswith("@") else line.split(" ", 1)[1] for line in lines]
    spoken = [c if c.startswith("@") else c + " -v" for c in commands]
    in_json = [c if c.startswith("@") else c + " --json" for c in commands]
    now = [*told(fake, spoken), "", *told(fake, in_json), "", *told(fake, MORE.strip().splitlines())]
    if "--write" in sys.argv:
        transcript.write_text("\n".join(now) + "\n")
        return 0
    difference = list(difflib.unified_diff(transcript.read_text().splitlines(), now, str(transcript), "now", lineterm=""))
    print("\n".join(difference))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
