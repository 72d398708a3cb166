# SPDX-License-Identifier: Apache-2.0
"""What became of each mutant of a seed: one line each, in build/mutate/SEED.jsonl, the last one of a mutant counts."""

import collections
import json
import os

import equal
import mutants

NOTICED, LIVED, UNREACHED = "noticed", "lived", "not reached"
EQUAL, NO_MUTANT = "equal", "does not compile"
FATES = (NOTICED, LIVED, UNREACHED)  # those that count


class Ledger:
    def __init__(self, folder, seed):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, f"{seed}.jsonl")
        self.fates = {}  # {id of mutant: (fate, test, mutant)}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                for line in file:
                    fate, test, *rest = json.loads(line)
                    self._take(fate, test, mutants.Mutant(*rest))

    def _take(self, fate, test, mutant):
        if fate == LIVED and equal.reason(mutant):
            fate = EQUAL
        self.fates[mutant.id()] = (fate, test, mutant)

    def note(self, fate, test, mutant):
        self._take(fate, test, mutant)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps([fate, test, *mutant.fields()]) + "\n")

    def keep_only(self, drawn):
        """What the source has no more does not count."""
        there = {mutant.id() for mutant in drawn}
        self.fates = {known: fate for known, fate in self.fates.items() if known in there}

    def counted(self):
        return sum(fate in FATES for fate, _, _ in self.fates.values())

    def noticed_share(self):
        """Of those that tests reach."""
        fates = [fate for fate, _, _ in self.fates.values()]
        return fates.count(NOTICED) / max(1, fates.count(NOTICED) + fates.count(LIVED))

    def lines(self, seed):
        """The report."""
        folders = collections.defaultdict(collections.Counter)
        for fate, _, mutant in self.fates.values():
            for name in (os.path.dirname(mutant.file), "all"):
                folders[name][fate] += 1
        for fate in (UNREACHED, LIVED):
            for known, _, mutant in sorted(self.fates.values(), key=lambda known: (known[2].file, known[2].line)):
                if known == fate:
                    yield f"{fate}: {describe(mutant)}"
        yield f"{'':15} noticed  lived  not reached   equal  do not compile"
        for name, counts in sorted(folders.items(), key=lambda pair: (pair[0] == "all", pair[0])):
            yield (f"{name:15} {counts[NOTICED]:7}  {counts[LIVED]:5}  {counts[UNREACHED]:11}  {counts[EQUAL]:6}  "
                   f"{counts[NO_MUTANT]:14}")
        yield f"seed {seed}: {100 * self.noticed_share():.1f}% of the mutants that tests reach were noticed"


def describe(mutant):
    return f"{mutant.file}:{mutant.line} {mutant.kind}\n    - {mutant.old.strip()}\n    + {mutant.new.strip()}"
