# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# lab/lib.sh: what the scripts of the lab share. To be sourced by bash:
#
#   . "$SRC/lab/lib.sh"          tests, inside a lab and on the host
#   . "$LAB_HOME/lib.sh"         any script inside a lab
#
# It turns on `set -euo pipefail`: a command that fails unexpectedly fails the script, and
# its line is told. The lab_* functions are for the inside alone: they mount, write to
# /etc, start daemons, all of which goes away with the lab.
set -euo pipefail

lab_state_dir=/var/lib/mayfly

# ------------------------------------------------------------------- reports

trap 'echo "failed: ${BASH_SOURCE[0]-stdin}:$LINENO: $BASH_COMMAND" >&2' ERR
set -E

ok() { echo "ok: $*"; }

fail() {
    echo "failed: $*" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# requires PROGRAM...: names for PATH, or whole paths.
requires() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is missing"
    done
}

# check WHAT COMMAND...: the command must succeed.
check() {
    local what=$1
    shift
    if "$@"; then ok "$what"; else fail "$what ($* gave $?)"; fi
}

# check_fails STATUS WHAT COMMAND...: the command must exit with just that status.
check_fails() {
    local wanted=$1 what=$2 status=0
    shift 2
    "$@" || status=$?
    [ "$status" = "$wanted" ] || fail "$what ($* gave $status, not $wanted)"
    ok "$what"
}

# check_equal WHAT WANTED FOUND
check_equal() {
    [ "$2" = "$3" ] || fail "$1: '$3' where '$2' was expected"
    ok "$1"
}

# lab_wait SECONDS COMMAND...: until the command succeeds; fails if the time runs out. Be generous: machines may be slow, and a
# wait that succeeds costs nothing.
lab_wait() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# ------------------------------------------------------- the machine as such

# Does not come back: lab/run turns the power off, nothing is synced or unmounted.
lab_powercut() {
    : >"$LAB_JOB/POWERCUT"
    sleep 60
    fail "the power was not cut"
}

# Without udevd dmsetup must be told to make its own nodes. Only dmsetup: programs of ours
# have to find out by themselves.
if [ -z "${LAB_UDEV-}" ] && [ -n "${LAB_JOB-}" ]; then
    dmsetup() { DM_DISABLE_UDEV=1 command dmsetup "$@"; }
fi

# lab_vg NAME DISK...: the volume group, made if the disks have none yet, else activated.
lab_vg() {
    local name=$1
    shift
    if vgs "$name" >/dev/null 2>&1; then
        vgchange -q -ay "$name" >/dev/null
    else
        vgcreate -q -s 1M "$name" "$@" >/dev/null
    fi
}

# ----------------------------------------------------------- users and state

lab_free_id() { # DATABASE: a number that neither users nor groups have
    local id=900
    while getent passwd "$id" >/dev/null || getent group "$id" >/dev/null; do
        id=$((id - 1))
    done
    echo "$id"
}

# /etc/passwd and /etc/group by hand: useradd also wants to read /etc/shadow, which a lab
# that an ordinary user started can't, and takes a second for it.
lab_users() {
    getent group libvirt >/dev/null || echo "libvirt:x:$(lab_free_id):" >>/etc/group
    if ! getent passwd mayfly >/dev/null; then
        local id
        id=$(lab_free_id)
        getent group mayfly >/dev/null || echo "mayfly:x:$id:" >>/etc/group
        id=$(getent group mayfly | cut -d: -f3)
        echo "mayfly:x:$id:$id:Mayfly:$lab_state_dir:/usr/sbin/nologin" >>/etc/passwd
    fi
    id -nG mayfly | grep -qw libvirt ||
        sed -i -E 's/^(libvirt:.*:)$/\1mayfly/; s/^(libvirt:.*[^:])$/\1,mayfly/' /etc/group
    [ -d "$lab_state_dir" ] || mount_fresh_state
    install -d -o mayfly -g mayfly -m 750 "$lab_state_dir"
    install -d -o mayfly -g mayfly -m 700 "$lab_state_dir/keys"
}

mount_fresh_state() {
    mkdir -p "$lab_state_dir"
    mount -t tmpfs tmpfs "$lab_state_dir"
}

# as_mayfly COMMAND...: as the user mayfly with its groups, without capabilities.
as_mayfly() {
    setpriv --reuid mayfly --regid mayfly --init-groups --inh-caps=-all \
        env HOME="$lab_state_dir" USER=mayfly "$@"
}

lab_is_blank() { # DISK: its first MiB is zero
    cmp -s -n 1048576 "$1" /dev/zero
}

# lab_state DISK: keeps keys and domain definitions on a small ext4 disk, so that they
# outlive a power cut. Calls lab_users. The disk is formatted only if it is blank.
lab_state() {
    local disk=$1 top=/run/lab/state
    if lab_is_blank "$disk"; then
        mkfs.ext4 -q "$disk"
    fi
    mkdir -p "$top" "$lab_state_dir" /etc/libvirt/qemu
    mount -t ext4 "$disk" "$top"
    mkdir -p "$top/mayfly" "$top/domains"
    mount --bind "$top/mayfly" "$lab_state_dir"
    mount --bind "$top/domains" /etc/libvirt/qemu
    lab_users
}

# ----------------------------------------------------------------- settings

# lab_config [SECTION.OPTION=VALUE]...: /etc/mayfly/mayfly.conf, with these besides or
# instead of the usual ones.
lab_config() {
    local -A options=(
        [ephemeral_storage_encryption.enabled]=true
        [libvirt.images_volume_group]=vg0
        [libvirt.connection_uri]=qemu:///system
        [key_manager.backend]=local
    )
    local pair
    for pair; do
        options[${pair%%=*}]=${pair#*=}
    done
    mkdir -p /etc/mayfly
    for pair in "${!options[@]}"; do
        printf '%s %s = %s\n' "${pair%%.*}" "${pair#*.}" "${options[$pair]}"
    done | sort | awk '
        $1 != section { section = $1; print "[" section "]" }
        { sub(/^[^ ]+ /, ""); print }' >/etc/mayfly/mayfly.conf
    chmod 0644 /etc/mayfly/mayfly.conf
}

# ------------------------------------------------------------------ libvirt

lab_qemu_probes=/var/cache/libvirt/qemu/capabilities

# What libvirtd found out about QEMU costs seconds, and holds for all labs of a build.
lab_take_probes() {
    mkdir -p "$lab_qemu_probes"
    if [ -d "${LAB_CACHE-}/capabilities" ]; then
        cp -p "$LAB_CACHE"/capabilities/*.xml "$lab_qemu_probes" || true
    fi
}

lab_keep_probes() {
    local file target fresh
    [ -n "${LAB_CACHE-}" ] || return 0
    mkdir -p "$LAB_CACHE/capabilities"
    for file in "$lab_qemu_probes"/*.xml; do
        target=$LAB_CACHE/capabilities/${file##*/}
        cmp -s "$file" "$target" && continue
        # several labs may do this at once
        fresh=$(mktemp "$LAB_CACHE/capabilities/new.XXXXXX")
        cp -p "$file" "$fresh" && mv "$fresh" "$target"
    done
}

# At each start of a domain libvirtd asks QEMU for some 400 properties of the processor,
# one by one: 20 s in here. It asks for none if QEMU is said to lack this capability.
# Fails if there was nothing to mend.
lab_mend_probes() {
    local flag="<flag name='cpu-unavailable-features'/>"
    grep -qF "$flag" "$lab_qemu_probes"/*.xml || return 1
    sed -i "\\|$flag|d" "$lab_qemu_probes"/*.xml
}

lab_libvirt_config() {
    rm -f /etc/libvirt/libvirtd.conf /etc/libvirt/qemu.conf
    cat >/etc/libvirt/libvirtd.conf <<-'END'
	unix_sock_group = "libvirt"
	unix_sock_rw_perms = "0770"
	auth_unix_ro = "none"
	auth_unix_rw = "none"
	log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
	END
    cat >/etc/libvirt/qemu.conf <<-END
	user = "${lab_qemu_user:-root}"
	group = "${lab_qemu_user:-root}"
	namespaces = []
	cgroup_controllers = []
	stdio_handler = "file"
	security_driver = "none"
	END
}

lab_start_libvirtd() {
    libvirtd --daemon --pid-file /run/libvirtd.pid
    virsh -q -c qemu:///system version >/dev/null ||
        fail "libvirtd does not answer: $(tail -5 /var/log/libvirt/libvirtd.log)"
}

# Starts libvirtd, with what is in /etc/libvirt/hooks at that moment, and logs the consoles
# of all domains. Members of the group libvirt may connect. QEMU runs as lab_qemu_user (root).
# Calling it again restarts it.
lab_libvirtd() {
    lab_users
    lab_libvirt_config
    lab_take_probes
    mkdir -p /var/log/libvirt/qemu
    if [ -e /run/libvirtd.pid ]; then
        lab_stop_libvirtd
    fi
    lab_start_libvirtd
    if lab_mend_probes; then
        lab_keep_probes
        lab_stop_libvirtd
        lab_start_libvirtd
    fi
    lab_watch_consoles
}

lab_watch_consoles() {
    [ ! -e /run/lab/console.pid ] || return 0
    mkdir -p /run/lab
    setsid "$LAB_HOME/console" watch </dev/null >/run/lab/console.err 2>&1 &
    echo $! >/run/lab/console.pid
}

lab_stop_libvirtd() {
    local pid
    pid=$(</run/libvirtd.pid)
    kill "$pid"
    lab_wait 120 test ! -e "/proc/$pid"
    rm -f /run/libvirtd.pid
}

# lab_console_expect DOMAIN REGEX SECONDS: prints the match; looks on from the last match.
lab_console_expect() { "$LAB_HOME/console" expect "$@"; }

# lab_console_send DOMAIN TEXT: types it; \n is a newline.
lab_console_send() { "$LAB_HOME/console" send "$@"; }
