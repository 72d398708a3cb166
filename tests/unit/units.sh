#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# units.sh FOLDER UNIT...: systemd finds nothing wrong with the units, whose programs are looked for in the build FOLDER.
set -eu
command -v systemd-analyze >/dev/null || exit 77
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT
folder=$units/build # in a unit a path ends at a blank
ln -s "$1" "$folder"
shift
for unit; do
    sed -E "s|^ExecStart=.*/(mayfly-broker)|ExecStart=$folder/src/broker/\1|; s|^ExecStart=.*/mayfly |ExecStart=$folder/src/cli/mayfly |" \
        "$unit" >"$units/${unit##*/}"
done
cd "$units"
for unit in *.*; do
    SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$unit" 2>said || status=$?
    if [ "${status:-0}" != 0 ] || grep -q "${unit%%[@.]*}" said; then
        cat said >&2
        exit 1
    fi
done

# What no program notices if it changes: each line is there.
while IFS='|' read -r names line why; do
    for unit in $names; do
        grep -qxF -- "$line" "$unit" || { echo "$unit: lacks $line: $why" >&2; exit 1; }
    done
done <<'EOF'
mayfly-broker.socket|ListenSequentialPacket=/run/mayfly/broker.sock|where mayfly looks for it, in whole messages
mayfly-broker.socket|SocketMode=0660|only the group mayfly may connect
mayfly-broker.socket|SocketUser=root|nobody else may change that
mayfly-broker.socket|SocketGroup=mayfly|the group mayfly may connect
mayfly-broker.socket|DirectoryMode=0755|nobody puts another socket there
mayfly-broker.socket|Accept=yes|a process for each connection
mayfly-broker.socket|MaxConnections=256|and no end of them
mayfly-broker.socket|TriggerLimitIntervalSec=0|many connections must not end it
mayfly-broker.socket|WantedBy=sockets.target|it is there after a boot
mayfly-broker@.service|StandardInput=socket|the connection
mayfly-broker@.service|StandardOutput=journal|nothing but answers goes to the client
mayfly-broker@.service|StandardError=journal|nor do these words
mayfly-broker@.service|KillMode=process|lvm must not be told to end
mayfly-broker@.service|SendSIGKILL=no|nor killed
mayfly-broker@.service|TimeoutStopSec=10min|what is in hand is finished
mayfly-broker@.service|OOMPolicy=continue|one that ends takes no lvm with it
mayfly-broker@.service|LimitCORE=0|a core dump would hold keys
mayfly-broker@.service|DeviceAllow=block-* rwm|disks
mayfly-broker@.service|DeviceAllow=/dev/char/10:236 rw|device-mapper, and no other character device
mayfly-broker@.service|ReadWritePaths=/run -/var/lock -/etc/lvm -/var/lib/lvm|it writes nowhere else
mayfly-broker@.service|SystemCallErrorNumber=EPERM|lvm goes on where a call is denied
mayfly-broker@.service|CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_MKNOD CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SETPCAP|these rights and no other
mayfly-broker@.service|CollectMode=inactive-or-failed|one that failed leaves no unit behind
mayfly-recover.service mayfly-recover-quick.service|Type=oneshot|it ends
mayfly-recover.service mayfly-recover-quick.service|After=multi-user.target|boot must not wait for it
mayfly-recover.service mayfly-recover-quick.service|After=mayfly-broker.socket network-online.target local-fs.target lvm2-monitor.service|volumes and keys come first
mayfly-recover.service mayfly-recover-quick.service|After=libvirtd.service libvirtd.socket virtqemud.service virtqemud.socket|and so do domains
mayfly-recover.service mayfly-recover-quick.service|Wants=mayfly-broker.socket network-online.target|it uses the broker of the socket
mayfly-recover.service mayfly-recover-quick.service|TimeoutStartSec=30min|one that hangs must make room for the next
mayfly-recover.service mayfly-recover-quick.service|KillMode=mixed|mayfly takes back what it began, with its keyagent
mayfly-recover.service mayfly-recover-quick.service|OOMPolicy=continue|so it does where memory is short
mayfly-recover.service mayfly-recover-quick.service|LimitCORE=0|a core dump would hold keys
mayfly-recover.service mayfly-recover-quick.service|CapabilityBoundingSet=CAP_SETUID CAP_SETGID|the broker of the socket does what needs root
mayfly-recover.service mayfly-recover-quick.service|DevicePolicy=closed|it opens no disk
mayfly-recover.service mayfly-recover-quick.service|ProtectSystem=full|it changes no program
mayfly-recover.service mayfly-recover-quick.service|RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6|key managers, and no other network
mayfly-recover.service mayfly-recover-quick.service|SystemCallErrorNumber=EPERM|a library goes on where a call is denied
mayfly-recover.service|WantedBy=multi-user.target|it runs at each boot
mayfly-recover.timer|Unit=mayfly-recover-quick.service|what asks no key manager in vain
mayfly-recover.timer|OnBootSec=15min|it begins
mayfly-recover.timer|OnUnitInactiveSec=15min|and goes on
mayfly-recover.timer|RandomizedDelaySec=2min|not on all hosts at once
mayfly-recover.timer|WantedBy=timers.target|it is there after a boot
EOF
for unit in mayfly-recover.service mayfly-recover-quick.service; do
    if grep -E '^(Requires|Requisite|BindsTo|PartOf)=' "$unit" >&2; then
        echo "$unit: a restart of that unit would stop a recover that is at work" >&2
        exit 1
    fi
done
grep -q '^ExecStart=.*/mayfly recover$' mayfly-recover.service
grep -q '^ExecStart=.*/mayfly recover --quick$' mayfly-recover-quick.service
if grep WantedBy mayfly-recover-quick.service; then exit 1; fi # the timer starts it
[ "$(grep -c '^DeviceAllow=' mayfly-broker@.service)" = 2 ] # and no other device

# What systemd finds open in a service is what has a reason (HACKING.md), and nothing else: 2.2 and 2.4 of 10 with systemd 252.
systemd-analyze security --help | grep -q -- --offline || exit 0
open='RootDirectoryOrRootImage SupplementaryGroups RemoveIPC UserOrDynamicUser PrivateDevices DeviceAllow ProcSubset PrivateUsers SystemCallFilter_resources
SystemCallFilter_privileged RestrictAddressFamilies_AF_UNIX CapabilityBoundingSet_CAP_SET_UID_GID_PCAP'
open_broker='CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER CapabilityBoundingSet_CAP_IPC_LOCK CapabilityBoundingSet_CAP_MKNOD
CapabilityBoundingSet_CAP_CHOWN_FSETID_SETFCAP CapabilityBoundingSet_CAP_SYS_NICE_RESOURCE CapabilityBoundingSet_CAP_SYS_ADMIN'
open_recover='ProtectSystem PrivateNetwork IPAddressDeny RestrictAddressFamilies_AF_NETLINK RestrictAddressFamilies_AF_INET_INET6'
for unit in mayfly-broker@.service mayfly-recover.service mayfly-recover-quick.service; do
    case $unit in mayfly-broker*) more=$open_broker ;; *) more=$open_recover ;; esac
    systemd-analyze security --offline=true --threshold=25 "./$unit" >said 2>&1 || { cat said >&2; exit 1; }
    systemd-analyze security --offline=true --json=short "./$unit" >said
    python3 -ISc 'import json, sys
found = {check["json_field"] for check in json.load(open("said")) if not check["set"]} - set(sys.argv[2].split())
if found:
    sys.exit(f"{sys.argv[1]}: leaves open what it need not: {sorted(found)}")' "$unit" "$open $more"
done
