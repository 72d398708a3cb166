#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2317 # completion calls the function mayfly
# completion.sh MAYFLY FILE: what bash offers behind some words, where mayfly has two instances.
set -euo pipefail
program=$1
# shellcheck source=data/completion.bash
. "$2"
failed=0

mayfly() {
    case $1 in
    list) [ "$*" != "list --noheadings --output name" ] || printf '%s\n' "web" "web two" ;;
    show) printf '%s\n' "Name:   $2" "" "Disk  Size   State" "root  1 GiB  ready" "eph0  1 GiB  ready" "" "Disk  Option  Choice" ;;
    *) "$program" "$@" ;;
    esac
}
timeout() { shift; "$@"; }

offers() { # WORDS WANTED WHAT: the last word is the one that is completed
    COMP_WORDS=(mayfly)
    local word
    while read -r word; do COMP_WORDS+=("$word"); done <<<"${1// /$'\n'}"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _mayfly
    if [ "${COMPREPLY[*]}" = "$2" ]; then
        echo "ok: $3"
    else
        echo "FAILED: $3: ${COMPREPLY[*]}"
        failed=1
    fi
}
offers "sta" "start" "verbs"
offers "re" "remove-disk reboot resize rebuild rescue recover" "several verbs"
offers "--config-file /x exp" "export" "behind the value of an option"
offers "launch --ima" "--image --image-format --image-key --image-sha256" "options of a verb"
offers "delete --y" "--yes" "options that have a short form"
offers "key destroy --y" "--yes" "options of a command"
offers "start w" 'web web\ two' "instances, whatever their names"
offers "remove-disk web e" "eph0" "disks of an instance"
offers "resize web 1G --disk r" "root" "also as the value of an option"
offers "key g" "grant" "commands"
offers "help sta" "start" "verbs, of which to read"
offers "list " "" "nothing where nothing goes"
exit $failed
