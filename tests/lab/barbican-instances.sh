# SPDX-License-Identifier: Apache-2.0
# Instances whose keys are in real Barbican. Each has a secret there, named, with a consumer, open to the host; of 256 and 512
# bits, stored and ordered. A guest boots, and what it wrote is there when the host itself has started it again.
# openstack: -d 1G -m 2G -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read
guest_image

# kept NAME BITS: Barbican itself tells so of the instance's secret.
kept() {
    local id uuid
    id=$(key_id "$1")
    uuid=$(virsh -q -c qemu:///system domuuid "$1" | tr -d ' \n')
    check "$1: its secret is named, and has $2 bits" \
        grep -qxE "$id mayfly/lab-[0-9a-f]{8}/vg0/instance/$uuid $2" <(our_keys)
    check_equal "  the host may read it, and the instance is its consumer" \
        "status 200 200 200
bytes $(($2 / 8))
reader $COMPUTE_ID
consumer mayfly instance $uuid" "$(openstack api show alice "$id")"
}

check "alice launches two" as alice mayfly launch vm --count 2 --image "$image" --root 300M --ephemeral 16M --memory 192M --no-start
check_equal "with a secret each" 2 "$(our_keys | wc -l)"
kept vm-1 512
kept vm-2 512
check "start" as alice mayfly start vm-1
guest_up vm-1 >/dev/null
guest vm-1 'mark FIRST-MARK' marked >/dev/null
check "stop" as alice mayfly stop vm-1 --timeout 60
check_equal "no map is left open" "" "$(our_maps)"
check "the host starts it, with nobody's credentials but its own" mayfly start vm-1
guest_up vm-1 >/dev/null
check_equal "what it wrote is there, on both disks" 2 "$(guest vm-1 read 'done' | grep -c 'read vd. FIRST-MARK')"
check "delete, while one runs" as alice mayfly delete vm-1 vm-2
nothing_left

for way in 'store 256' 'order 256' 'order 512'; do
    read -r create bits <<<"$way"
    openstack_config key_manager.host_access=read barbican.create="$create" ephemeral_storage_encryption.key_size="$bits"
    as alice mayfly launch x --root 16M --no-start >/dev/null
    kept x "$bits"
    as alice mayfly open x >/dev/null
    echo "$way" | dd of="$(disk_device x root)" bs=4096 conv=sync oflag=direct status=none
    as alice mayfly close x >/dev/null
    as dave mayfly open x >/dev/null
    check_equal "  ($create) another of the project reads what was written" "$way" \
        "$(dd if="$(disk_device x root)" bs=4096 count=1 iflag=direct status=none | tr -d '\0')"
    mayfly close x >/dev/null
    as alice mayfly delete x >/dev/null
    nothing_left
done
