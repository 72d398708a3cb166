# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What scripts about mayfly itself share (tests, demo, benchmarks): a host with a volume group, a configuration and
# libvirt; questions about instances; guests that are talked to. To be sourced behind lab/lib.sh, inside a lab, with
# BUILD and SRC set.

# The checkout may lie where only root can go; the user mayfly, and others, find the programs here.
mkdir -p /run/build
mount --bind "$BUILD" /run/build
BUILD=/run/build
PATH=$BUILD/src/cli:$PATH
. "$SRC/lab/lib-world.sh"
image=/run/images/guest.qcow2

# libvirt's hook, as it is installed; libvirtd has to be started after it.
install_hook() {
    mkdir -p /etc/libvirt/hooks/qemu.d
    sed "s|@bindir@|$BUILD/src/cli|" "$SRC/data/libvirt-hook.in" >/etc/libvirt/hooks/qemu.d/mayfly
    chmod 755 /etc/libvirt/hooks/qemu.d/mayfly
}

# A host ready for use: vg0 on DISK, keys kept, libvirtd up, with the hook. host_up DISK [OPTION=VALUE...]
host_up() {
    local disk=$1
    shift
    lab_users
    lab_vg vg0 "$disk"
    lab_config "$@"
    install_hook
    lab_libvirtd
}

# The lab's guest image, where the user mayfly may read it.
guest_image() {
    mkdir -p "${image%/*}"
    install -m 644 "$SRC/build/lab/guest.qcow2" "$image"
}

# disk_field NAME ROLE FIELD: what `show --json` tells of a disk.
disk_field() {
    mayfly show "$1" --json | python3 -ISc '
import json, sys
disks = json.load(sys.stdin)["instance"]["disks"]
print(*[d[sys.argv[2]] for d in disks if d["role"] == sys.argv[1]])' "$2" "$3"
}
disk_lv() { echo "/dev/$(disk_field "$1" "$2" volume_group)/$(disk_field "$1" "$2" volume)"; }
disk_device() { disk_field "$1" "$2" device; }
state_of() { # NAME
    mayfly show "$1" --json | python3 -ISc 'import json, sys; print(json.load(sys.stdin)["instance"]["state"])'
}

# The same at a glance: as long as it does not change, neither does the world. LVM's metadata is in the first MiB of a disk.
glance() {
    local disk
    for disk in $LAB_DISKS; do dd if="$disk" bs=1M count=1 iflag=direct status=none | cksum; done
    our_maps
    our_keys
    ls -li --time-style=full-iso /etc/libvirt/qemu
}

# refused STATUS PATTERN WHAT COMMAND...: exits with STATUS, says PATTERN on stderr, and changes nothing. To look takes
# seconds, so what was seen after one refusal is what should be there before the next; who changes something in between
# says world_changed.
refused_world='' refused_glance=''
world_changed() { refused_world=''; }
refused() {
    local wanted=$1 pattern=$2 what=$3 status=0 after
    shift 3
    if [ -z "$refused_world" ]; then
        refused_world=$(world)
        refused_glance=$(glance)
    fi
    "$@" 2>/tmp/refused.err || status=$?
    [ "$status" = "$wanted" ] || fail "$what: status $status, not $wanted: $(cat /tmp/refused.err)"
    grep -qE -- "$pattern" /tmp/refused.err || fail "$what: said '$(cat /tmp/refused.err)', not '$pattern'"
    if [ "$(glance)" != "$refused_glance" ]; then # even if all was put back
        after=$(world)
        [ "$refused_world" = "$after" ] || fail "$what: changed something: $(diff <(echo "$refused_world") <(echo "$after"))"
        refused_glance=$(glance)
    fi
    ok "$what: $(head -c 300 /tmp/refused.err)"
}

# until_progress LINE COMMAND...: starts a command that tells its progress to descriptor 9 (mayfly --progress-fd 9), and comes
# back when a line of that begins so. Its pid is in $pid, what it says in /tmp/err.
until_progress() {
    local begin=$1 line
    shift
    [ -p /tmp/progress ] || mkfifo /tmp/progress
    "$@" 2>/tmp/err 9>/tmp/progress &
    # shellcheck disable=SC2034 # the caller's
    pid=$!
    exec 8</tmp/progress
    while IFS= read -r line <&8 && [[ $line != "$begin"* ]]; do :; done
    cat <&8 >/dev/null & # so that it never waits for us
    exec 8<&-
}

# recovered [as USER]: the broker of a mayfly that was killed may still be at work for a moment, and keeps its locks so long.
recovered() { "$@" mayfly recover >/tmp/recovered && ! grep -q '^busy' /tmp/recovered; }

# repeat TEXT SIZE: lines of TEXT, cut at SIZE (16M).
repeat() { { yes "$1" 2>/dev/null || true; } | head -c "$2"; }

# guest NAME COMMAND REGEX: types a command; prints the answer up to the line MAYFLY-GUEST REGEX.
# Both wait for the line's end too: a console is read while the guest writes, so a line may be half there.
guest() {
    lab_console_send "$1" "$2\n"
    lab_console_expect "$1" "(?s).*?MAYFLY-GUEST ($3)[^\n]*(?=\n)" 900 || fail "$1: no answer to '$2'"
}
guest_up() { lab_console_expect "$1" 'MAYFLY-GUEST ready[^\n]*(?=\n)' 900 || fail "$1 did not come up"; }
