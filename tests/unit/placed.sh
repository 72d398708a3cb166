#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# placed.sh BUILD: each file is installed in its place with its mode, and does what it is there for: the hook as libvirt calls
# it, the user and the folders that systemd makes.
set -euo pipefail
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
DESTDIR=$folder/root meson install -C "$build" --no-rebuild >"$folder/log"
prefix=/usr/local
failed=0

say() {
    echo "FAILED: $*"
    failed=1
}

# --- places and modes, below the prefix where there is no slash
cat >"$folder/wanted" <<'EOF'
0755 bin/mayfly
0755 libexec/mayfly/mayfly-broker
0755 libexec/mayfly/mayfly-disks
0755 libexec/mayfly/mayfly-keyagent
0755 libexec/mayfly/inflate.so
0644 lib/systemd/system/mayfly-broker.socket
0644 lib/systemd/system/mayfly-broker@.service
0644 lib/systemd/system/mayfly-recover.service
0644 lib/systemd/system/mayfly-recover-quick.service
0644 lib/systemd/system/mayfly-recover.timer
0644 lib/systemd/system/libvirtd.service.d/mayfly.conf
0644 lib/systemd/system/virtqemud.service.d/mayfly.conf
0644 lib/sysusers.d/mayfly.conf
0644 lib/tmpfiles.d/mayfly.conf
0644 share/mayfly/domain.xml
0644 share/mayfly/schema/output-1.json
0644 share/doc/mayfly/lvmlocal.conf.sample
0644 share/doc/mayfly/mayfly.conf.sample
0644 share/doc/mayfly/examples/drive.py
0644 share/bash-completion/completions/mayfly
0644 share/zsh/site-functions/_mayfly
0644 share/man/man1/mayfly.1
0644 share/man/man5/mayfly.conf.5
0644 share/man/man7/mayfly-cli.7
0644 share/man/man7/mayfly-credentials.7
0644 share/man/man7/mayfly-json.7
0644 share/man/man7/mayfly-security.7
0644 share/man/man7/mayfly-states.7
0644 share/man/man7/mayfly-tags.7
0644 share/man/man7/mayfly-user.7
0644 share/man/man7/mayfly-nova.7
0644 share/man/man7/mayfly-programs.7
0644 /etc/mayfly/mayfly.conf
0755 /etc/libvirt/hooks/qemu.d/mayfly
EOF
sed -nE 's|^VERB\(.*, "([a-z-]+)", .*|0644 share/man/man1/mayfly-\1.1|p' "$(dirname "$0")/../../src/cli/verbs.def" >>"$folder/wanted"
sed -E "s| ([^/])| $prefix/\1|" "$folder/wanted" | sort >"$folder/wanted.sorted"
(cd "$folder/root" && find . -type f -printf '%04m /%P\n' | sort) >"$folder/there"
diff "$folder/wanted.sorted" "$folder/there" || say "this is wanted (<) and there (>)"
for name in etc/mayfly etc/mayfly/mayfly.conf.d; do
    [ "$(stat -c %a "$folder/root/$name")" = 755 ] || say "$name may be written to by others"
done
for daemon in libvirtd virtqemud; do
    grep -qx 'After=network-online.target' "$folder/root$prefix/lib/systemd/system/$daemon.service.d/mayfly.conf" ||
        say "autostarts of $daemon do not wait for the network"
done
grep -q '^enabled = true$' "$folder/root/etc/mayfly/mayfly.conf" || say "a fresh installation does not encrypt"

# --- programs that nobody can turn easily
for program in bin/mayfly libexec/mayfly/mayfly-broker libexec/mayfly/mayfly-disks libexec/mayfly/mayfly-keyagent; do
    readelf -hld "$folder/root$prefix/$program" >"$folder/elf" 2>/dev/null
    grep -q 'Type: *DYN' "$folder/elf" || say "$program is not position independent"
    grep -q GNU_RELRO "$folder/elf" || say "$program: its relocations can be written to"
    grep -qE 'BIND_NOW|Flags:.*NOW' "$folder/elf" || say "$program: binds when it runs"
done

# --- the host's LVM, as it is told there, reads neither maps nor volumes of guests, and all the rest
grep -oE '"r\|.*\|"' "$folder/root$prefix/share/doc/mayfly/lvmlocal.conf.sample" | sed 's/", "/\n/g; s/"//g; s/^ *r|//Mg; s/|$//Mg' >"$folder/rejected"
uuid=11111111-1111-4111-8111-111111111111
for disk in "${uuid}_disk" "${uuid}_disk.eph0" "${uuid}_disk.swap"; do
    for path in "/dev/mapper/$disk-dmcrypt" "/dev/vg0/$disk"; do
        grep -qEf "$folder/rejected" <<<"$path" || say "LVM would read $path"
    done
done
for path in /dev/sda2 /dev/mapper/vg0-root /dev/vg0/backup_disk /dev/mapper/luks-dmcrypt-1; do
    ! grep -qEf "$folder/rejected" <<<"$path" || say "LVM would not read $path"
done

# --- the hook runs mayfly before a start and after an end, as libvirt has called it, and says how that ended
hook=$folder/hook
sed "s|$prefix/bin/mayfly|$folder/mayfly|g" "$folder/root/etc/libvirt/hooks/qemu.d/mayfly" >"$hook"
# shellcheck disable=SC2016 # for the script
printf '#!/bin/sh\nprintf "<%%s>" "$@" >>%s\ncat >>%s\nexit 3\n' "$folder/called" "$folder/called" >"$folder/mayfly"
chmod +x "$folder/mayfly"
for call in "prepare begin" "start begin" "started begin" "stopped end" "release end" "migrate begin" "restore begin" "reconnect begin" \
    "attach begin" "prepare end"; do
    status=0
    # shellcheck disable=SC2086 # two words
    sh "$hook" "-web 1" $call - <<<"<$call/>" || status=$?
    case $call in
    "prepare begin" | "release end") [ "$status" = 3 ] || say "$call of the hook does not say how mayfly ended" ;;
    *) [ "$status" = 0 ] || say "$call of the hook fails" ;;
    esac
done
diff - "$folder/called" <<'EOF' || say "the hook did not call mayfly like this (<)"
<hook><--><-web 1><prepare><begin><-><prepare begin/>
<hook><--><-web 1><release><end><-><release end/>
EOF

# --- the user, its groups and folders
if [ "$(id -u)" = 0 ] && command -v systemd-sysusers systemd-tmpfiles >/dev/null; then
    mkdir -p "$folder/host/etc"
    systemd-sysusers --root="$folder/host" "$folder/root$prefix/lib/sysusers.d/mayfly.conf" 2>"$folder/log" || cat "$folder/log"
    grep -qE '^mayfly:[^:]*:[0-9]+:[0-9]+:Mayfly:/var/lib/mayfly:.*/nologin$' "$folder/host/etc/passwd" ||
        say "the user is not as mayfly becomes it: $(grep mayfly "$folder/host/etc/passwd")"
    grep -qE '^libvirt:.*:mayfly$' "$folder/host/etc/group" || say "the user mayfly may not talk to libvirt"
    user=$(sed -n 's/^mayfly:[^:]*:\([0-9]*\):.*/\1/p' "$folder/host/etc/passwd")
    group=$(sed -n 's/^mayfly:[^:]*:\([0-9]*\):.*/\1/p' "$folder/host/etc/group")
    systemd-tmpfiles --root="$folder/host" --create "$folder/root$prefix/lib/tmpfiles.d/mayfly.conf" 2>"$folder/log" || cat "$folder/log"
    while read -r wanted name; do
        [ "$(stat -c '%a %u %g' "$folder/host$name" 2>&1)" = "${wanted//:/ }" ] ||
            say "$name is $(stat -c '%a %u %g' "$folder/host$name" 2>&1), not ${wanted//:/ }"
    done <<EOF
755:0:0 /run/mayfly
750:$user:$group /var/lib/mayfly
700:$user:$group /var/lib/mayfly/keys
EOF
fi
exit $failed
