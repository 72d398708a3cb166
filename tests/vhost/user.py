#!/usr/bin/python3 -ISB
# SPDX-License-Identifier: Apache-2.0
"""user.py MAYFLY GUEST.QCOW2 life|changes|uefi: an ordinary user without any configuration.

With real libvirt of that user's own and QEMU's emulation. `life`: launch, stop, start, export and delete; a guest that ends by
itself; a start that Mayfly does not make. `changes`: resize of a running guest's disk, rescue and back, rebuild. `uefi`: UEFI
reads the kernel from the encrypted disk. What the guest has written is in none of the user's files, but for an image that is
exported in plaintext, where the same search finds it; nor is any process, socket or key left in the end. Root runs it as the user
nobody, in a folder of its own.

The guest is the lab's, on an encrypted disk; its kernel comes from QEMU but for `uefi`: see guest.py.
"""
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TIMEOUT = 300  # a busy machine
TEXT = "the-second-of-May"
MEMORY_MAX = 24 << 20  # of keeper and worker of a disk
USER = "nobody"
FIRMWARE = "/usr/share/qemu/firmware"  # what libvirt chooses from
NAME = "web"
PROGRAMS = ("src/cli/mayfly", "src/disks/mayfly-disks", "src/keyagent/mayfly-keyagent", "src/image/inflate.so")

# The kernel is QEMU's alone: libvirt, and so Mayfly's rescue, takes the guest for one that boots from its first disk.
TEMPLATE = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>template</name><memory unit='MiB' dumpCore='off'>{mib}</memory><vcpu>1</vcpu>
  {os}
  <features><acpi/></features><on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>{folder}/qemu</emulator>
    <serial type='unix'><source mode='bind' path='{folder}/console'/><target port='0'/></serial>
  </devices>
  {more}
</domain>
"""
# QEMU, which waits before its first step while there is a file "hold".
EMULATOR = """#!/bin/sh
case "$*" in
*guest={name},*)
    if [ -e {folder}/home/hold ]; then : >{folder}/home/held; fi
    while [ -e {folder}/home/hold ]; do sleep 0.1; done
    ;;
esac
exec qemu-system-x86_64 "$@"
"""
BIOS = "<os><type arch='x86_64' machine='pc'>hvm</type></os>"
# Nobody has signed the guest's kernel.
UEFI = """<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type>
    <firmware><feature enabled='no' name='secure-boot'/></firmware></os>"""
KERNEL = """<qemu:commandline>
    <qemu:arg value='-kernel'/><qemu:arg value='{folder}/vmlinuz'/><qemu:arg value='-initrd'/><qemu:arg value='{folder}/initrd'/>
    <qemu:arg value='-append'/><qemu:arg value='console=ttyS0 quiet loglevel=3 nokaslr mitigations=off lpj=4000000 tsc=reliable no_timer_check cryptomgr.notests=1 8250.nr_uarts=1 random.trust_cpu=on'/>
  </qemu:commandline>"""


def ok(what):
    print(f"ok: {what}", flush=True)


def become(folder):
    """The user, who has nothing but a home folder and one for sockets."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    home, runtime = os.path.join(folder, "home"), os.path.join(folder, "run")
    for path in (home, runtime):
        os.mkdir(path, 0o700)
    name = pwd.getpwuid(os.geteuid()).pw_name
    kept = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    os.environ.clear()
    os.environ.update(HOME=home, XDG_RUNTIME_DIR=runtime, USER=name, LOGNAME=name, PATH="/usr/sbin:/usr/bin:/sbin:/bin",
                      LC_ALL="C.UTF-8", **kept)
    os.chdir(home)
    return home, runtime


def wait_for(what, true):
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end, f"still not so: {what}"
        time.sleep(0.2)


class Guest:
    """Its serial console, which QEMU has as a socket; what it says while nobody listens is lost."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(folder, "console"))
        self.said = ""

    def ask(self, command, *words):
        """Asks until it has said all of these."""
        end = time.monotonic() + TIMEOUT
        while not all(f"MAYFLY-GUEST {word}" in self.said for word in words):
            assert time.monotonic() < end, f"not said: {words}: {self.said[-2000:]!r}"
            self.socket.sendall(command.encode() + b"\n")
            while select.select([self.socket], [], [], 5)[0]:
                more = self.socket.recv(65536)
                assert more, f"the guest has ended: {self.said}"
                self.said += more.decode(errors="replace")


class User:
    def __init__(self, mayfly, folder, home, runtime):
        self.mayfly, self.folder, self.home, self.runtime = mayfly, folder, home, runtime
        self.image = os.path.join(folder, "guest.qcow2")
        self.disks = []  # their uuids, of all that there were

    def try_run(self, *words, **more):
        return subprocess.run([self.mayfly, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False, **more)

    def run(self, *words):
        began = time.monotonic()
        done = self.try_run(*words)
        assert done.returncode == 0, f"mayfly {' '.join(words)}: {done.returncode}: {done.stderr}"
        print(f"{time.monotonic() - began:6.1f} s  mayfly {' '.join(words)}", flush=True)
        return done.stdout

    def virsh(self, *words):
        return subprocess.run(["virsh", "-q", "-c", "qemu:///session", *words], capture_output=True, text=True, timeout=TIMEOUT, check=False)

    def instances(self):
        return {i["name"]: i for i in json.loads(self.run("list", "--json"))["instances"]}

    def state(self):
        return self.instances()[NAME]["state"]

    def look_at_disks(self):
        self.disks += [disk["uuid"] for disk in self.instances()[NAME]["disks"]]

    def keys(self):
        return [name for name in os.listdir(os.path.join(self.home, ".local/share/mayfly/keys")) if name not in ("seal.key", "identity")]

    def keepers(self):
        """Processes that serve disks of this user's instance, and have not ended."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    words = f.read()
            except OSError:
                continue
            if any(f"--disk=id={uuid[:20]}" in words for uuid in self.disks):
                found.append(int(pid))
        return found

    def memory_bytes(self):
        """Of all keepers and workers, without the guest's, which they share."""
        found = 0
        for pid in self.keepers():
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                found += sum(int(line.split()[1]) << 10 for line in f if line.startswith(("RssAnon:", "RssFile:")))
        return found

    def variables(self):
        """Files of UEFI variables, wherever they are."""
        return [name for _, _, names in os.walk(self.folder) for name in names if name.endswith("_VARS.fd")]

    def files_with(self, text):
        """All of the user's files but those of QEMU's boot, searched byte for byte."""
        found = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.isfile(path) or os.path.islink(path):
                    continue
                with open(path, "rb") as f:
                    if text.encode() in f.read():
                        found.append(os.path.relpath(path, self.folder))
        return found


def copy_programs(mayfly, folder):
    """The clone may lie where this user may not look: what mayfly starts lies beside it as in the build folder."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(mayfly))))
    for name in PROGRAMS:
        to = os.path.join(folder, "build", name)
        os.makedirs(os.path.dirname(to), mode=0o755, exist_ok=True)
        shutil.copy(os.path.join(build, name), to)
    return os.path.join(folder, "build", PROGRAMS[0])


def prepare(folder, image):
    plain = os.path.join(folder, "plain")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, plain], check=True)
    for name in ("vmlinuz", "initrd"):
        subprocess.run(["mcopy", "-i", plain + "@@1M", "::" + name, folder], check=True, env=dict(os.environ, MTOOLS_SKIP_CHECK="1"))
        os.chmod(os.path.join(folder, name), 0o644)
    os.unlink(plain)
    shutil.copy(image, os.path.join(folder, "guest.qcow2"))
    os.chmod(os.path.join(folder, "guest.qcow2"), 0o644)
    with open(os.path.join(folder, "qemu"), "w", encoding="utf-8") as f:
        f.write(EMULATOR.format(folder=folder, name=NAME))
    os.chmod(os.path.join(folder, "qemu"), 0o755)
    with open(os.path.join(folder, "template.xml"), "w", encoding="utf-8") as f:
        f.write(TEMPLATE.format(folder=folder, mib=192, os=BIOS, more=KERNEL.format(folder=folder)))
    with open(os.path.join(folder, "uefi.xml"), "w", encoding="utf-8") as f:
        f.write(TEMPLATE.format(folder=folder, mib=256, os=UEFI, more=""))


def launch(user, root, template="template.xml"):
    """A guest that has marked both of its disks."""
    user.virsh("list")  # his daemon starts, and has nothing of mayfly's environment
    user.run("launch", NAME, "--image", user.image, "--root", root, "--ephemeral", "32M", "--domain-xml",
             os.path.join(user.folder, template))
    assert user.state() == "running", user.state()
    user.look_at_disks()
    assert len(user.keepers()) == 4, user.keepers()  # of two disks
    guest = Guest(user.folder)
    guest.ask("read", "done")
    guest.ask(f"mark {TEXT}", "wrote vda", "wrote vdb", "marked")
    assert user.memory_bytes() < len(user.disks) * MEMORY_MAX, user.memory_bytes()
    ok(f"keeper and worker of a disk have {user.memory_bytes() / len(user.disks) / (1 << 20):.1f} MiB")
    assert user.files_with(TEXT) == [], user.files_with(TEXT)
    ok(f"its guest wrote '{TEXT}' to both disks, and none of this user's files has that")
    return guest


def begin_start(user):
    """`mayfly start` that has come to QEMU, which is held; its process."""
    with open("hold", "wb"):
        pass
    start = subprocess.Popen([user.mayfly, "start", NAME], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for("QEMU is held", lambda: os.path.exists("held"))
    os.unlink("held")
    return start


def end_servers(user):
    for pid in user.keepers():
        os.kill(pid, signal.SIGKILL)


def starts_that_are_held(user):
    keys = os.path.join(user.home, ".local/share/mayfly/keys")
    start = begin_start(user)
    os.rename(keys, "away")
    end_servers(user)
    said = start.communicate(timeout=TIMEOUT)[1]
    os.rename("away", keys)
    os.unlink("hold")
    assert start.returncode != 0 and "has ended" in said, (start.returncode, said)
    assert user.state() == "shut off" and user.keepers() == [], (user.state(), user.keepers())
    ok("the processes that serve its disks were killed at its start, and its key was away: the start has failed")

    start = begin_start(user)
    start.send_signal(signal.SIGINT)
    said = start.communicate(timeout=TIMEOUT)[1]
    os.unlink("hold")
    assert start.returncode != 0 and "stopped while" in said, (start.returncode, said)
    assert user.state() == "shut off" and user.keepers() == [], (user.state(), user.keepers())
    ok("a start was stopped while QEMU was held: all is undone")

    start = begin_start(user)
    end_servers(user)
    time.sleep(3)  # they are started again meanwhile
    os.unlink("hold")
    said = start.communicate(timeout=TIMEOUT)[1]
    assert start.returncode == 0, (start.returncode, said)
    Guest(user.folder).ask("read", f"read vda {TEXT}", f"read vdb {TEXT}")
    ok("with its key they were started again, and the guest came up")
    user.run("stop", "--force", NAME)


def life(user):
    folder = user.folder
    guest = launch(user, "1G")
    assert "workqueues" not in user.run("show", NAME)
    assert "LVM" not in user.try_run("doctor").stdout

    user.run("stop", "--force", NAME)
    assert user.state() == "shut off" and user.keepers() == [], (user.state(), user.keepers())
    starts_that_are_held(user)
    # without Mayfly its disks are closed, and QEMU waits for them
    with subprocess.Popen(["virsh", "-q", "-c", "qemu:///session", "start", NAME]) as virsh:
        time.sleep(3)
        assert virsh.poll() is None, virsh.returncode
        user.run("start", NAME)
        assert virsh.wait(TIMEOUT) == 0, virsh.returncode
    ok("virsh start has waited for mayfly start")
    guest = Guest(folder)
    guest.ask("read", f"read vda {TEXT}", f"read vdb {TEXT}")
    assert "corrupt" not in guest.said, guest.said
    for pid in user.keepers():  # the guest waits, and goes on
        os.kill(pid, signal.SIGKILL)
    wait_for("keepers are gone", lambda: user.keepers() == [])
    user.run("start", NAME)
    guest.ask(f"mark {TEXT}", "wrote vda", "wrote vdb", "marked")
    ok("the processes that serve its disks were killed: after mayfly start the guest goes on")
    guest.socket.sendall(b"poweroff\n")  # and nobody else does anything
    wait_for("a guest that ended by itself has no disk open", lambda: user.keepers() == [])
    assert user.state() == "shut off", user.state()
    ok("it has shut itself down: its disks are closed")

    user.run("export", NAME, os.path.join(user.home, "web.qcow2"))
    assert user.files_with(TEXT) == [], user.files_with(TEXT)
    user.run("export", NAME, "--plaintext", os.path.join(user.home, "open.qcow2"))  # the search finds what is there
    assert user.files_with(TEXT) == ["home/open.qcow2"], user.files_with(TEXT)
    ok("the same search finds it in an image that was exported in plaintext")
    os.unlink("open.qcow2")


def grow(user, guest):
    """The running guest sees it."""
    assert user.instances()[NAME]["disks"][1]["size_bytes"] == 32 << 20
    guest.ask(f"write vdb {32 << 20} BEHIND", "error vdb")
    user.run("resize", NAME, "--disk", "eph0", "64M")
    guest.ask(f"write vdb {32 << 20} BEHIND", "written vdb")
    ok("the running guest sees its disk grow")


def add(user):
    """One more while it runs, and away again."""
    user.run("add-disk", NAME, "--ephemeral", "16M")
    user.look_at_disks()
    assert len(user.keepers()) == 6, user.keepers()
    user.run("remove-disk", "--yes", NAME, "eph1")
    assert len(user.keepers()) == 4, user.keepers()
    ok("a disk has come, and gone, while it ran")


def reboot(user):
    """By its own means, and by force."""
    guest = Guest(user.folder)
    user.run("reboot", NAME)
    guest.ask("", "ready disks=vda:root:ext4,vdb:ephemeral0:ext4")
    guest.ask("read", f"read vda {TEXT}", f"read vdb {TEXT}")
    guest.socket.close()
    user.run("reboot", NAME, "--hard")
    Guest(user.folder).ask("read", f"read vda {TEXT}", f"read vdb {TEXT}")
    assert len(user.keepers()) == 4, user.keepers()
    ok("it has what it wrote after a reboot, and after one by force")


def rescue(user):
    """From another disk, with its own behind."""
    user.run("rescue", NAME, "--image", user.image, "--timeout", "0")
    user.look_at_disks()
    assert len(user.keepers()) == 6, user.keepers()
    guest = Guest(user.folder)
    guest.ask("ready", "ready disks=vda:root:ext4,vdb:root:ext4,vdc:ephemeral0:ext4")
    guest.ask("read", "read vda none", f"read vdb {TEXT}", f"read vdc {TEXT}")
    guest.ask("mark inside-of-rescue", "wrote vdb", "wrote vdc", "marked")
    assert user.files_with("inside-of-rescue") == [], user.files_with("inside-of-rescue")
    user.run("recover")
    assert user.instances()[NAME]["in_rescue"]
    ok("it runs from the rescue disk, with its own behind")

    user.run("unrescue", NAME, "--timeout", "0")
    assert len(user.keepers()) == 4, user.keepers()
    guest = Guest(user.folder)
    guest.ask("read", "read vda inside-of-rescue", "read vdb inside-of-rescue")
    guest.ask(f"dump vdb {32 << 20} 6", "dumped vdb")
    assert "BEHIND" in guest.said, guest.said
    ok("and from its own again, with what was written to them in rescue")


def rebuild(user):
    """Other disks, of the same size, and another key."""
    keys = user.keys()
    user.run("rebuild", "--yes", NAME, "--image", user.image)
    assert len(user.keys()) == 1 and user.keys() != keys, (keys, user.keys())
    user.look_at_disks()
    user.run("start", NAME)
    guest = Guest(user.folder)
    guest.ask("ready", "ready disks=vda:root:ext4,vdb:ephemeral0:ext4")
    guest.ask("read", "read vda none", "read vdb none")
    guest.ask(f"write vdb {32 << 20} AGAIN", "written vdb")
    ok("it has other disks and another key; of the old ones nothing is left")


def changes(user):
    guest = launch(user, "160M")
    grow(user, guest)
    add(user)
    guest.socket.close()
    reboot(user)
    rescue(user)
    user.run("stop", "--force", NAME)
    rebuild(user)
    user.run("stop", "--force", NAME)
    assert user.keepers() == [], user.keepers()


def uefi(user):
    """What the firmware reads, by a driver of its own, is the kernel that runs."""
    launch(user, "160M", template="uefi.xml").socket.close()
    assert user.variables(), "the guest has no variables of UEFI"
    ok("UEFI has booted it from its disk")


def end(user):
    user.run("delete", "--yes", NAME)
    assert user.instances() == {}, user.instances()
    assert user.variables() == [], user.variables()
    assert user.virsh("list", "--all", "--name").stdout.split() == [], "a domain is left"
    assert os.listdir(os.path.join(user.runtime, "mayfly")) == ["lock"], os.listdir(os.path.join(user.runtime, "mayfly"))
    user.run("recover")
    left = [os.path.join(f, n) for f, _, names in os.walk(os.path.join(user.home, ".local/share/mayfly/disks")) for n in names]
    assert all(os.path.basename(path) in ("pool", "lock") for path in left), left
    assert user.keepers() == [], user.keepers()
    ok("no process, socket or file of it is left")


def end_processes(user):
    """Those that this user has for this test alone: his libvirt's daemon, and what is left after a failure."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                has = f.read().split(b"\0")
        except OSError:
            continue
        ours = {f"XDG_RUNTIME_DIR={user.runtime}".encode(), f"HOME={user.home}".encode()}  # QEMU has but the latter
        if ours & set(has) and int(pid) != os.getpid():
            os.kill(int(pid), signal.SIGKILL)


def main():
    mayfly, image, what = sys.argv[1:]
    tools = ("libvirtd", "virsh", "qemu-system-x86_64", "mcopy")
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    if not os.path.exists(image) or not all(map(shutil.which, tools)) or (what == "uefi" and not os.path.exists(FIRMWARE)):
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="mayfly-user-", dir="/tmp")  # sockets have short names
    status = 1
    child = os.fork()
    if child == 0:
        os.umask(0o022)
        prepare(folder, image)
        mayfly = copy_programs(mayfly, folder)
        user = User(mayfly, folder, *become(folder))
        try:
            {"life": life, "changes": changes, "uefi": uefi}[what](user)
            end(user)
            status = 0
        except BaseException as why:  # noqa: all that can go wrong is told
            traceback.print_exception(why)
        finally:
            end_processes(user)
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


main()
