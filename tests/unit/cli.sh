#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # `ends` calls functions
# cli.sh MAYFLY: what the program says and how it ends before it has asked anything of this host.
set -euo pipefail
mayfly=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# ends STATUS TEXT WHAT COMMAND...: the command ends with that, and its errors match the text (^$: there are none).
ends() {
    local status=0
    "${@:4}" >"$folder/out" 2>"$folder/err" || status=$?
    if [ "$status" = "$1" ] && grep -qE -- "$2" <<<"$(cat "$folder/err")"; then
        echo "ok: $3"
    else
        echo "FAILED: $3: ended with $status, not $1, and said: $(cat "$folder/err")"
        failed=1
    fi
}

# --- without a terminal nothing is destroyed unasked
for command in "delete web" "rebuild --empty web" "remove-disk web eph0" "key destroy local:1"; do
    # shellcheck disable=SC2086 # a verb and its operands
    ends 1 'no terminal .*nothing was done.*--yes' "$command" "$mayfly" $command </dev/null
done

# --- what a rebuild writes to the root disk has to be said
ends 1 'Say --image FILE, or --empty' "rebuild without a word of it" "$mayfly" rebuild --yes web
ends 1 'exclude each other' "rebuild with both" "$mayfly" rebuild --yes web --empty --image i

# --- JSON is printed or refused
for command in "start web" "stop web" "reboot web" "open web" "close web" "delete --yes web" "rebuild --yes --empty web" \
    "resize web 1G --disk root" "tune web" "rescue web --image i" "unrescue web" "remove-disk --yes web eph0" \
    "key destroy --yes local:1" "key grant local:1"; do
    # shellcheck disable=SC2086
    ends 1 'prints no JSON' "--json $command" "$mayfly" --json $command
done

# --- output
to_nobody() { # as in `mayfly list | head -1`, with SIGPIPE ignored as it is while mayfly works
    (trap '' PIPE; sleep 0.3; exec "$mayfly" --help) | true
    return "${PIPESTATUS[0]}"
}
to_full() { "$mayfly" --help >/dev/full; }
without_descriptors() { "$mayfly" --version <&- >&- 2>&-; }
ends 141 '^$' "nobody reads the output" to_nobody
ends 10 'standard output: cannot be written: No space left' "the output's device is full" to_full
ends 0 '^$' "no descriptors at all" without_descriptors
exit $failed
