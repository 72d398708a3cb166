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
ends 1 'needs --image FILE, or --empty' "rebuild without a word of it" "$mayfly" rebuild --yes web
ends 1 'exclude each other' "rebuild with both" "$mayfly" rebuild --yes web --empty --image i

# --- errors are JSON too: one document on standard output, the plain line on standard error
# json STATUS EXPRESSION WHAT COMMAND...: ... and the expression holds of the document `d` and its error `e`.
json() {
    ends "$1" '^mayfly: ' "${@:3}"
    python3 -ISc 'import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
e = d["error"]
assert d["version"] == 1 and e["status"] == int(sys.argv[2])
said = open(sys.argv[3], encoding="utf-8", errors="replace").read().splitlines()[-1]
assert said == "mayfly: " + e["text"], said
assert eval(sys.argv[4]), d' "$folder/out" "$1" "$folder/err" "$2" || {
        echo "FAILED: the JSON of $3: $(cat "$folder/out")"
        failed=1
    }
}
for verb in $("$mayfly" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
    [ "$verb" = key ] || json 1 "d['verb'] == '$verb' and e['name'] == 'usage' and e['object'] == 'option --bogus'" "$verb --json --bogus" \
        "$mayfly" "$verb" --json --bogus
done
json 1 "d['verb'] == 'key destroy' and e['way_out'] == 'use --yes to skip the question'" "key destroy --json" \
    "$mayfly" key destroy --json local:1 </dev/null
json 1 "'verb' not in d and e['object'] == 'nothing'" "no such verb" "$mayfly" --json nothing
json 1 "'verb' not in d and e['reason'] == 'no verb given' and e['object'] is None" "no verb" "$mayfly" --json
json 1 "e['object'] == 'option --nothing'" "an option that is none, before --json" "$mayfly" --nothing --json list
json 1 "e['object'] == 'l\ufffdst'" "a verb that is no text" "$mayfly" --json $'l\xffst'
json 4 "e['object'] == '/nonexistent' and e['action'] == 'cannot be read' and e['name'] == 'missing'" \
    "a configuration that is not there" "$mayfly" --json --config-file /nonexistent list

# --- help, where no manual page can be shown: what --help prints
helps() { # WHAT --HELP-WORDS HELP-WORDS...
    # shellcheck disable=SC2086 # words
    if diff <("$mayfly" $2) <(PATH='' "$mayfly" "${@:3}"); then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi
}
helps "help" "--help" help
helps "help of a verb" "add-disk --help" help add-disk
helps "help of a verb, with an option" "list --help" help -q list
helps "help of a command" "key grant --help" help key grant
ends 1 'help dance: there is no such verb' "help of no verb" "$mayfly" help dance
ends 1 "'me' is one word too many" "help of too much" "$mayfly" help key grant me
json 1 "e['reason'] == 'is for people, and prints no JSON'" "help for programs" "$mayfly" help list --json

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
