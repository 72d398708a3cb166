# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What scripts about Nova share: nova-compute on this host, with disks of Mayfly's; what users ask of Nova. To be sourced behind
# lab/lib-openstack.sh, inside a lab of lab/nova/lab.

# shellcheck disable=SC1091 # lab/nova/up writes it
. "$LAB_JOB/ports"

nova_host=$(hostname)

# nova USER VERB...: lab/nova/client, outside.
nova() { openstack nova "$@"; }

# A host ready for use whose volume group is on DISK, and nova-compute on it. nova_host_up DISK [OPTION=VALUE...]
nova_host_up() {
    local port
    [ ! -e /run/lab/compute.pid ] || return 0 # several scripts in one lab
    openstack_host_up "$1" key_manager.host_access=read "${@:2}"
    for port in "$RABBIT_PORT" "$IMAGE_PORT" "$PLACEMENT_PORT" "$NETWORK_PORT"; do
        setsid socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "TCP:10.0.2.2:$port" </dev/null >>/run/lab/socat.log 2>&1 &
    done
    nova_user
    nova_broker
    nova_compute_config
    nova_compute_up
}

# As Debian's packages make it, in the groups that it has with nova-compute-mayfly. The checkout may lie where only root can go;
# this user finds the driver here.
nova_user() {
    local id group
    id=$(lab_free_id)
    echo "nova:x:$id:" >>/etc/group
    echo "nova:x:$id:$id:Nova:/var/lib/nova:/usr/sbin/nologin" >>/etc/passwd
    for group in mayfly libvirt; do sed -i -E "s/^($group:.*:)\$/\1nova/; t; s/^($group:.*)\$/\1,nova/" /etc/group; done
    install -d -o nova -g nova /var/lib/nova /var/lib/nova/instances
    mkdir -p /run/src
    mount --bind "$SRC" /run/src
}

# The broker, by its socket: nova-compute is not root.
nova_broker() {
    mkdir -p /run/mayfly
    setsid systemd-socket-activate --seqpacket --accept --inetd -l /run/mayfly/broker.sock "$BUILD/src/broker/mayfly-broker" \
        </dev/null >>/run/lab/broker.log 2>&1 &
    lab_wait 120 test -S /run/mayfly/broker.sock
    chown root:mayfly /run/mayfly/broker.sock
    chmod 660 /run/mayfly/broker.sock
}

# What a script sets otherwise it writes into /run/lab/compute.own.conf.
# On tmpfs there is no O_DIRECT, so Nova would ask for a cache that QEMU refuses beside io=native: hence disk_cachemodes.
nova_compute_config() {
    cat >/run/lab/compute.conf <<-CONF
	[DEFAULT]
	compute_driver = mayfly.MayflyDriver
	state_path = /var/lib/nova
	report_interval = 10
	service_down_time = 120
	update_resources_interval = 30
	heal_instance_info_cache_interval = -1
	reserved_host_memory_mb = 0
	ram_allocation_ratio = 4
	vif_plugging_is_fatal = false
	resume_guests_state_on_host_boot = true
	running_deleted_instance_poll_interval = 30
	running_deleted_instance_timeout = 0
	instance_delete_interval = 30
	[libvirt]
	virt_type = qemu
	cpu_mode = none
	images_type = lvm
	images_volume_group = vg0
	disk_cachemodes = block=none
	[oslo_concurrency]
	lock_path = /var/lib/nova/locks
	[workarounds]
	skip_cpu_compare_at_startup = true
	CONF
}

# Waits until it has looked at its servers (before that it takes one that is just being built for one that a crash has left), and
# Nova counts it.
nova_compute_up() {
    touch "$LAB_JOB/compute.log"
    nova_compute_seen=$(wc -l <"$LAB_JOB/compute.log")
    setsid /run/src/lab/nova/serve nova-compute "$LAB_JOB" 0 /run/lab/compute.*conf \
        </dev/null >>"$LAB_JOB/compute.log" 2>&1 &
    echo $! >/run/lab/compute.pid
    lab_wait 900 nova_compute_counts || fail "nova-compute does not come up: $(tail -n 20 "$LAB_JOB/compute.log")"
}
nova_compute_counts() {
    kill -0 "$(cat /run/lab/compute.pid)" || fail "nova-compute has ended: $(tail -n 20 "$LAB_JOB/compute.log")"
    grep -q 'Looking for unclaimed instances' <(tail -n "+$((nova_compute_seen + 1))" "$LAB_JOB/compute.log") &&
        nova admin hosts | grep -q "^$nova_host up$"
}

nova_compute_down() { # SIGNAL
    local pid
    pid=$(</run/lab/compute.pid)
    kill "-$1" -- "-$pid"
    lab_wait 120 test ! -e "/proc/$pid" || fail "nova-compute does not end"
}

nova_has_trait() { nova admin traits "$nova_host" | grep -qx CUSTOM_MAYFLY_ENCRYPTED; }

# search_open UUID TEXT: is it on an open disk of that instance?
search_open() {
    local map
    for map in /dev/mapper/"$1"_disk*-dmcrypt; do
        [ "$("$LAB_HOME/search" "$map" "$2" | tail -n 1)" = 0 ] || return 0
    done
    return 1
}
