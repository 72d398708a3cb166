# SPDX-License-Identifier: Apache-2.0
# A user who is not root, in the groups mayfly and libvirt: the broker by its socket, with systemd's own activation, and keys of
# their own. Another user, outside the group, gets nowhere; another inside it cannot open what is not theirs.
# lab: -d 512M -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
requires systemd-socket-activate
host_up /dev/ubda

add_user() { # NAME UID
    echo "$1:x:$2:$2::/home/$1:/bin/bash" >>/etc/passwd
    echo "$1:x:$2:" >>/etc/group
    install -d -o "$2" -g "$2" -m 700 "/home/$1"
}
join() { sed -i -E "s/^($2:.*:)(.*)$/\1\2,$1/; s/:,/:/" /etc/group; } # NAME GROUP
as() { # NAME COMMAND...
    local name=$1
    shift
    setpriv --reuid "$name" --regid "$name" --init-groups --inh-caps=-all \
        env HOME="/home/$name" USER="$name" PATH="$PATH" "$@"
}
mount -t tmpfs tmpfs /home
add_user ann 2001
add_user bob 2002
add_user eve 2003
for name in ann bob; do join $name mayfly; join $name libvirt; done

check_fails 4 "no socket, no broker" as ann mayfly list 2>/tmp/err
check "  and the way out is said" grep -q 'mayfly-broker.socket' /tmp/err

mkdir -p /run/mayfly
systemd-socket-activate --seqpacket --accept --inetd -l /run/mayfly/broker.sock "$BUILD/src/broker/mayfly-broker" \
    >/tmp/broker.log 2>&1 &
lab_wait 120 test -S /run/mayfly/broker.sock
chown root:mayfly /run/mayfly/broker.sock
chmod 660 /run/mayfly/broker.sock

check_fails 2 "eve is not in the group" as eve mayfly list 2>/tmp/err
check "  and is told so" grep -q 'group mayfly' /tmp/err
check "ann launches" as ann mayfly launch a --root 16M --no-start
check "with keys of her own" test "$(find /home/ann/.local/share/mayfly/keys -type f ! -name seal.key ! -name identity | wc -l)" = 1
check_equal "not among root's" "" "$(our_keys)"

# Whoever takes over mayfly-keyagent, started by root and by ann, who themselves reach both sockets.
sed 's/^backend = .*/backend = barbican/' /etc/mayfly/mayfly.conf >/etc/mayfly/network.conf
attack() { # COMMAND...: mayfly asks Barbican, and what its agent reached is printed
    echo "$BUILD/tests/lab/takeover.so" >/etc/ld.so.preload
    "$@" env OS_AUTH_URL=https://keystone.test/v3 OS_USERNAME=u OS_PASSWORD=p OS_PROJECT_NAME=p OS_USER_DOMAIN_NAME=d \
        OS_PROJECT_DOMAIN_NAME=d mayfly --config-file /etc/mayfly/network.conf key list >/tmp/attack 2>&1 || true
    rm /etc/ld.so.preload
    grep '^takeover:' /tmp/attack | sort -u
}
# this kernel has no Landlock: what files it hides is in test_keyagent_sandbox
printf '%s\n' /run/libvirt/libvirt-sock /run/mayfly/broker.sock >/tmp/takeover
check_equal "an agent of root's reaches neither libvirt nor the broker" "$(sed 's/^/takeover: not /' /tmp/takeover)" "$(attack)"
check_equal "nor does ann's" "$(sed 's/^/takeover: not /' /tmp/takeover)" "$(attack as ann)"

check "she opens her disks" as ann mayfly open a
check "and closes them" as ann mayfly close a
check_fails 2 "bob has no key for them" as bob mayfly open a 2>/tmp/err
check "  and is told whose it is" grep -q 'user ann (2001)' /tmp/err
check_equal "no map was made" "" "$(our_maps)"

# Each has a key folder: what is not in one's own is no evidence, though it has keys and a sealing key.
check "bob launches too" as bob mayfly launch b --root 16M --no-start
check "and root" mayfly launch r --root 16M --no-start
anns=$(as ann mayfly show a --json | grep -o '"key": *"[^"]*"' | head -1 | cut -d'"' -f4)
uuid_a=$(as ann mayfly show a --json | grep -o '"uuid": *"[^"]*"' | head -1 | cut -d'"' -f4)
for who in "as bob" ""; do
    # shellcheck disable=SC2086 # words
    {
        refused 2 'user ann \(2001\)' "${who:-root} cannot delete a" $who mayfly delete --yes a
        refused 2 'user ann \(2001\)' "  nor start it" $who mayfly start a
        refused 2 'user ann \(2001\)' "  nor rebuild it" $who mayfly rebuild --yes --empty a
        refused 8 'needs it' "  nor destroy its key" $who mayfly key destroy --yes "$anns"
        check "  recover has nothing against it" $who mayfly recover >/tmp/out 2>&1
        check_fails 1 "  and advises nothing" grep -q delete /tmp/out
        check "  its key is unseen" grep -q 'unseen' <($who mayfly key list)
    }
done
check_fails 1 "virsh does not start it" virsh -q -c qemu:///system start "$uuid_a"
check "her key is there" as ann mayfly open a
check "  and opens her disks" as ann mayfly close a
check "bob deletes his" as bob mayfly delete --yes b
check "and root" mayfly delete --yes r
check "ann deletes" as ann mayfly delete --yes a
check_equal "her key is gone" 0 "$(find /home/ann/.local/share/mayfly/keys -type f ! -name seal.key ! -name identity | wc -l)"
nothing_left
