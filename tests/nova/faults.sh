# SPDX-License-Identifier: Apache-2.0
# Several servers by one request; builds that fail, since the image is too large, the group full, encryption turned off; a delete
# while nova-compute is away. Nothing is left of them but the key whose owner could not be asked for it, until the owner's recover.
# nova: -d 8G -m 4G -t 900
. "$SRC/tests/nova/lib.sh"

# A server that cannot be built, and of which nothing is left but Nova's record.
not_built() { # WHAT IMAGE REGEX: in the log of nova-compute
    nova alice begin-create bad "$2" small
    check_equal "$1: the server is in ERROR" ERROR "$(nova alice settled bad)"
    check "  the reason is in the log" grep -qE "$3" "$LAB_JOB/compute.log"
    check_equal "  no key is left of it" "$keys" "$(count_keys)"
    nova alice delete bad
    in_order "$1"
}

stack_up
nova alice batch many 3 guest small
check_equal "three servers by one request have a disk and a key each" "3 3 3" "$(our_volumes | wc -l) $(our_maps | wc -l) $(count_keys)"
in_order batch
nova alice delete many-1
nova alice delete many-2
check_equal "two are deleted: the third has its own" "1 1 1" "$(our_volumes | wc -l) $(our_maps | wc -l) $(count_keys)"

keys=1
qemu-img create -q -f qcow2 "$LAB_JOB/big.qcow2" 2G
nova admin image big "$LAB_JOB/big.qcow2" qcow2
not_built "an image larger than the disk" big 'FlavorDiskSmallerThanImage|too small for image'
lvcreate -q -an -Zn -l '100%FREE' -n filler vg0 >/dev/null
not_built "no room in the group" guest 'mayfly add-disks: .*(free|room)'
lvremove -q -y vg0/filler >/dev/null
openstack_config key_manager.host_access=read ephemeral_storage_encryption.enabled=false
not_built "a configuration without encryption" guest 'would not be encrypted'
openstack_config key_manager.host_access=read
fault '503 /v1/secrets'
not_built "no answer from Barbican" guest 'mayfly add-disks: .*503'
fault_end

id=$(nova alice id many-3)
nova_compute_down KILL
nova admin forced-down "$nova_host" true
nova alice delete many-3
check_equal "deleted while nova-compute is away, its disk is still there" "${id}_disk" "$(our_volumes)"
nova admin forced-down "$nova_host" false
nova_compute_up
all_gone() { [ -z "$(our_volumes)$(our_maps)$(our_domains)" ]; }
check "nova-compute is there again, and destroys it" lab_wait 300 all_gone
check_equal "  its key is left to its owner" 1 "$(count_keys)"
check "  whose recover destroys it" as alice mayfly recover
nothing_left
