# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What scripts share whose keys are in Barbican: who asks, what the services say themselves, what they were asked. To be
# sourced behind lab/lib-mayfly.sh, inside a lab of lab/openstack/lab.

# shellcheck disable=SC1091 # lab/openstack/up writes it
. "$LAB_JOB/env"
# Not for all that runs here: without `as` it is the host itself that asks.
export -n OS_AUTH_URL OS_PROJECT_DOMAIN_NAME OS_USER_DOMAIN_NAME

# Keystone and Barbican at the addresses that the catalog names, which are also the only ones that need no TLS.
openstack_reach() {
    local port
    mkdir -p /run/lab
    for port in "$KEYSTONE_PORT" "$BARBICAN_PORT"; do
        setsid socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "TCP:10.0.2.2:$port" </dev/null >>/run/lab/socat.log 2>&1 &
    done
}

# The configuration, with these besides or instead. Of the host's own credentials root alone has the password.
openstack_config() { # [SECTION.OPTION=VALUE]...
    mkdir -p /etc/mayfly
    install -m 600 /dev/stdin /etc/mayfly/barbican.password <<<compute-pw
    lab_config key_manager.backend=barbican barbican_service_user.auth_url="$OS_AUTH_URL" \
        barbican_service_user.username=compute barbican_service_user.user_id="$COMPUTE_ID" "$@"
}

# A host ready for use, as host_up, whose keys go to Barbican. openstack_host_up DISK [OPTION=VALUE...]
openstack_host_up() {
    host_up "$1"
    openstack_config "${@:2}"
    openstack_reach
}

# os_variables USER: VARIABLE=VALUE lines, for a user of lab/openstack/people.py with password, in the project that is theirs.
os_variables() {
    local project=tenant-a
    [ "$1" != bob ] || project=tenant-b
    printf '%s\n' OS_AUTH_URL="$OS_AUTH_URL" OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default \
        OS_USERNAME="$1" OS_PASSWORD="$1-pw" OS_PROJECT_NAME="$project"
}

# as USER COMMAND...: with these in its environment.
as() {
    local variables
    mapfile -t variables < <(os_variables "$1")
    env "${variables[@]}" "${@:2}"
}

# with_token TOKEN COMMAND...: with a token and no password.
with_token() { env OS_AUTH_URL="$OS_AUTH_URL" OS_TOKEN="$1" "${@:2}"; }

# openstack VERB [ARG...]: runs lab/openstack/VERB outside, on the folder of these services, and prints what that says.
#   openstack down [NAME]   openstack up   openstack api ...
openstack() {
    local status
    echo "$*" >"$LAB_JOB/ask.new"
    mv "$LAB_JOB/ask.new" "$LAB_JOB/ask"
    lab_wait 900 test ! -e "$LAB_JOB/ask" || fail "openstack $*: no answer"
    cat "$LAB_JOB/answer"
    status=$(<"$LAB_JOB/answer.status")
    return "$status"
}

# fault 'FAULT REGEX': Barbican misbehaves so for the requests of Mayfly's that match, until fault_end. See lab/openstack/serve.
fault() { echo "$1" >"$LAB_JOB/barbican.fault"; }
fault_end() { rm -f "$LAB_JOB/barbican.fault"; }

# What the services were asked by Mayfly since requests_forget: `METHOD PATH STATUS` lines.
requests() { cat "$LAB_JOB/requests"; }
requests_forget() { : >"$LAB_JOB/requests"; }
count_requests() { grep -cE -- "$1" "$LAB_JOB/requests" || true; } # REGEX

# In the place of those of lab/lib-mayfly.sh: what world, refused and nothing_left look at is in Barbican.
our_keys() { openstack api secrets alice bob; }

key_id() { # NAME: that of the instance's key in Barbican itself, without its place
    local ref
    ref=$(disk_field "$1" root key)
    echo "${ref##*/}"
}

# check_kept NAME BITS: the instance's secret as Barbican itself tells of it, where the configuration has host_access = read.
check_kept() {
    local id uuid
    id=$(key_id "$1")
    uuid=$(virsh -q -c qemu:///system domuuid "$1" | tr -d ' \n')
    check "$1: its secret is named, and has $2 bits" \
        grep -qxE "$id mayfly/lab-[0-9a-f]{16}/vg0/instance/$uuid $2" <(our_keys)
    check_equal "  the host may read it, and the instance is its consumer" \
        "status 200 200 200
bytes $(($2 / 8))
reader $COMPUTE_ID
consumer mayfly instance $uuid" "$(openstack api show alice "$id")"
}
