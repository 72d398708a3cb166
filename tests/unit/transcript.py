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

# What these find depends on the machine.
OTHERS = ("doctor", "bench", "metrics")
SPREAD = ("list", "show", "key list", "key show", "recover")  # a field a line; others are one line
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
        done = subprocess.run([fake, folder], input="\n".join(commands) + "\n", text=True, check=False,
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
    now = [*told(fake, spoken), "", *told(fake, in_json)]
    if "--write" in sys.argv:
        transcript.write_text("\n".join(now) + "\n")
        return 0
    difference = list(difflib.unified_diff(transcript.read_text().splitlines(), now, str(transcript), "now", lineterm=""))
    print("\n".join(difference))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
