#!/usr/bin/python3 -EsB
# SPDX-License-Identifier: Apache-2.0
"""tests/unit/program.py FAKE-MAYFLY PROGRAM: the example of mayfly-programs(7), over a host in memory.

The program runs `mayfly`: here a script that hands the words over to this test, which has fake-mayfly run them.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

UUID = "44444444-0000-4000-8000-000000000000"
STUB = """#!/usr/bin/python3 -EsB
import json, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect({path!r})
    s.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
    answer = json.loads(s.makefile().read())
print(answer["out"], end="")
print(answer["err"], end="", file=sys.stderr)
sys.exit(answer["status"])
"""


def serve(server, fake, folder):
    import json
    for number in range(1, 1000):
        connection, _ = server.accept()
        with connection, connection.makefile("rw") as stream:
            words = json.loads(stream.readline())
            print(*words, file=fake.stdin, flush=True)
            status = Path(folder, f"{number:03}.status")
            while not (status.exists() and status.read_text().endswith("\n")):
                time.sleep(0.02)
            json.dump({"status": int(status.read_text()), "out": status.with_suffix(".out").read_text(),
                       "err": status.with_suffix(".err").read_text()}, stream)


def main():
    fake_program, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/socket")
        server.listen()
        Path(folder, "mayfly").write_text(STUB.format(path=f"{folder}/socket"))
        os.chmod(f"{folder}/mayfly", 0o755)
        with subprocess.Popen([fake_program, folder], stdin=subprocess.PIPE, text=True) as fake:
            threading.Thread(target=serve, args=(server, fake, folder), daemon=True).start()
            done = subprocess.run([program, UUID], env={**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True,
                                  text=True, timeout=50, check=False)
            fake.stdin.close()
        print(done.stdout, done.stderr)
        wanted = (rf"made /dev/mapper/{UUID}_disk-dmcrypt /dev/mapper/{UUID}_disk\.eph0-dmcrypt\n"
                  r"deleted, its key: destroyed\nafterwards: missing - there is no instance of this name or uuid\n")
        sys.exit(done.returncode != 0 or not re.fullmatch(wanted, done.stdout))


main()
