#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# interface-version.sh PROGRAM SRC CC...: the version of the broker's packets changes with each change that another build would not
# understand, and with no other.
set -eu
program=$1 src=$2
shift 2
compiler=$*
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$src/." "$work"

version() {
    # shellcheck disable=SC2086 # several words
    "$program" V "$work/version.h" "$work/broker/wire.h" "$work/broker/ops.def" -- $compiler -D_GNU_SOURCE -I "$work"
    sed -n 's/#define V //p' "$work/version.h"
}

# CHANGE FILE SED-COMMAND
differs() {
    cp "$work/$2" "$work/kept"
    sed -i "$3" "$work/$2"
    ! cmp -s "$work/$2" "$work/kept" || { echo "$1: the test changes nothing" >&2; exit 1; }
    now=$(version)
    cp "$work/kept" "$work/$2"
    [ "$now" != "$first" ] || { echo "$1: the version stays $first" >&2; exit 1; }
}

first=$(version)
[ -n "$first" ]
differs "an operation goes" broker/ops.def '/^OP(TUNE,/d'
differs "an operation wants a descriptor" broker/ops.def 's/\(^OP(CLOSE, *op_close, *\)0/\11/'
differs "a field is longer" storage/volume.h 's/^#define CHECK_MAX .*/#define CHECK_MAX 40/'
differs "two states change places" storage/volume.h 's/VOLUME_BUILDING, VOLUME_ADOPTING/VOLUME_ADOPTING, VOLUME_BUILDING/'
sed -i '1a /* a remark */' "$work/broker/wire.h"
[ "$(version)" = "$first" ] || { echo "a comment changes the version" >&2; exit 1; }
