# SPDX-License-Identifier: Apache-2.0
"""Runs a test within limits that mean the same on an idle machine and on a loaded one: they are of the processors'
time, and of the time in which none of its processes wants to run."""

import contextlib
import os
import signal
import subprocess
import threading
import time

LOOK_EVERY_SEC = 0.5
QUIET_SEC = 30
HUNG = 124
GRACE_SEC = 15
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
TICKS = os.sysconf("SC_CLK_TCK")
_running = set()  # leaders of the groups of processes of tests
_ending = threading.Event()  # a test that ends from now on was ended by us, and says nothing


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


def _signal_all(number):
    for pid in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)


def end_with_tests(number, _frame):
    """What a signal that ends us does: a mutant's test may never end by itself. Where we are killed, DIES_WITH_US does
    it for the test's first process, with which all of an isolated one end."""
    _ending.set()
    _signal_all(signal.SIGTERM)
    until = time.monotonic() + GRACE_SEC
    while _running and time.monotonic() < until:
        time.sleep(LOOK_EVERY_SEC)
    _signal_all(signal.SIGKILL)
    os._exit(128 + number)


def _end(process):
    """SIGTERM first: the launcher of a lab ends its machine then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(GRACE_SEC)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(argv, folder, cpu_limit_sec, environment=None):
    """(exit status, seconds of the processor, to half a second); HUNG if it worked for too long, or waited for nothing."""
    with subprocess.Popen([*DIES_WITH_US, *argv], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, start_new_session=True,
                          env={**os.environ, **(environment or {})}) as process:
        _running.add(process.pid)
        cpu_sec, worked, status = 0.0, time.monotonic(), None
        while status is None:
            try:
                status = process.wait(LOOK_EVERY_SEC)
            except subprocess.TimeoutExpired:
                now, wants = _look(process.pid)
                if wants or now != cpu_sec:
                    cpu_sec, worked = now, time.monotonic()
                if cpu_sec > cpu_limit_sec or time.monotonic() - worked > QUIET_SEC:
                    _end(process)
                    status = HUNG
        _running.discard(process.pid)
        while _ending.is_set():
            time.sleep(1)  # until the process ends
        return status, cpu_sec
