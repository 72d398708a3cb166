# SPDX-License-Identifier: Apache-2.0
# No key is left in Barbican by a launch that was cut off in the middle: by a group that someone else has filled meanwhile, by
# SIGTERM, and, after recover, by SIGKILL.
# openstack: -d 1G -m 1G -t 5400
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read
as alice mayfly launch there --root 16M --no-start >/dev/null # which is to stay as it is
before=$(world)
set -m # each job is a process group, as in a terminal
mapfile -t alice < <(os_variables alice)
launch=(env "${alice[@]}" mayfly --progress-fd 9 launch new --no-start --root 16M --ephemeral 16M)

status=0
until_progress 'step create volume' "${launch[@]}" --count 8
lvcreate -q -Zn -Wn -y -n hog -l 100%FREE vg0 >/dev/null
wait "$pid" || status=$?
lvremove -q -y vg0/hog >/dev/null
check_equal "no room for all: $(cat /tmp/err)" 10 "$status"
check_equal "  nothing is left" "$before" "$(world)"

for line in 'step create' 'step format' 'step define'; do
    status=0
    until_progress "$line" "${launch[@]}" --count 2
    kill -TERM -- "-$pid"
    wait "$pid" || status=$?
    check_equal "SIGTERM at '$line': $(cat /tmp/err)" 143 "$status"
    check_equal "  nothing is left" "$before" "$(world)"
done

as_before() { recovered as alice && [ "$(world)" = "$before" ]; }
for line in 'step create' 'step format' 'step define'; do
    until_progress "$line" "${launch[@]}" --count 2
    kill -KILL "$pid"
    wait "$pid" || true
    check "SIGKILL at '$line': nothing is left after recover" lab_wait 300 as_before
done
