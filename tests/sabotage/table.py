#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The table of promises: promises/*.toml. Run as a program it checks the table against the documents, and that each
promise of SECURITY.md has a line, and names the tests that notice."""

import glob
import os
import re
import sys
import tomllib
from dataclasses import dataclass

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.path.realpath(os.path.join(HERE, "..", ".."))
SECURITY = "SECURITY.md"


@dataclass(frozen=True)
class Line:
    """promise: words that stand in document; old, new: what is changed in file; test: who must fail; name: FILE-NUMBER."""
    promise: str
    document: str
    file: str
    old: str
    new: str
    test: str
    name: str


def _lines_of(path):
    with open(path, "rb") as file:
        entries = tomllib.load(file)["promise"]
    for number, entry in enumerate(entries, 1):
        where = f"{os.path.basename(path).removesuffix('.toml')}-{number}"
        try:
            yield Line(entry["promise"], entry["in"], entry["file"], entry["old"], entry["new"], entry["test"], where)
        except KeyError as error:
            raise SystemExit(f"{where}: has no {error}") from error


def read():
    return [line for path in sorted(glob.glob(os.path.join(HERE, "promises", "*.toml"))) for line in _lines_of(path)]


def _words(text):
    """Without the marks of markdown, scdoc and comments, and with single blanks: a promise may run over lines."""
    return re.sub(r"\s+", " ", re.sub(r"[*`_|#\\]|\n\s*\*", " ", text)).strip()


def _read_words(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
        return _words(file.read())


def faults(lines):
    """A sentence for each line whose promise is not in its document, or whose code is not in its file, once."""
    words = {}
    for line in lines:
        if line.document not in words:
            words[line.document] = _read_words(line.document)
        if _words(line.promise) not in words[line.document]:
            yield f"{line.name}: {line.document} does not say: {line.promise}"
        with open(os.path.join(SOURCE, line.file), encoding="utf-8") as file:
            if file.read().count(line.old) != 1:
                yield f"{line.name}: {line.file} does not have once: {line.old}"


@dataclass(frozen=True)
class Promise:
    """A section of SECURITY.md: its heading, the names of its tests, and all of it."""
    title: str
    tests: tuple
    text: str


def promises():
    with open(os.path.join(SOURCE, SECURITY), encoding="utf-8") as file:
        sections = re.split(r"\n(?=##+ )", file.read())
    for section in sections:
        if section.startswith("### "):
            tests = re.search(r"\n- \*\*Test\*\*:(.*?)(?=\n- |\n*$)", section, re.S)
            yield Promise(section.split("\n")[0].removeprefix("### "),
                          tuple(re.sub(r"\s+", " ", name) for name in re.findall(r"`([^`]*)`", tests[1] if tests else "")), section)


def uncovered(lines):
    """The promises of SECURITY.md that no line breaks: none has words of that section."""
    broken = [_words(line.promise) for line in lines if line.document == SECURITY]
    return [p.title for p in promises() if not any(b in _words(p.text) for b in broken)]


def _plain_name(test):
    """As SECURITY.md has it: without the scenario of the matrix, and without memory/."""
    return "matrix" if test.startswith("matrix/") else test.removeprefix("memory/")


def unnamed(lines):
    """Tests that a line expects to fail, and that the promise does not name."""
    for promise in promises():
        words = _words(promise.text)
        for test in sorted({_plain_name(line.test) for line in lines if line.document == SECURITY and _words(line.promise) in words}):
            if test not in promise.tests:
                yield f"{SECURITY}: {promise.title}: does not name {test}, which tests/sabotage expects to fail"


def main():
    lines = read()
    complaints = list(faults(lines)) + [f"{SECURITY}: nothing in tests/sabotage breaks: {p}" for p in uncovered(lines)]
    complaints += unnamed(lines)
    print("\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
