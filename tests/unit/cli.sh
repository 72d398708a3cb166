#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli.sh MAYFLY: what the program says and how it ends before it has asked anything of this host.
set -euo pipefail
mayfly=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# ends STATUS TEXT WHAT COMMAND...: the command ends with that, and its errors match the text.
ends() {
    local status=0
    "${@:4}" >"$folder/out" 2>"$folder/err" || status=$?
    if [ "$status" = "$1" ] && grep -qE -- "$2" "$folder/err"; then
        echo "ok: $3"
    else
        echo "FAILED: $3: ended with $status, not $1, and said: $(cat "$folder/err")"
        failed=1
    fi
}

# --- without a terminal nothing is destroyed unasked
for command in "delete web" "rebuild web" "detach web eph0" "key destroy local:1"; do
    # shellcheck disable=SC2086 # a verb and its operands
    ends 1 'no terminal .*nothing was done.*--yes' "$command" "$mayfly" $command </dev/null
done
exit $failed
