# SPDX-License-Identifier: Apache-2.0
"""Programs that count which of their lines and branches are run.

clang keeps the counters in a file that each process maps as it starts. So also what is killed, ends by _exit(), or is
in a sandbox where no file can be opened has counted. Children that are forked count in the file of their parent.
"""

import glob
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field

BUILD = "build-coverage"
# The last of these two is what lets the counters be in a file.
FLAGS = ["-fcoverage-mapping", "-mllvm", "-runtime-counter-relocation"]
PROGRAMS = ("executable", "shared module")


@dataclass
class File:
    lines: dict = field(default_factory=dict)  # {number: how often it was run}
    branches: int = 0
    branches_taken: int = 0

    def reached(self):
        return [number for number, count in self.lines.items() if count]

    def missed(self):
        return [number for number, count in self.lines.items() if not count]


def folder(root):
    """Where the processes of the tree at `root` count: one file each."""
    return os.path.join(root, BUILD, "counts")


def build(root):
    """Sets the build folder up if need be, and builds all; CalledProcessError."""
    if not os.path.exists(os.path.join(root, BUILD, "build.ninja")):
        # %m: the program, %p: its process, %c: the file is mapped
        generate = f"-fprofile-instr-generate={folder(root)}/%m-%p%c.profraw"
        compiler = "ccache clang" if shutil.which("ccache") else "clang"
        subprocess.run(["meson", "setup", BUILD, "-Dwerror=false", "-Doptimization=0",
                        f"-Dc_args={' '.join([generate, *FLAGS])}", f"-Dc_link_args={generate}"],
                       cwd=root, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CC": compiler})
        forget(root)
    subprocess.run(["ninja", "-C", BUILD], cwd=root, check=True, stdout=subprocess.DEVNULL)


def forget(root):
    """Counting begins anew. Programs run as other users too, and must be able to make their files."""
    shutil.rmtree(folder(root), ignore_errors=True)
    os.makedirs(folder(root))
    os.chmod(folder(root), 0o1777)


def programs(root):
    """{id of meson's target: path} of all that counts."""
    output = subprocess.run(["meson", "introspect", BUILD, "--targets"], cwd=root, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return {target["id"]: target["filename"][0] for target in json.loads(output) if target["type"] in PROGRAMS}


def merge(place, result):
    """All counts below a folder in one file, which llvm-cov reads. What a cut of the power left half written is left
    out."""
    names = glob.glob(place + "/**/*.profraw", recursive=True)
    if not names:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".list") as listed:
        listed.write("".join(name + "\n" for name in names))
        listed.flush()
        return subprocess.run(["llvm-profdata", "merge", "--sparse", "--failure-mode=all", "-o", result, "-f", listed.name],
                              stderr=subprocess.DEVNULL, check=False).returncode == 0


def read(root, paths, counts=None):
    """{file, relative to the tree: File} of what the programs at `paths` are made of, with what was run since
    forget(), or what counted below another folder. Headers are among them."""
    files = {}
    with tempfile.TemporaryDirectory() as place:
        merged = os.path.join(place, "merged.profdata")
        if not paths or not merge(counts or folder(root), merged):
            return files
        objects = [word for path in paths for word in ("-object", path)][1:]
        output = subprocess.run(["llvm-cov", "export", "-format=lcov", f"-instr-profile={merged}", *objects],
                                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    for line in output.split("\n"):
        what, _, rest = line.partition(":")
        if what == "SF":
            file = files.setdefault(os.path.relpath(rest, root), File())
        elif what == "DA":
            number, count = map(int, rest.split(",")[:2])
            file.lines[number] = max(count, file.lines.get(number, 0))
        elif what == "BRDA":
            file.branches += 1
            file.branches_taken += rest.split(",")[3] not in ("0", "-")
    return files
