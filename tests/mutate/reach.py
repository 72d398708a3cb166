# SPDX-License-Identifier: Apache-2.0
"""Which tests reach which line: each test is run alone over programs that count, by gcov."""

import glob
import gzip
import hashlib
import json
import os
import subprocess
import time

import workbench

COUNTED = "build-coverage"
SETUP = ["-Db_coverage=true", "-Doptimization=0", "-Dwerror=false"]
CACHE = os.path.join(workbench.SOURCE, "build", "mutate", "reach.json.gz")


def _fingerprint():
    digest = hashlib.sha256()
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "tests", "meson.build"],
                           cwd=workbench.SOURCE, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    for name in sorted(filter(None, names)):
        path = os.path.join(workbench.SOURCE, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(name.encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def _counts(bench):
    return glob.glob(bench.path(COUNTED) + "/**/*.gcda", recursive=True)


def _drop_counts(bench):
    for path in _counts(bench):
        os.unlink(path)


def _reached(bench):
    """{file: set of lines} that were run since the counts were dropped."""
    reached, paths = {}, _counts(bench)
    for at in range(0, len(paths), 100):
        output = subprocess.run(["gcov", "--json-format", "--stdout", *paths[at:at + 100]], cwd=bench.path(COUNTED),
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        for document in filter(None, output.split("\n")):
            for file in json.loads(document)["files"]:
                name = os.path.relpath(os.path.join(bench.path(COUNTED), file["file"]), bench.folder)
                lines = [line["line_number"] for line in file["lines"] if line["count"]]
                reached.setdefault(name, set()).update(lines)
    return reached


def look(bench, say):
    """{"seconds": {test: time}, "lines": {file: {line: [tests]}}}; from the cache if nothing has changed."""
    wanted = _fingerprint()
    if os.path.exists(CACHE):
        with gzip.open(CACHE, "rt") as file:
            known = json.load(file)
        if known["fingerprint"] == wanted:
            return known
    bench.set_up(COUNTED, SETUP)
    bench.build_all(COUNTED)
    seconds, lines = {}, {}
    for test in bench.tests(COUNTED):
        _drop_counts(bench)
        begin = time.monotonic()
        status, _ = workbench.call(["meson", "test", "-C", COUNTED, "--no-rebuild", "--timeout-multiplier", "10", test],
                                   bench.folder)
        seconds[test] = time.monotonic() - begin
        say(f"{'reached by' if status == 0 else 'FAILS without a mutant:'} {test} ({seconds[test]:.0f} s)")
        if status == 0:
            for name, numbers in _reached(bench).items():
                for number in numbers:
                    lines.setdefault(name, {}).setdefault(str(number), []).append(test)
    known = {"fingerprint": wanted, "seconds": seconds, "lines": lines}
    os.makedirs(os.path.dirname(CACHE), exist_ok=True)
    with gzip.open(CACHE, "wt") as file:
        json.dump(known, file)
    return known
