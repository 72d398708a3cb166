# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion of mayfly(1) for bash. Verbs, options and operands are read from what --help says, so each verb has its own at once;
# instances and disks are asked of mayfly list and mayfly show, which the user must be allowed to use.

_mayfly_verbs() { mayfly --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p'; }

_mayfly_options() { # [VERB [COMMAND]]
    mayfly "$@" --help 2>/dev/null | sed -n '/^Options/,$p' | grep -oE '^ +(-[a-z], )?--[a-z0-9-]+' | grep -oE -- '--.*'
}

# What a column of a table has, whose cells may contain single blanks.
_mayfly_names() { timeout 5 mayfly list --noheadings --output name 2>/dev/null; }
_mayfly_disks() { timeout 5 mayfly show "$1" 2>/dev/null | sed -n '/^Disk  .*Size/,/^$/{/^Disk  /d; s/   *.*//p}' | sort -u; }

_mayfly_reply() { # WORD...: those that go on as the current word does, with blanks escaped
    local word
    for word; do
        [[ $word != "$cur"* ]] || COMPREPLY+=("$(printf %q "$word")")
    done
}

_mayfly_lines() { # COMMAND...: each line that it prints is a word
    local words
    mapfile -t words < <("$@")
    _mayfly_reply "${words[@]}"
}

_mayfly_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_mayfly() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i
    local -a verb words=() # what is neither an option nor the value of one: the verb, and its operands
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --config-file | --progress-fd | --os-cloud | --token-fd) i=$((i + 1)) ;;
        -*) ;;
        *) words+=("${COMP_WORDS[i]}") ;;
        esac
    done
    [ "${words[0]-}" != key ] || words=("${words[0]} ${words[1]-}" "${words[@]:2}")
    read -ra verb <<<"${words[0]-}"

    case $previous in
    --config-file | --image | --domain-xml | --ssh-key | --user-data | --plot) _mayfly_files && return ;;
    --image-format) _mayfly_reply raw qcow2 && return ;;
    --disk) _mayfly_lines _mayfly_disks "${words[1]-}" && return ;;
    esac
    case $cur in
    -*) _mayfly_lines _mayfly_options "${verb[@]}" && return ;;
    esac
    case ${verb[*]-} in
    "") _mayfly_lines _mayfly_verbs ;;
    help) [ ${#words[@]} != 1 ] || _mayfly_lines _mayfly_verbs ;;
    key) _mayfly_reply list show destroy grant ;;
    add-disks) _mayfly_lines virsh -q -c qemu:///system list --all --name ;;
    launch | adopt | hook | list | recover | doctor | bench | "key list" | "key destroy") ;;
    export | remove-disk)
        case ${#words[@]} in
        1) _mayfly_lines _mayfly_names ;;
        *) if [ "${verb[0]}" = remove-disk ]; then _mayfly_lines _mayfly_disks "${words[1]}"; else _mayfly_files; fi ;;
        esac
        ;;
    *) _mayfly_lines _mayfly_names ;;
    esac
}
complete -F _mayfly mayfly
