#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/metrics.py FAKE-MAYFLY: what `mayfly metrics` prints, read by the parser of OpenMetrics that Prometheus has."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

FAKE = sys.argv[1]
ORPHAN = "33333333-0000-4000-8000-000000000000"
failed = 0


def check(what, condition, detail=""):
    global failed
    print("ok:" if condition else "FAILED:", what, "" if condition else detail)
    failed += not condition


def run(folder, script):
    """Output and status of each command, by its line."""
    subprocess.run([FAKE, folder], input="\n".join(script) + "\n", text=True, check=True)
    return {line: (Path(folder, f"{n:03}.out").read_text(), int(Path(folder, f"{n:03}.status").read_text()),
                   Path(folder, f"{n:03}.err").read_text())
            for n, line in enumerate(script, 1) if not line.startswith("@")}


def read(text):
    return {(sample.name, *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def main():
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "mayfly.prom")
        target.write_text("old\n")
        done = run(folder, ["metrics -q", "launch a --root 1G --swap 1G", "launch b --root 1G --no-start", f"@key {ORPHAN}",
                            "@libvirt gone", "metrics --quick", "@libvirt back", "recover", f"@key {ORPHAN}", "metrics", f"metrics --output {target}",
                            f"metrics --output {folder}/nowhere/mayfly.prom", "@keys gone", "metrics --json"])
        empty, full = read(done["metrics -q"][0]), read(done["metrics"][0])
        check("an empty host has no instance", empty["mayfly_instances", ("state", "running")] == 0)
        check("each figure is described", all(family.documentation for family in text_string_to_metric_families(done["metrics"][0])))
        check("no recover has run yet", not any("recover" in name[0] for name in empty))
        check("one runs, one is shut off", full["mayfly_instances", ("state", "running")] == 1
              and full["mayfly_instances", ("state", "shut off")] == 1, full)
        check("two keys are used, one is not", full["mayfly_keys", ("manager", "local"), ("state", "used")] == 2
              and full["mayfly_keys", ("manager", "local"), ("state", "unused")] == 1, full)
        room = full["mayfly_volume_group_size_bytes", ("volume_group", "vg0")] - full["mayfly_volume_group_free_bytes", ("volume_group", "vg0")]
        check("three disks take their room", room == 3 << 30, room)
        check("the last recover is told", full["mayfly_recover_last_status",] == 0 and full["mayfly_recover_last_timestamp_seconds",] > 0)
        check("libvirt that is away is a figure", read(done["metrics --quick"][0])["mayfly_libvirt_up",] == 0)
        check("a file is replaced, and standard output is empty", read(target.read_text()) == full and done[f"metrics --output {target}"][0] == "")
        check("  all may read it", os.stat(target).st_mode & 0o777 == 0o644)
        text, status, said = done[f"metrics --output {folder}/nowhere/mayfly.prom"]
        check("a file that cannot be written is an error", status == 4 and "cannot be written: No such file" in said and text == "", said)
        check("a key manager that is away is a figure", '"name": "mayfly_key_manager_listed"' in done["metrics --json"][0] and done["metrics --json"][1] == 0)
        check("no other file is left", sorted(p.name for p in Path(folder).iterdir() if p.suffix not in (".out", ".err", ".status")) == ["mayfly.prom"])
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "mayfly.prom")
        target.write_text("old\n")
        done = run(folder, ["@crash 1", f"metrics --output {target}"])
        check("without figures the file stays as it was", target.read_text() == "old\n" and done[f"metrics --output {target}"][1] != 0)
    sys.exit(failed != 0)


main()
