# SPDX-License-Identifier: Apache-2.0
# Instances whose keys are in real Barbican: each has a secret there. A guest boots, and what it wrote is there when the host
# itself has started it again.
# openstack: -d 1G -m 2G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read
guest_image

check "alice launches two" as alice mayfly launch vm --count 2 --image "$image" --root 300M --ephemeral 16M --memory 192M --no-start
check_equal "with a secret each" 2 "$(our_keys | wc -l)"
check_kept vm-1 256
check_kept vm-2 256
check "start" as alice mayfly start vm-1
guest_up vm-1 >/dev/null
guest vm-1 'mark FIRST-MARK' marked >/dev/null
check "stop" as alice mayfly stop vm-1 --timeout 60
check_equal "no map is left open" "" "$(our_maps)"
check "the host starts it, with nobody's credentials but its own" mayfly start vm-1
guest_up vm-1 >/dev/null
check_equal "what it wrote is there, on both disks" 2 "$(guest vm-1 read 'done' | grep -c 'read vd. FIRST-MARK')"
check "delete, while one runs" as alice mayfly delete --yes vm-1 vm-2
nothing_left
