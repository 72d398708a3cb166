#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# units.sh FOLDER UNIT...: systemd finds nothing wrong with the units, whose programs are looked for in the build FOLDER.
set -eu
command -v systemd-analyze >/dev/null || exit 77
folder=$1
shift
units=$(mktemp -d)
trap 'rm -rf "$units"' EXIT
for unit; do
    sed -E "s|^ExecStart=.*/(mayfly-broker)|ExecStart=$folder/src/broker/\1|; s|^ExecStart=.*/mayfly |ExecStart=$folder/src/cli/mayfly |" \
        "$unit" >"$units/${unit##*/}"
done
cd "$units"
for unit in *; do
    SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$unit" 2>said || status=$?
    if [ "${status:-0}" != 0 ] || grep -q "${unit%%[@.]*}" said; then
        cat said >&2
        exit 1
    fi
done
