#!/usr/bin/python3 -I
# SPDX-License-Identifier: Apache-2.0
"""seed.py SEED-PROBE: is a seed what cloud-init's own data source NoCloud reads, and a file system without a fault?

The device is a file here: where cloud-init would mount it, mtools read it."""

import os
import subprocess
import sys
import tempfile

try:
    from cloudinit import helpers, util
    from cloudinit.sources import DataSourceNoCloud
except ImportError:
    print("skipped: cloud-init is not installed")
    sys.exit(77)

UUID = "5c0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a10"
KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@home",
    'command="echo \\"hi\\" # no comment" ssh-rsa AAAAB3NzaC1yc2E \u00e9: {a} %b',
]
failed = 0


def check(what, wanted, found):
    global failed
    if wanted == found:
        print(f"ok: {what}")
    else:
        print(f"FAILED: {what}: {found!r}, not {wanted!r}")
        failed = 1


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


def make(folder, hostname, keys, user_data):
    path = os.path.join(folder, "seed")
    with open(path, "wb") as file:
        file.write(run(sys.argv[1], UUID, hostname, keys, user_data))
    return path


def read_by_mtools(device, callback, data=None, **_):
    with tempfile.TemporaryDirectory() as mountpoint:
        run("mcopy", "-i", device, "::*", mountpoint, env={"MTOOLS_SKIP_CHECK": "1", "PATH": os.environ["PATH"]})
        return callback(mountpoint, data)


def as_cloud_init_sees(path):
    """The data source, after it has looked at this device alone."""
    blkid = dict(line.split("=", 1) for line in run("blkid", "-p", "-o", "export", path).decode().split())
    check("it is found by its label", ("vfat", "CIDATA"), (blkid["TYPE"], blkid["LABEL"]))
    with tempfile.TemporaryDirectory() as folder:
        paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
        source = DataSourceNoCloud.DataSourceNoCloud({}, None, paths)
        source._get_devices = lambda label: [path]
        util.mount_cb = read_by_mtools
        check("cloud-init takes it", True, source._get_data())
        return source


def main():
    os.environ["PATH"] = "/usr/sbin:/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")
    with tempfile.TemporaryDirectory() as folder:
        script = "#!/bin/sh\necho '\u00fc' >/etc/motd\n" * 4000
        text = "# mine\n\n" + KEYS[0] + "\r\n  " + KEYS[1]
        path = make(folder, "web-1.example.org", text, script)
        check("fsck has nothing to say", 0, subprocess.call(["fsck.vfat", "-n", path], stdout=subprocess.DEVNULL))
        source = as_cloud_init_sees(path)
        check("the id of the instance", UUID, source.get_instance_id())
        check("its name", "web-1", source.get_hostname()[0] if not isinstance(source.get_hostname(), str)
              else source.get_hostname().split(".")[0])
        check("with its domain", "web-1.example.org", source.metadata["local-hostname"])
        check("the keys, and no comment", KEYS, source.get_public_ssh_keys())
        check("what its owner wants done", script.encode(), util.encode_text(source.get_userdata_raw()))

        source = as_cloud_init_sees(make(folder, "0755", "", "-"))
        check("a name that looks like a number", "0755", source.metadata["local-hostname"])
        check("no keys", [], source.get_public_ssh_keys())
        check("user data that says nothing", b"#cloud-config\n", util.encode_text(source.get_userdata_raw()))
    return failed


sys.exit(main())
