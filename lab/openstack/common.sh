# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What up and down share.

# server_pid FOLDER NAME: the process that serves NAME from FOLDER; fails if there is none. A number that another process has
# taken meanwhile is not it.
server_pid() {
    local pid
    pid=$(cat "$1/$2.pid" 2>/dev/null) || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$1" || return 1
    echo "$pid"
}
