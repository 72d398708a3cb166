# SPDX-License-Identifier: Apache-2.0
"""Does the compiler make the same of a mutant as of the source? Then no test can tell them apart."""

import json
import shlex
import subprocess

import workbench

WITHOUT = ("-fsanitize", "-g", "-O", "-fdiagnostics")
WITHOUT_TWO = ("-o", "-MF", "-MQ", "-MT")


def _compiler(bench, name):
    """argv that prints the optimized assembler code of a file, without sanitizers, which note where they are."""
    with open(bench.path(workbench.SANITIZED + "/compile_commands.json"), encoding="utf-8") as file:
        command = next(entry["command"] for entry in json.load(file) if entry["file"] == "../" + name)
    words, argv = iter(shlex.split(command)), []
    for word in words:
        if word in WITHOUT_TWO:
            next(words)
        elif word not in ("-c", "-MD", "ccache") and not word.startswith(WITHOUT):
            argv.append(word)
    return [*argv, "-O2", "-g0", "-S", "-o", "-"]


def _assembler(bench, name):
    return subprocess.run(_compiler(bench, name), cwd=bench.path(workbench.SANITIZED), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


def same_program(bench, name, before):
    """Of the file as it is in the workbench, and as it was."""
    mutated, now = bench.read(name), _assembler(bench, name)
    bench.write(name, before)
    try:
        return _assembler(bench, name) == now
    finally:
        bench.write(name, mutated)
