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

# What no program notices if it changes.
says() { # UNIT LINE WHY
    grep -qxF -- "$2" "$1" || { echo "$1: lacks $2: $3" >&2; exit 1; }
}
says mayfly-broker.socket SocketMode=0660 "only the group mayfly may connect"
says mayfly-broker.socket SocketGroup=mayfly "the group mayfly may connect"
says mayfly-broker.socket TriggerLimitIntervalSec=0 "many connections must not end it"
says mayfly-broker@.service KillMode=process "lvm must not be told to end"
says mayfly-broker@.service SendSIGKILL=no "nor killed"
for unit in mayfly-recover.service mayfly-recover-quick.service; do
    says $unit After=multi-user.target "boot must not wait for it"
    says $unit TimeoutStartSec=30min "one that hangs must make room for the next"
    says $unit "CapabilityBoundingSet=CAP_SETUID CAP_SETGID" "the broker of the socket does what needs root"
    says $unit "Wants=mayfly-broker.socket network-online.target" "it uses the broker of the socket"
    if grep -E '^(Requires|Requisite|BindsTo|PartOf)=' $unit >&2; then
        echo "$unit: a restart of that unit would stop a recover that is at work" >&2
        exit 1
    fi
done

# All services are confined at least this far, 0 being best: 2.2 and 2.4 of 10 with systemd 252.
systemd-analyze security --help | grep -q -- --offline || exit 0
for unit in mayfly-broker@* mayfly-recover.service mayfly-recover-quick.service; do
    systemd-analyze security --offline=true --threshold=25 "./$unit" >said 2>&1 || { cat said >&2; exit 1; }
done
