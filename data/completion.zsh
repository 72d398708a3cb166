#compdef mayfly
# SPDX-License-Identifier: Apache-2.0
# Completion of mayfly(1) for zsh, in the same way as for bash: what --help says is offered, and instances and disks are asked of
# mayfly list and mayfly show, which the user must be allowed to use.

_mayfly_verbs() { mayfly --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z-]*\) .*/\1/p' }

_mayfly_options() { # [VERB [COMMAND]]
    mayfly "$@" --help 2>/dev/null | sed -n '/^Options/,$p' | grep -oE '^ +(-[a-z], )?--[a-z0-9-]+' | grep -oE -- '--.*'
}

_mayfly_names() { timeout 5 mayfly list --noheadings --output name 2>/dev/null }
_mayfly_disks() { timeout 5 mayfly show "$1" 2>/dev/null | sed -n '/^Disk  .*Size/,/^$/{/^Disk  /d; s/   *.*//p}' | sort -u }

_mayfly_lines() { # COMMAND...: each line that it prints is a word
    local -a lines
    lines=("${(@f)$("$@")}")
    compadd -- "${(@)lines:#}"
}

_mayfly() {
    local -a said # what is neither an option nor the value of one: the verb, and its operands
    local i
    for ((i = 2; i < CURRENT; i++)); do
        case ${words[i]} in
        --config-file | --progress-fd | --os-cloud | --token-fd) i=$((i + 1)) ;;
        -*) ;;
        *) said+=("${words[i]}") ;;
        esac
    done
    [[ ${said[1]-} != key ]] || said=("${said[1]} ${said[2]-}" "${(@)said[3,-1]}")

    case ${words[CURRENT - 1]} in
    --config-file | --image | --domain-xml | --ssh-key | --user-data | --plot) _files; return ;;
    --image-format) compadd -- raw qcow2; return ;;
    --disk) _mayfly_lines _mayfly_disks "${said[2]-}"; return ;;
    esac
    if [[ ${words[CURRENT]} = -* ]]; then
        _mayfly_lines _mayfly_options ${=said[1]-}
        return
    fi
    case ${said[1]-} in
    "") _mayfly_lines _mayfly_verbs ;;
    help) ((${#said} != 1)) || _mayfly_lines _mayfly_verbs ;;
    "key ") compadd -- list show destroy grant ;;
    add-disks) _mayfly_lines virsh -q -c qemu:///system list --all --name ;;
    launch | adopt | hook | list | recover | doctor | bench | "key list" | "key destroy") ;;
    export | remove-disk)
        if ((${#said} == 1)); then
            _mayfly_lines _mayfly_names
        elif [[ ${said[1]} = remove-disk ]]; then
            _mayfly_lines _mayfly_disks "${said[2]}"
        else
            _files
        fi
        ;;
    *) _mayfly_lines _mayfly_names ;;
    esac
}

_mayfly "$@"
