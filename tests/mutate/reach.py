# SPDX-License-Identifier: Apache-2.0
"""Which tests reach which line: each test is run alone over programs that count."""

import concurrent.futures
import functools
import glob
import hashlib
import json
import os
import re
import resource
import subprocess

import counted
import patience
import workbench

FOLDER = os.path.join(workbench.SOURCE, "build", "mutate")
KNOWN = os.path.join(FOLDER, "reach.jsonl")
LEFT_OUT = (
    "barbican-",         # brings servers up, for minutes
    "matrix",            # its scenarios are tests of their own here
    "installed", "interface-version", "postrm", "completion", "broker-libraries", "units",  # not about what a line of C does
)
LIMIT_SEC = 900


class Reach:
    """What each test reaches, and in how many seconds of the processor. A line of the file for each test, of which the
    last counts; a test is looked at again when what it runs was built anew."""

    def __init__(self, say):
        # A copy of its own: mutants, which come and go, would have all of it built anew.
        self._bench, self._say = workbench.Workbench(os.path.join(FOLDER, "reach"), isolated=True), say
        self.seconds, self._lines = {}, {}

    def look(self, with_matrix=True):
        """Of the tests without the lab."""
        counted.build(self._bench.folder)
        self._look_at_all(self._tests(with_matrix))

    def look_in_lab(self, jobs, names=None):
        """Of the tests that run in a lab, without servers of Barbican, or only of these; several side by side."""
        counted.build(self._bench.folder)
        counted.forget(self._bench.folder)
        self._look_at_all([test for test in self._lab_tests() if not names or os.path.basename(test) in names], jobs)

    def _look_at_all(self, tests, jobs=1):
        known = _read()
        programs = set(counted.programs(self._bench.folder).values())
        made = {test: self._made_of(test) for test in tests}  # before threads begin: it lends the lab's images

        def look_at(test):
            entry = known.get(test)
            return entry if entry and entry["made of"] == made[test] else self._look_at(test, made[test], programs)

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for entry in pool.map(look_at, made):
                if entry:
                    self._take(entry)

    def of(self, mutant):
        """The tests that reach it: first those that cost little and are about this file, rather than pass through it."""
        lines = self._lines.get(mutant.file, {})
        tests = lines.get(mutant.line, [])
        share = {test: sum(test in others for others in lines.values()) for test in tests}
        return sorted(tests, key=lambda test: (self.seconds[test] + 0.5) / share[test])

    def _take(self, entry):
        self.seconds[entry["test"]] = entry["seconds"]
        for name, numbers in entry["reached"].items():
            for number in numbers:
                self._lines.setdefault(name, {}).setdefault(number, []).append(entry["test"])

    def _tests(self, with_matrix):
        """Names: of meson's tests, and of the matrix's scenarios."""
        names = [name for name in self._bench.tests(counted.BUILD) if not name.startswith(LEFT_OUT)]
        if with_matrix:
            matrix = self._bench.path(f"{counted.BUILD}/{workbench.MATRIX}")
            scenarios = subprocess.run([matrix, "--list"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            names += [workbench.SCENARIO + name for name in scenarios]
        return names

    def _lab_tests(self):
        """A script that starts labs itself is about the launcher, or takes long."""
        for script in sorted(glob.glob(self._bench.path("tests/lab/*.sh"))):
            with open(script, encoding="utf-8") as file:
                if re.search(r"^# lab:", file.read(), re.MULTILINE):
                    yield workbench.LAB_TEST + os.path.basename(script).removesuffix(".sh")

    def _files(self, test):
        return [self._bench.path(counted.BUILD + "/" + name) for name in self._bench.needs(test, counted.BUILD)]

    def _scripts(self, test):
        """Of a test of the lab: its script, the libraries and programs of the tree that this names, and so on."""
        names = [test.replace(workbench.LAB_TEST, "tests/lab/", 1) + ".sh"] if test.startswith(workbench.LAB_TEST) else []
        for name in names:
            named = re.findall(r"\$SRC/((?:lab|tests)/[\w./-]*\w)", self._bench.read(name))
            names += sorted({n for n in named if os.path.isfile(self._bench.path(n))}.difference(names))
        return map(self._bench.path, names)

    def _made_of(self, test):
        argv, _ = self._bench.command(test, counted.BUILD)
        files = sorted({*self._files(test), *filter(os.path.isfile, argv), *self._scripts(test)})
        return hashlib.sha256("".join(map(_digest, files)).encode()).hexdigest()

    def _look_at(self, test, made_of, programs):
        """None of one that does not pass, or is skipped: it is looked at again by the next run."""
        run = self._run_in_lab if test.startswith(workbench.LAB_TEST) else self._run
        status, seconds, counts = run(test)
        self._say(f"{seconds:5.1f} s  {test}" + (": does not pass, left out" if status else ""))
        files = counted.read(self._bench.folder, [file for file in self._files(test) if file in programs], counts)
        reached = {name: file.reached() for name, file in files.items() if name.startswith("src/")}
        if status or (test.startswith(workbench.LAB_TEST) and not reached):  # the harness ends with 0 for a skipped one
            return None
        entry = {"test": test, "made of": made_of, "seconds": seconds, "reached": reached}
        _keep(entry)
        return entry

    def _run(self, test):
        """(exit status, seconds of the processor, folder of its counts)"""
        counted.forget(self._bench.folder)
        begin = _cpu_sec()
        argv, environment = self._bench.command(test, counted.BUILD)
        status, _ = patience.run(argv, self._bench.path(counted.BUILD), LIMIT_SEC, environment)
        return status, _cpu_sec() - begin, counted.folder(self._bench.folder)

    def _run_in_lab(self, test):
        """The same; others may run beside it."""
        counts = os.path.join(counted.folder(self._bench.folder), os.path.basename(test))
        os.mkdir(counts)
        argv, environment = self._bench.command(test, counted.BUILD)
        status, seconds = patience.run(argv, self._bench.folder, LIMIT_SEC, {**environment, "MAYFLY_COUNTS": counts})
        return status, seconds, counts


@functools.cache
def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cpu_sec():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _read():
    if not os.path.exists(KNOWN):
        return {}
    with open(KNOWN, encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]  # a run may have been killed as it wrote
    return {entry["test"]: entry for entry in map(json.loads, whole)}


def _keep(entry):
    with open(KNOWN, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
