# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Cinder's part on this host: volumes of LVM, which tgtd hands out by iSCSI to nova-compute on the same host. To be sourced behind
# lab/lib-nova.sh, inside a lab of lab/nova/lab -v.

# cinder_up DISK: its volume group, iSCSI, and cinder-volume. Before nova_host_up.
cinder_up() {
    local port
    mkdir -p /run/lab
    lab_vg cinder-volumes "$1"
    for port in "$VOLUME_PORT" "$SQL_PORT"; do
        setsid socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "TCP:10.0.2.2:$port" </dev/null >>/run/lab/socat.log 2>&1 &
    done
    iscsi_up
    cinder_config
    setsid "$SRC/lab/nova/serve" cinder-volume "$LAB_JOB" 0 /run/lab/cinder.conf </dev/null >"$LAB_JOB/cinder-volume.log" 2>&1 &
}

# Waits for it, whose start takes as long as nova-compute's: so behind nova_host_up.
cinder_ready() { lab_wait 600 cinder_counts || fail "cinder-volume does not come up: $(tail -n 20 "$LAB_JOB/cinder-volume.log")"; }
cinder_counts() { nova admin volume-hosts | grep -qx "$(hostname)@lvm up"; }

# Both ends of iSCSI. Debian's packages would have systemd start them.
iscsi_up() {
    modprobe -a iscsi_tcp sd_mod
    mkdir -p /etc/iscsi /etc/tgt/conf.d /var/lib/cinder/volumes /run/lock/iscsi
    echo 'InitiatorName=iqn.2026-01.org.example:lab' >/etc/iscsi/initiatorname.iscsi
    os_brick_names
    echo 'include /var/lib/cinder/volumes/*' >/etc/tgt/conf.d/cinder.conf
    setsid iscsid -f </dev/null >/run/lab/iscsid.log 2>&1 &
    setsid tgtd -f --iscsi portal=127.0.0.1:3260 </dev/null >/run/lab/tgtd.log 2>&1 &
    lab_wait 60 tgtadm --op show --mode system >/dev/null 2>&1 || fail "tgtd does not come up: $(cat /run/lab/tgtd.log)"
}

# The names that udevd would give tgtd's disks: without one os-brick waits ten seconds for it, each time.
os_brick_names() {
    local target
    mkdir -p /dev/disk/by-id
    for target in {1..9}; do ln -s "none" "/dev/disk/by-id/scsi-1IET     000${target}0001"; done
}

# The first MiB is cleared when a volume is deleted: lvcreate refuses, without a terminal, where a signature is left.
cinder_config() {
    cat >/run/lab/cinder.conf <<-CONF
	[DEFAULT]
	state_path = /var/lib/cinder
	enabled_backends = lvm
	[lvm]
	volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
	volume_group = cinder-volumes
	lvm_type = default
	volume_clear = zero
	volume_clear_size = 1
	target_helper = tgtadm
	target_protocol = iscsi
	target_ip_address = 127.0.0.1
	volumes_dir = /var/lib/cinder/volumes
	[oslo_concurrency]
	lock_path = /var/lib/cinder/locks
	CONF
}
