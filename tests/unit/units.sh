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

# The broker's is confined at least this far: 3.1 of 10 with systemd 252, where 0 is best.
systemd-analyze security --help | grep -q -- --offline || exit 0
for unit in mayfly-broker@*; do
    systemd-analyze security --offline=true --threshold=40 "./$unit" >said 2>&1 || { cat said >&2; exit 1; }
done
