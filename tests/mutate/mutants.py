# SPDX-License-Identifier: Apache-2.0
"""What can be changed in a line of C so that a test should notice."""

import collections
import re
from dataclasses import astuple, dataclass

COMPARISONS = [("==", "!="), ("!=", "=="), ("<=", "<"), (">=", ">"), (" < ", " <= "), (" > ", " >= ")]
OTHERS = [("&&", "||"), ("||", "&&"), (" + 1", ""), (" - 1", ""), ("true", "false"), ("false", "true")]
# What only people read is judged by people.
SAID = re.compile(r'"|\b(log_[a-z]+|printf|fputs|puts|report_[a-z]+|_?[Ss]tatic_assert|assert)\(')
CONDITION = re.compile(r"^(\s+(?:} else )?(?:if|while) \()(.*)(\)(?: \{)?)$")
CALL = re.compile(r"^(\s+)(?:\(void\)!?)?[a-z_]+\([^;]*\);(?:\s*/\*.*)?$")
HARMLESS_CALL = re.compile(r"^\s+(?:\(void\)!?)?(?:free|[a-z_]+_free|fd_close)\(")  # LeakSanitizer's business
FAILURE = re.compile(r"^(\s+)return (-E[A-Z]+|-errno|r|result);")
NUMBER = re.compile(r"(?<![\w.])([2-9]|[1-9]\d+)(?![\w.])")
LOOP_END = re.compile(r"^(\s+)(break|continue);$")
# What stands before the size of an array in its declaration: one that is larger than need be is as good.
ARRAY = re.compile(r"^\s*(?:static |const |_cleanup_\w+ )*(?:char|int|unsigned|size_t|bool|uint\d+_t|struct \w+) [^=(]*\[$")


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int  # from 1
    kind: str
    old: str
    new: str
    nth: int  # of the equal ones of this file: what makes it known after lines were added above

    def fields(self):
        return astuple(self)

    def id(self):
        return f"{self.file}\0{self.kind}\0{self.old}\0{self.new}\0{self.nth}"


def _without_comments(text):
    return re.sub(r"/\*.*?(\*/|$)", lambda m: " " * len(m[0]), text)


def _words(text):
    """Where an operator or word stands in the code of a line, outside of comments."""
    code = _without_comments(text)
    for old, new in COMPARISONS + OTHERS:
        before, after = (r"\b" if letter.isalnum() else "" for letter in (old[0], old[-1]))
        for m in re.finditer(before + re.escape(old) + after, code):
            yield f"{old.strip()} for {new.strip() or 'nothing'}", text[:m.start()] + new + text[m.end():]
    for m in NUMBER.finditer(code):
        if not ARRAY.search(code[:m.start()]):
            yield "constant", f"{text[:m.start()]}{int(m[1]) + 1}{text[m.end():]}"


def _changes(text):
    yield from _words(text)
    m = CONDITION.match(text)
    if m and m[2].count("(") == m[2].count(")"):
        yield "condition negated", f"{m[1]}!({m[2]}){m[3]}"
    if CALL.match(text) and not HARMLESS_CALL.match(text):
        yield "call dropped", CALL.match(text)[1] + ";"
    if FAILURE.match(text):
        yield "failure returned as success", FAILURE.sub(r"\1return 0;", text)
    if LOOP_END.match(text):
        yield "loop's end dropped", LOOP_END.match(text)[1] + ";"


def mutants(file, text):
    """All of one source file."""
    comment, seen = False, collections.Counter()
    statement = ""  # what of the present one stands in earlier lines
    for number, line in enumerate(text.split("\n"), 1):
        begins = line.lstrip().startswith("/*")
        if not (comment or begins or line.startswith("#") or line.rstrip().endswith("\\")):
            statement += line
            if not SAID.search(statement):
                for kind, new in _changes(line):
                    if kind == "call dropped" and statement != line:
                        continue
                    seen[kind, line, new] += 1
                    yield Mutant(file, number, kind, line, new, seen[kind, line, new])
            if re.search(r"[;{}:]\s*$", _without_comments(line)) or CONDITION.match(line):
                statement = ""
        comment = (comment or begins) and "*/" not in line


def apply(text, mutant):
    lines = text.split("\n")
    assert lines[mutant.line - 1] == mutant.old
    lines[mutant.line - 1] = mutant.new
    return "\n".join(lines)
