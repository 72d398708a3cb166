#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# postrm.sh POSTRM: purging the Debian package removes its configuration, and no other file: any of them may be a key.
# `make package-test` does the same by dpkg.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sed -e "s|=/etc/mayfly|=$folder/etc|; s|=/var/lib/mayfly|=$folder/state|; s|/run/mayfly|$folder/run|g; /#DEBHELPER#/d" "$1" >"$folder/postrm"
if grep -E "=/(etc|var)|[ =]/run" "$folder/postrm"; then exit 1; fi # each path was moved

mkdir -p "$folder"/etc/{mayfly.conf.d,keys} "$folder"/state/{keys,.cache/libvirt} "$folder/run"
touch "$folder"/etc/{mayfly.conf,sealing.key,mayfly.conf.bak} "$folder"/etc/mayfly.conf.d/{a.conf,password} "$folder/etc/keys/one" \
    "$folder"/state/keys/{identity,seal.key,4bd2e4f0-0000-4000-8000-000000000001} "$folder/state/other" "$folder"/run/{locks,last-recover}
sh "$folder/postrm" purge >"$folder/said"
[ ! -e "$folder/run/last-recover" ] || { echo "it left what the last recover noted"; exit 1; }
left=$(cd "$folder" && find etc state -type f | sort | tr '\n' ' ')
wanted="etc/keys/one etc/mayfly.conf.bak etc/mayfly.conf.d/password etc/sealing.key state/keys/4bd2e4f0-0000-4000-8000-000000000001 "
wanted+="state/keys/identity state/keys/seal.key state/other "
[ "$left" = "$wanted" ] || { printf 'left:   %s\nwanted: %s\n' "$left" "$wanted"; exit 1; }
for name in sealing.key mayfly.conf.d/password keys/one; do
    grep -q "etc/$name" "$folder/said" || { echo "it does not name $name, which it left"; cat "$folder/said"; exit 1; }
done
grep -q "host's keys in $folder/state/keys" "$folder/said"
