#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/cli-memory.py FAKE-MAYFLY: verbs that only look, over the host in memory. Each of their calls for memory gets none once:
whoever needed it says so, and nobody prints half."""
import subprocess
import sys
import tempfile
from pathlib import Path

PREPARED = """
launch ci --count 2 --root 1G --ephemeral 2G,fs=xfs --swap 1G --network default
add-disks --uuid 44444444-0000-4000-8000-000000000000 --root 1G
rescue ci-1 --image i.qcow2
@domain web 11111111-0000-4000-8000-000000000000
@key 33333333-0000-4000-8000-000000000000
"""
LOOKING = """
list
show ci-1
key list
key show ci-1
recover --dry-run
metrics
bench --dry-run
bench --rounds 1 --runtime 1 --job read-4k-qd1
launch more --root 1G --dry-run
add-disks web --root 1G --dry-run
export ci-2 /img/e --dry-run
wait ci-1 --state running
open ci-1
delete --yes nobody
"""


def main():
    prepared, looking = PREPARED.split("\n")[1:-1], LOOKING.split("\n")[1:-1]
    commands = prepared + [f"@memory {line}{json}" for line in looking for json in ("", " --json")]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], input="\n".join(commands) + "\n", text=True, check=True)
        failed = 0
        for number, command in enumerate(commands, 1):
            if command.startswith("@memory"):
                told = (Path(folder) / f"{number:03}.out").read_text().strip()
                print(f"{command[8:]}: {told}")
                failed += not told.endswith("all told")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
