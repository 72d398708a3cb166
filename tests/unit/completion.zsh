#!/bin/zsh -f
# SPDX-License-Identifier: Apache-2.0
# completion.zsh MAYFLY FILE: what zsh offers behind some words, where mayfly has two instances.
program=$1 file=$2 failed=0

mayfly() {
    case $1 in
    list) [ "$*" != "list --noheadings --output name" ] || printf '%s\n' "web" "web two" ;;
    show) printf '%s\n' "Name:   $2" "" "Disk  Size   State" "root  1 GiB  ready" "eph0  1 GiB  ready" "" "Disk  Option  Choice" ;;
    *) "$program" "$@" ;;
    esac
}
timeout() { shift; "$@" }
compadd() { # the shell takes those that go on as the current word does
    local word
    shift
    for word; do [[ $word != ${words[CURRENT]}* ]] || offered+=("$word"); done
}
_files() { offered+=(FILES) }

offers() { # WORDS WANTED WHAT: the last word is the one that is completed
    local -a words offered
    local CURRENT
    words=(mayfly "${(@s: :)1}")
    CURRENT=$#words
    source "$file"
    if [ "${(j:|:)offered}" = "$2" ]; then
        echo "ok: $3"
    else
        echo "FAILED: $3: ${(j:|:)offered}"
        failed=1
    fi
}
offers "sta" "start" "verbs"
offers "--config-file /x exp" "export" "behind the value of an option"
offers "launch --ima" "--image|--image-format|--image-key|--image-sha256" "options of a verb"
offers "key destroy --y" "--yes" "options of a command"
offers "start w" "web|web two" "instances, whatever their names"
offers "remove-disk web e" "eph0" "disks of an instance"
offers "resize web 1G --disk r" "root" "also as the value of an option"
offers "key g" "grant" "commands"
offers "export web /x" "FILES" "files"
offers "help sta" "start" "verbs, of which to read"
offers "list " "" "nothing where nothing goes"
exit $failed
