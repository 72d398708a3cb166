# SPDX-License-Identifier: Apache-2.0
"""Mutants that no test can tell from the source: the compiler makes the same of both, or a person says why in
equal.toml."""

import functools
import json
import os
import shlex
import subprocess
import tomllib

TABLE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "equal.toml")
WITHOUT = ("-fsanitize", "-g", "-O", "-fdiagnostics")
WITHOUT_TWO = ("-o", "-MF", "-MQ", "-MT")


def _compiler(bench, build, name):
    """argv that prints the optimized assembler code of a file, without sanitizers, which note where they are."""
    with open(bench.path(build + "/compile_commands.json"), encoding="utf-8") as file:
        command = next(entry["command"] for entry in json.load(file) if entry["file"] == "../" + name)
    words, argv = iter(shlex.split(command)), []
    for word in words:
        if word in WITHOUT_TWO:
            next(words)
        elif word not in ("-c", "-MD", "ccache") and not word.startswith(WITHOUT):
            argv.append(word)
    return [*argv, "-O2", "-g0", "-S", "-o", "-"]


def _assembler(bench, build, name):
    return subprocess.run(_compiler(bench, build, name), cwd=bench.path(build), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


def same_program(bench, build, name, before):
    """Of the file as it is in the workbench, and as it was. In `build` all has been built."""
    mutated, now = bench.read(name), _assembler(bench, build, name)
    bench.write(name, before)
    try:
        return _assembler(bench, build, name) == now
    finally:
        bench.write(name, mutated)


@functools.cache
def _table():
    with open(TABLE, "rb") as file:
        return {(entry["file"], entry["old"], entry["new"]): entry["why"] for entry in tomllib.load(file)["equal"]}


def reason(mutant):
    """What the table says of it, or None."""
    return _table().get((mutant.file, mutant.old.strip(), mutant.new.strip()))
