# SPDX-License-Identifier: Apache-2.0
"""Runs a test within limits that mean the same on an idle machine and on a loaded one: they are of the processors'
time, and of the time in which none of its processes wants to run."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

LOOK_EVERY_SEC = 0.5
QUIET_SEC = 30
HUNG = 124
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
TICKS = os.sysconf("SC_CLK_TCK")
_running = set()  # leaders of the groups of processes of tests


def _tree(pid):
    """A process and all that come from it."""
    todo = [pid]
    while todo:
        pid = todo.pop()
        yield pid
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    todo += file.read().split()
        except OSError:
            pass  # it has ended


def _look(pid):
    """(seconds that its processes have worked, does one want to work now?)"""
    ticks, wants = 0, False
    for member in _tree(pid):
        try:
            with open(f"/proc/{member}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # with those of children that have ended
        wants |= fields[0] in b"RD"
    return ticks / TICKS, wants


def end_with_tests(number, _frame):
    """What a signal that ends us does: a mutant's test may never end by itself. Where we are killed, DIES_WITH_US does
    it for the test's first process, with which all of an isolated one end."""
    for pid in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os._exit(128 + number)


def run(argv, folder, cpu_limit_sec, environment=None):
    """(exit status, output); HUNG if it worked for too long, or waited for nothing."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        with subprocess.Popen([*DIES_WITH_US, *argv], cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, start_new_session=True,
                              env={**os.environ, **(environment or {})}) as process:
            _running.add(process.pid)
            cpu_sec, worked = 0.0, time.monotonic()
            while True:
                try:
                    status = process.wait(LOOK_EVERY_SEC)
                    break
                except subprocess.TimeoutExpired:
                    now, wants = _look(process.pid)
                    if wants or now != cpu_sec:
                        cpu_sec, worked = now, time.monotonic()
                    if cpu_sec > cpu_limit_sec or time.monotonic() - worked > QUIET_SEC:
                        os.killpg(process.pid, signal.SIGKILL)
                        process.wait()
                        status = HUNG
                        break
            _running.discard(process.pid)
        output.seek(0)
        return status, output.read()
