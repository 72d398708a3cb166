# SPDX-License-Identifier: Apache-2.0
"""A copy of the source tree in which one line is changed at a time, built, and tested.

Used by `make sabotage` and `make mutate`. The tree itself is never touched: what the copy holds is what git
knows of it, uncommitted changes included.
"""

import filecmp
import json
import os
import shutil
import subprocess

SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
SANITIZED = "build-asan"
FOR_LAB = "build-lab"
QUICK = "build-quick"  # neither optimized nor sanitized: compiled and linked in a fifth of the time
SETUP = {
    SANITIZED: ["-Db_sanitize=address,undefined", "-Db_lundef=false"],
    FOR_LAB: ["-Db_sanitize=undefined"],
    QUICK: ["-Doptimization=0", "-Ddebug=false"],
}
# A lab runs the installed programs and these.
NOT_FOR_LAB = ("tests/unit", "tests/fuzz", "tests/fake", "tests/barbican")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
LAB_TEST = "lab/"
SKIPPED = 77  # as meson has it
TIMED_OUT = 1000  # no process ends so
UNSANITIZED_TEST = "memory/"  # of that suite: see tests/run
SCENARIO = "matrix/"
MATRIX = "tests/fake/matrix"


class CannotBuild(Exception):
    """The changed source does not compile: its last lines say why."""


class UnknownTest(Exception):
    """No test has that name."""


def call(argv, folder, limit_sec=None, **environment):
    """(exit status, output) of a program; TIMED_OUT if it took longer than `limit_sec`. Nothing of it stays behind, nor if we
    are killed."""
    with subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *argv], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                          env={**os.environ, **environment}) as process:
        try:
            output, _ = process.communicate(timeout=limit_sec)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 15)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.communicate()
            return TIMED_OUT, f"time-out after {limit_sec} s"


def source_files(*folders):
    """What git knows of the tree and is there, uncommitted files included."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z", *folders], cwd=SOURCE, check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    return sorted(name for name in names.split("\0") if name and os.path.lexists(os.path.join(SOURCE, name)))


def _copy(source, target):
    """The target is left alone if it is equal: what is built from it need not be built again."""
    if os.path.isfile(target):
        if not filecmp.cmp(source, target, shallow=False):
            shutil.copy(source, target)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(source, target)  # with its time: see _inherit()


# A fault at random may do anything: its tests see the rest of the machine read-only, and no processes but their own.
ISOLATED = """mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / &&
for folder in /tmp /run /var/tmp /root; do
case $0 in $folder/*) ;; *) mount -t tmpfs none $folder || exit ;; esac
done
cd "$PWD" && exec "$@\""""


class Workbench:
    """One copy, with build folders that are made when a test needs them; `build` is that of all tests but the lab's.
    `isolated`: tests can write to nothing else, which takes root."""

    def __init__(self, folder, build=SANITIZED, isolated=False):
        self.folder = os.path.realpath(folder)
        self._build = build
        self._isolated = isolated and os.geteuid() == 0
        self._tests, self._commands, self._lab = {}, {}, {}
        self._new = not os.path.exists(self.folder)
        self._refresh()

    def _refresh(self):
        """The copy becomes what the tree is; files that are equal keep their times, so that little is built."""
        names = source_files()
        for name in names:
            _copy(os.path.join(SOURCE, name), self.path(name))
        for folder, folders, files in os.walk(self.folder):
            folders[:] = [f for f in folders if f != ".git" and not f.startswith("build")]
            for name in files:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.folder) not in names:
                    os.unlink(path)
        if not os.path.isdir(os.path.join(self.folder, ".git")):
            call(["git", "init", "--quiet"], self.folder)  # a few tests ask git what belongs to the tree

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _introspect(self, build, what):
        output = subprocess.run(["meson", "introspect", build, "--" + what], cwd=self.folder, check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        return json.loads(output)

    def set_up(self, build, options=None):
        if os.path.exists(self.path(build + "/build.ninja")):
            return
        status, output = call(["meson", "setup", build, "-Dwerror=false", *(options or SETUP[build])], self.folder)
        if status:
            raise CannotBuild(output[-2000:])
        if self._new:
            self._inherit(build)

    def _inherit(self, build):
        """What was built in the tree itself is taken over: commands name files by relative paths, so ninja builds only what has
        changed since. In a copy that is older, files might have other times than in the tree."""
        made = os.path.join(SOURCE, build)
        for folder, folders, files in os.walk(made):
            folders[:] = [f for f in folders if not f.startswith("meson-")]
            below = os.path.relpath(folder, made)
            for name in files:
                target = self.path(os.path.join(build, below, name))
                if not name.endswith((".json", "build.ninja")) and not os.path.islink(os.path.join(folder, name)):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copy2(os.path.join(folder, name), target)

    def build_all(self, build, *targets):
        status, output = call(["ninja", "-C", build, *targets], self.folder)
        if status:
            raise CannotBuild(output[-2000:])

    def tests(self, build):
        """{name: [files that it needs, relative to the build folder]}"""
        if build not in self._tests:
            if build in SETUP:
                self.set_up(build)
            self.build_all(build, "build.ninja")  # meson.build may be another since the last time
            root = self.path(build) + "/"
            files = {target["id"]: [f.removeprefix(root) for f in target["filename"]]
                     for target in self._introspect(build, "targets")}
            tests = self._introspect(build, "tests")
            self._tests[build] = {test["name"]: sum((files[d] for d in test["depends"]), []) for test in tests}
            self._commands[build] = {test["name"]: (test["cmd"], test["env"]) for test in tests}
        return self._tests[build]

    def needs(self, test, build):
        """Files, relative to the build folder, that `test` needs."""
        if test.startswith(LAB_TEST):
            return self._lab_targets(build)
        return [MATRIX] if test.startswith(SCENARIO) else self.tests(build)[test]

    def command(self, test, build):
        """(argv, environment) by which meson runs a test; or of a scenario of the matrix, or a test of the lab."""
        if test.startswith(LAB_TEST):
            self._lend_lab()
            return [self.path("tests/lab/harness"), self._lab_script(test)], {"MAYFLY_BUILD": self.path(build)}
        if test.startswith(SCENARIO):
            return [*self._isolation(), self.path(f"{build}/{MATRIX}"), "--only", test.removeprefix(SCENARIO)], {}
        self.tests(build)
        argv, environment = self._commands[build][test]
        return [*self._isolation(), *argv], environment

    def _lab_targets(self, build):
        if build not in self._lab:
            root = self.path(build) + "/"
            self._lab[build] = [f.removeprefix(root) for target in self._introspect(build, "targets")
                                if not os.path.relpath(target["defined_in"], self.folder).startswith(NOT_FOR_LAB)
                                for f in target["filename"]]
        return self._lab[build]

    def _lab_script(self, test):
        script = f"tests/lab/{test.removeprefix(LAB_TEST)}.sh"
        if not os.path.exists(self.path(script)):
            raise UnknownTest(test)
        return self.path(script)

    def _place(self, test):
        """(build folder, name there) of a test that meson runs; UnknownTest."""
        build, name = (FOR_LAB, test.removeprefix(UNSANITIZED_TEST)) if test.startswith(UNSANITIZED_TEST) \
            else (self._build, test)
        if name not in self.tests(build):
            raise UnknownTest(test)
        return build, name

    def build(self, test):
        """What `test` needs is built; CannotBuild, UnknownTest."""
        if test.startswith(LAB_TEST):
            self.set_up(FOR_LAB)
            build, targets = FOR_LAB, self._lab_targets(FOR_LAB)
        elif test.startswith(SCENARIO):
            self.set_up(self._build)
            build, targets = self._build, [MATRIX]
        else:
            build, name = self._place(test)
            targets = self.tests(build)[name]
        if targets:
            self.build_all(build, *targets)

    def run(self, test, limit_sec):
        """(exit status, output) of a test that was built: a name of meson's, memory/NAME, matrix/SCENARIO, lab/NAME."""
        if not test.startswith(LAB_TEST):
            build, name = (self._build, test) if test.startswith(SCENARIO) else self._place(test)
            argv, environment = self.command(name, build)
            status, output = call(argv, self.path(build), limit_sec, **environment, **SANITIZERS)
            return 0 if status == SKIPPED else status, output
        argv, environment = self.command(test, FOR_LAB)
        return call(argv, self.folder, limit_sec, **environment, **SANITIZERS)

    def _isolation(self):
        if not self._isolated:
            return []
        return ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", ISOLATED, self.folder]

    def _lend_lab(self):
        """The images of the lab's guests take long to build, and no test writes to them."""
        made, lent = os.path.join(SOURCE, "build", "lab"), self.path("build/lab")
        if not os.path.isdir(made) or os.path.isdir(lent):
            return
        os.makedirs(self.path("build"), exist_ok=True)
        shutil.copytree(made, lent, symlinks=True, copy_function=os.link)
