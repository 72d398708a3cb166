# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks that count instead of timing share: results as JSON in build/bench, and the committed ones in
bench/baseline to compare them with."""

import json
import os

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def path_of(folder, name):
    return os.path.join(TOP, folder, name + ".json")


def keep(folder, name, results):
    os.makedirs(os.path.join(TOP, folder), exist_ok=True)
    with open(path_of(folder, name), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def load(name):
    with open(path_of("bench/baseline", name), encoding="utf-8") as file:
        return json.load(file)


def none_worse(found, wanted, tolerance, more_is_better):
    """Compares {what: number}; tells what differs by more than the tolerance. Something that is not measured any
    more is worse too."""
    good = True
    for what, baseline in wanted.items():
        if what not in found:
            print(f"WORSE   {what}: not measured, was {baseline:g}")
            good = False
            continue
        change = found[what] / baseline - 1
        gain = change if more_is_better else -change
        if gain < -tolerance:
            print(f"WORSE   {what}: {found[what]:g}, was {baseline:g} ({change:+.1%})")
            good = False
        elif gain > tolerance:
            print(f"better  {what}: {found[what]:g}, was {baseline:g} ({change:+.1%}); make it the baseline: --accept")
    print(f"{len(wanted)} figures compared, tolerance {tolerance:.0%}: {'none is worse' if good else 'FAILED'}")
    return good
