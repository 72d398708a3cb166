# SPDX-License-Identifier: Apache-2.0
"""What tests/rooms, tests/house and docs/draw read of the sources: the table of folders, who calls whom, functions, words."""

import collections
import pathlib
import re
import subprocess
from dataclasses import dataclass

SOURCE = pathlib.Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """A piece of a file: number of its first line, and its text."""
    path: pathlib.Path
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}"


def files(top=SOURCE):
    """The C sources and headers, and the lists in .def files, of src."""
    return sorted(path for path in (top / "src").rglob("*.*") if path.suffix in (".c", ".h", ".def"))


def rooms():
    """{folder of src: folders that it may use}, by the table of HACKING.md."""
    text = (SOURCE / "HACKING.md").read_text(encoding="utf-8")
    table = re.search(r"^\| folder of src .*?\n\|[-| ]+\n(.*?)\n\n", text, re.S | re.M)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].split("\n")]
    return {row[0].strip("`"): {name.strip("` ") for name in row[1].split(",")} - {"", "-"} for row in rows}


def includes(path):
    """(number of the line, folder of src) of each header of ours that a file includes."""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if used := re.match(r'#include "([a-z-]+)/', line):
            yield number, used[1]


def objects(build):
    return [o for o in sorted(pathlib.Path(build, "src").rglob("*.o")) if not o.name.startswith("meson-generated")]


def name_of_object(path):
    return f"{path.parent.parent.name}/{path.name.removesuffix('.o')}"


def calls(build):
    """{file: files whose functions or data it uses}, by the symbols of the objects in a build folder"""
    owner, needs = {}, collections.defaultdict(set)
    for path in objects(build):
        listed = subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            symbol, kind = line.split()[:2]
            if kind == "U":
                needs[name_of_object(path)].add(symbol)
            elif kind in "TDBRVW":
                owner.setdefault(symbol, name_of_object(path))
    return {name: {owner[s] for s in symbols if s in owner} - {name} for name, symbols in needs.items()}


def circles(graph):
    """Nodes that reach each other: what is left when those that use nothing left are taken away, from both ends."""
    left = {name: set(uses) for name, uses in graph.items()}
    while True:
        used = set().union(*left.values()) if left else set()
        ends = {name for name, uses in left.items() if not uses & left.keys() or name not in used}
        if not ends:
            return left
        left = {name: uses - ends for name, uses in left.items() if name not in ends}


# Strings and characters are matched first, so that a comment in one is none.
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|/\*.*?\*/|//[^\n]*', re.S)


def comments(path):
    """The comments of a file, in plain words: without their marks, rulers and the line of the licence."""
    text = path.read_text(encoding="utf-8")
    for match in TOKEN.finditer(text):
        if match[0].startswith("/") and "SPDX-License-Identifier" not in match[0]:
            words = re.sub(r"^\s*\*(?!/) ?|^/\*|\*/$|^//|-{4,}", "", match[0], flags=re.M).strip()
            yield Place(path, text.count("\n", 0, match.start()) + 1, words)


def functions(path):
    """The definitions of functions of a file: clang-format puts both of their braces into column 0, alone."""
    lines = path.read_text(encoding="utf-8").split("\n")
    begin = 0
    for number, line in enumerate(lines):
        if line == "{":
            end = next(n for n in range(number, len(lines)) if lines[n].startswith("}"))
            if lines[end] == "}":
                yield Place(path, begin + 1, "\n".join(lines[begin:end + 1]))
        if not line or line.startswith(("#", "}", "/*", " *")) or line.endswith(";"):
            begin = number + 1


SENTENCE = re.compile(r'\b(?:error_(?:set|append|prefix)|report_(?:error|warning)|refuse|log_(?:error|warning)|examination_(?:fail|warn)|'
                      r'(?:libvirt|domain|image)_failed|error_device)\(')


def messages(path):
    """What a file may say to a person of errors: the strings of each call of error_set() and its like, one behind the other."""
    text = path.read_text(encoding="utf-8")
    for call in SENTENCE.finditer(text):
        end = text.find(";\n", call.end())
        strings = [s[1:-1] for s in TOKEN.findall(text, call.end(), end) if s.startswith('"')]
        if any(" " in string for string in strings):
            yield Place(path, text.count("\n", 0, call.start()) + 1, "".join(strings))
