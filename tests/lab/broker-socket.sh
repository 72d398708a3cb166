# SPDX-License-Identifier: Apache-2.0
# The broker as systemd starts it, one for each connection, for users of the group mayfly.
# lab: -d 100M -t 1080
. "$SRC/lab/lib.sh"
. "$SRC/tests/lab/lib-broker.sh"
requires "$probe" "$broker" systemd-socket-activate
lab_vg vg0 /dev/ubda
lab_users
install -d -m 755 /run/mayfly
cp "$probe" /run/broker-probe # the checkout may be closed to others
socket=/run/mayfly/broker.sock
systemd-socket-activate --accept --inetd --seqpacket -l $socket "$broker" 2>/tmp/activate &
activate=$!
lab_wait 120 test -S $socket
chmod 660 $socket
chown root:mayfly $socket

answers=$(as_mayfly /run/broker-probe $socket <<END
volume vg0 $a root 8388608 7
lock
create
open
write hello
read
drop
close
list
END
)
check_equal "a member of the group has all of it" \
    "volume ok lock ok create ok open ok write ok hello read ok drop ok close ok ${a}_disk building 8388608 - list ok" \
    "$(xargs <<<"$answers")"
check "though the device's node is closed to it" as_mayfly bash -c "! test -r /dev/vg0/${a}_disk"
check_equal "the folder is still open to it" 755 "$(stat -c %a /run/mayfly)"

answers=$(setpriv --reuid 12345 --regid 12345 --clear-groups /run/broker-probe $socket </dev/null 2>/tmp/err) || true
check_equal "anybody else is told what to do" "connect EACCES" "$answers"
check "in a sentence" grep -q 'add the user to the group mayfly' /tmp/err
kill $activate
wait $activate || true
lab_wait 120 bash -c '! pidof mayfly-broker'
answers=$(/run/broker-probe $socket </dev/null 2>/tmp/err) || true
check_equal "nobody listens" "connect ECONNREFUSED" "$answers"
