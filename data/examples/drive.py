#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""drive.py UUID: disks for a virtual machine of one's own, from the first to the last, as a program makes them."""
import json
import os
import subprocess
import sys
import time


class MayflyError(Exception):
    """What mayfly could not do: its fields are those of the object "error"."""

    def __init__(self, error):
        super().__init__(error["text"])
        self.__dict__.update(error)


def mayfly(*words, token=None):
    """Runs one command, and returns its document. While the key manager is away it is tried again."""
    for wait_sec in (1, 5, 15, None):
        descriptors, options = (), ["--json"]
        if token:  # never an argument, which all users of the host can read
            read_end, write_end = os.pipe()
            os.write(write_end, token.encode())
            os.close(write_end)
            descriptors, options = (read_end,), ["--json", "--token-fd", str(read_end)]
        done = subprocess.run(["mayfly", *options, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              pass_fds=descriptors, check=False)
        for descriptor in descriptors:
            os.close(descriptor)
        document = json.loads(done.stdout)
        if "error" not in document:
            return document
        if document["error"]["name"] != "unreachable" or wait_sec is None:
            raise MayflyError(document["error"])
        time.sleep(wait_sec)


def make_disks(uuid, token=None):
    """The disks, by our names, and whether they were made now: after a crash of ours this is just called again."""
    document = mayfly("add-disks", "--uuid", uuid, "--root", "2G,name=system",
                      "--ephemeral", "1G,fs=xfs,name=scratch", token=token)
    return {disk["name"]: disk for disk in document["instances"][0]["disks"]}, document["changed"]


def main(uuid):
    disks, changed = make_disks(uuid)
    print("made" if changed else "there", *(disk["device"] for disk in disks.values()))
    # Here the program defines its domain with these devices, and starts it; libvirt's hook opens them.
    mayfly("resize", uuid, "3G", "--disk", "scratch")
    mayfly("open", uuid)  # to look at a disk from the host, while no guest runs
    mayfly("close", uuid)
    gone = mayfly("delete", "--yes", uuid)["outcomes"][0]
    print("deleted, its key:", gone["keys"][0]["fate"])
    try:
        mayfly("show", uuid)
    except MayflyError as error:
        print("afterwards:", error.name, "-", error.reason)


if __name__ == "__main__":
    main(sys.argv[1])
