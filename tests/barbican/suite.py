#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/barbican/suite.py SRC TEST-SUITE AGENT: the suite that all key managers must pass, with real servers."""

import subprocess
import sys

from mayfly import Place, as_nobody, check
from servers import Servers


def main():
    source, *programs = sys.argv[1:4]
    with Servers(source) as servers, Place(servers, programs) as place:
        owner = servers.new_user()
        done = subprocess.run([place.probe, place.config, place.agent], env=owner.environment(), cwd=place.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
                              **as_nobody())
        print(done.stdout)
        check("the suite passes", done.returncode == 0 and "runtime error" not in done.stdout, done.returncode)
        check("nothing is left", owner.secrets() == [])


main()
