# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the tests of a whole host share. They run here, with SRC, MACHINE and KERNEL set; what `inside` reads runs there, as root, with
# the functions of tests/host/inside.sh.
. "$SRC/lab/lib.sh"

machine() { # VERB [ARG...]
    "$SRC/host/machine" "$1" "$MACHINE" "${@:2}"
}

# inside <<'END': a script for the host.
inside() {
    { cat "$SRC/lab/lib.sh" "$SRC/lab/lib-world.sh" "$SRC/tests/host/inside.sh"; cat; } | machine sh 'exec bash -s'
}

up() { machine up "$KERNEL"; }

reboot() {
    machine off
    up
}

# readme TEXT: the block of commands that follows the line of README.md with TEXT, without its comments.
readme() {
    awk -v text="$1" '
        !found { found = index($0, text) > 0; next }
        /^    / { sub(/^    /, ""); sub(/ +# .*/, ""); print; begun = 1; next }
        begun { exit }' "$SRC/README.md"
}
