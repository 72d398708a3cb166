# SPDX-License-Identifier: Apache-2.0
"""Mayfly's side: keymgr-probe and the mayfly-keyagent that it starts, as an ordinary user; and how tests speak.

Each test of this folder is called with SRC PROBE AGENT [MORE...]: the project, keymgr-probe, mayfly-keyagent.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

NOBODY = 65534
OK, USAGE, DENIED, UNREACHABLE, GONE, FAILED = 0, 1, 2, 6, 7, 10  # src/base/exit-codes.def
CONFIG = """
[key_manager]
backend = barbican
host_access = {host_access}
[barbican]
connect_timeout = 2
request_timeout = {request_timeout}
deadline = {deadline}
{more}
[barbican_service_user]
auth_url = {auth_url}
username = compute
user_id = {compute}
password_file = {password_file}
{host_more}
"""


def check(what, good, detail=""):
    if not good:
        sys.exit(f"failed: {what}: {detail}")
    print(f"ok: {what}", flush=True)


def check_quiet(what, good, detail=""):
    if not good:
        sys.exit(f"failed: {what}: {detail}")


class Answer:
    """One line of keymgr-probe: ok and words, or an error."""

    def __init__(self, line):
        first, *self.words = line.split(" ")
        self.ok = first == "ok"
        self.status = OK if self.ok else int(self.words[0])
        self.text = line if self.ok else " ".join(self.words[1:])

    def __repr__(self):
        return self.text if self.ok else f"exit {self.status}: {self.text}"

    @property
    def ids(self):
        return [word.split(":")[0] for word in self.words]

    @property
    def uuids(self):
        """The same as Barbican has them, sorted: without the place."""
        return sorted(map(own, self.ids))

    @property
    def hashes(self):
        return [word.split(":")[-1] for word in self.words]


def refused(what, answer, status, words=""):
    check(what, answer.status == status and re.search(words, answer.text), repr(answer))


def own(key):
    """PLACE/ID without the place."""
    return key.rsplit("/", 1)[-1]


def hash_of(key):
    return hashlib.sha256(key).hexdigest()


def as_nobody():
    """For subprocess: an ordinary user, where the test is not run by one."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


class Place:
    """A folder that an ordinary user can read, with the programs and a configuration."""

    def __init__(self, servers, programs):
        self.servers = servers
        self.made = tempfile.TemporaryDirectory()
        self.folder = self.made.name
        os.chmod(self.folder, 0o755)
        self.probe, self.agent = (shutil.copy(program, self.folder) for program in programs)
        self.host_password = self.write("host-password", "compute-pw\n", 0o600)
        self.config = self.configure()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.made.cleanup()

    def write(self, name, text, mode=0o644):
        """A file of the ordinary user's."""
        path = f"{self.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        return path

    def configure(self, more="", name="mayfly.conf", host_access="read", request_timeout=20, deadline=60, host_more="",
                  **changes):
        values = {"auth_url": self.servers.auth_url, "compute": self.servers.settings["COMPUTE_ID"],
                  "password_file": self.host_password, **changes}
        return self.write(name, CONFIG.format(more=more, host_access=host_access, request_timeout=request_timeout,
                                              deadline=deadline, host_more=host_more, **values))

    def session(self, environment, config=None, pass_fds=()):
        return Session(self, environment, config or self.config, pass_fds)

    def ask(self, environment, *lines, config=None, pass_fds=()):
        """The answers of one run."""
        with self.session(environment, config, pass_fds) as session:
            return [session.ask(line) for line in lines]

    def ask_one(self, environment, line, **more):
        return self.ask(environment, line, **more)[0]


class Session:
    """keymgr-probe, asked line by line. At its end it must have told no secret, and nothing may have crashed."""

    def __init__(self, place, environment, config, pass_fds):
        self.secrets = [value for name, value in environment.items() if re.search("PASSWORD|TOKEN$|SECRET", name)]
        self.said = []
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.probe = subprocess.Popen(
            [place.probe, "barbican", config, place.agent], env=environment, cwd=place.folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, encoding="utf-8", pass_fds=pass_fds, **as_nobody())

    def __enter__(self):
        return self

    def ask(self, line):
        with contextlib.suppress(BrokenPipeError):  # it could not even begin, and says why
            self.probe.stdin.write(line + "\n")
            self.probe.stdin.flush()
        answer = self.probe.stdout.readline().rstrip("\n")
        check_quiet("the probe answers", answer, self.all_said())
        self.said.append(answer)
        return Answer(answer)

    def agent(self):
        """The process id of its mayfly-keyagent, or None."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == self.probe.pid:
                    return int(pid)
        return None

    def all_said(self):
        self.errors.seek(0)
        return "\n".join(self.said) + self.errors.read()

    def __exit__(self, kind, *_):
        with contextlib.suppress(BrokenPipeError):
            self.probe.stdin.close()
        self.probe.wait()
        self.probe.stdout.close()
        said = self.all_said()
        self.errors.close()
        if kind:
            return
        check_quiet("no password or token is told", not any(secret in said for secret in self.secrets), said)
        check_quiet("no token is told", "gAAAA" not in said, said)
        check_quiet("nothing crashed", self.probe.returncode >= 0 and "Sanitizer" not in said and
                    "runtime error" not in said, said)
