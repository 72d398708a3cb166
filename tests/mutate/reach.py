# SPDX-License-Identifier: Apache-2.0
"""Which tests reach which line: each test is run alone over programs that count."""

import gzip
import hashlib
import json
import os
import resource
import subprocess

import counted
import patience
import workbench

CACHE = os.path.join(workbench.SOURCE, "build", "mutate", "reach.json.gz")
LEFT_OUT = (
    "barbican-",         # brings servers up, for minutes
    "matrix",            # its scenarios are tests of their own here
    "installed", "interface-version", "postrm", "completion", "broker-libraries", "units",  # not about what a line of C does
)
LIMIT_SEC = 900


def _fingerprint():
    digest = hashlib.sha256()
    for name in workbench.source_files("src", "tests/unit", "tests/fake", "tests/fuzz"):
        with open(os.path.join(workbench.SOURCE, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read() + b"\0")
    return digest.hexdigest()


def _tests(bench):
    """Names: of meson's tests, and of the matrix's scenarios."""
    matrix = bench.path(f"{counted.BUILD}/{workbench.MATRIX}")
    scenarios = subprocess.run([matrix, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    return [name for name in bench.tests(counted.BUILD) if not name.startswith(LEFT_OUT)] + \
        [workbench.SCENARIO + name for name in scenarios if name]


def _cpu_sec():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _look_at(bench, test, programs):
    """(seconds of processor time, {file: lines}) of one test; None instead of the lines if it does not pass."""
    counted.forget(bench.folder)
    begin = _cpu_sec()
    argv, environment = bench.command(test, counted.BUILD)
    status, _ = patience.run(argv, bench.path(counted.BUILD), LIMIT_SEC, environment)
    seconds = _cpu_sec() - begin
    if status:
        return seconds, None
    files = [bench.path(counted.BUILD + "/" + file) for file in bench.needs(test, counted.BUILD)]
    reached = counted.read(bench.folder, [file for file in files if file in programs])
    return seconds, {name: file.reached() for name, file in reached.items() if name.startswith("src/")}


def _cached(fingerprint):
    """What was found out of these sources; a run that was interrupted goes on."""
    if os.path.exists(CACHE):
        with gzip.open(CACHE, "rt") as file:
            known = json.load(file)
        if known["fingerprint"] == fingerprint:
            return known
    return {"fingerprint": fingerprint, "seconds": {}, "lines": {}}


def _keep(known):
    os.makedirs(os.path.dirname(CACHE), exist_ok=True)
    with gzip.open(CACHE + ".new", "wt", compresslevel=1) as file:
        json.dump(known, file)
    os.rename(CACHE + ".new", CACHE)


def look(bench, say, with_matrix=True):
    """{"seconds": {test: time}, "lines": {file: {line: [tests]}}}. A test that does not pass, or is skipped, is in no
    list."""
    known = _cached(_fingerprint())
    counted.build(bench.folder)
    programs = set(counted.programs(bench.folder).values())
    for test in _tests(bench):
        if test in known["seconds"] or (test.startswith(workbench.SCENARIO) and not with_matrix):
            continue
        known["seconds"][test], reached = _look_at(bench, test, programs)
        say(f"{known['seconds'][test]:5.1f} s  {test}" + ("" if reached is not None else ": does not pass, left out"))
        for name, numbers in (reached or {}).items():
            for number in numbers:
                known["lines"].setdefault(name, {}).setdefault(str(number), []).append(test)
        _keep(known)
    return known
