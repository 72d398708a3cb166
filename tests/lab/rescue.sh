# SPDX-License-Identifier: Apache-2.0
# Rescue: the guest boots from another disk, as vda, and sees its own behind it; unrescue puts everything back, and nothing is
# left in LVM, device-mapper, libvirt and the key manager. Of a running instance, and of a stopped one by way of plain virsh.
# lab: -d 1G -m 2G -t 4500
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
guest_image
virsh() { command virsh -q -c qemu:///system "$@"; }
in_rescue() {
    mayfly show vm --json | python3 -ISc 'import json, sys; print(json.load(sys.stdin)["instance"]["in_rescue"])'
}
# All that a rescue may change, and unrescue has to put back.
everything() {
    world
    vgs --noheadings -o vg_free,lv_count vg0
    virsh dumpxml --inactive --security-info vm
}

mayfly launch vm --image "$image" --root 160M --ephemeral 16M --memory 192M >/dev/null
guest_up vm >/dev/null
guest vm 'mark BEFORE' marked >/dev/null
before=$(everything)

refused 1 'needs --image FILE' "without an image" mayfly rescue vm
refused 1 'do not fit' "an image that does not fit" mayfly rescue vm --image "$image" --root 16M
refused 4 'nowhere' "no such image" mayfly rescue vm --image /nowhere
check "not in rescue: nothing changes" grep -q 'nothing was changed' <(mayfly unrescue vm)
check "a dry run tells its steps" grep -q 'put the rescue disk' <(mayfly rescue vm --image "$image" --dry-run)
check_equal "  and changes nothing" "$before" "$(everything)"

check "rescue of a running one" mayfly rescue vm --image "$image" --root 144M
check_equal "it is in rescue" "running True" "$(state_of vm) $(in_rescue)"
check "  as list says" grep -q 'running, in rescue' <(mayfly list)
ready=$(guest_up vm)
check "the guest runs from the rescue disk, its own are behind" \
    grep -q 'vda:root:ext4,vdb:root:ext4,vdc:ephemeral0:ext4' <(tr -d '\r' <<<"$ready")
guest vm read 'done' | tr -d '\r' >/tmp/read
check "  and hold what it wrote" grep -q 'read vdb BEFORE' /tmp/read
check "  on both" grep -q 'read vdc BEFORE' /tmp/read
check "  the rescue disk is new" grep -q 'read vda none' /tmp/read
check_equal "each disk has a map" 3 "$(our_maps | wc -l)"
guest vm 'mark INSIDE' marked >/dev/null
check_fails 1 "the rescue disk is encrypted" grep -qa 'mayfly-mark' "$(disk_lv vm rescue)"
check "again: nothing changes" grep -q 'was in rescue' <(mayfly rescue vm --image "$image")
check "recover leaves it alone" grep -q 'All is in order' <(mayfly recover)

check "unrescue of a running one" mayfly unrescue vm
check_equal "all is as it was" "$before" "$(everything)"
ready=$(guest_up vm)
check "the guest runs from its own disk" grep -q 'vda:root:ext4,vdb:ephemeral0:ext4' <(tr -d '\r' <<<"$ready")
check_equal "  with what was written to both in rescue" 2 "$(guest vm read 'done' | grep -c 'read vd. INSIDE')"

check "stop" mayfly stop vm
before=$(everything)
check "rescue of a stopped one" mayfly rescue vm --image "$image"
check "virsh destroy" virsh destroy vm
check_equal "  closes the rescue disk too" "" "$(our_maps)"
check "virsh start" virsh start vm
check_equal "  opens it" 3 "$(our_maps | wc -l)"
check "it boots from there" grep -q '_disk.rescue-dmcrypt' <(virsh domblklist vm | grep -w vda)
virsh destroy vm
check "unrescue of a stopped one" mayfly unrescue vm
check_equal "all is as it was" "$before" "$(everything)"

mayfly delete --yes vm >/dev/null
nothing_left
