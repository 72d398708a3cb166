# SPDX-License-Identifier: Apache-2.0
# Keystone and Barbican outside of a lab: it reaches them, and can stop one and start it again; they end with it, however it
# ends; and what they keep is there for the next lab, if that is wanted.
# host: -t 4500
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"
requires slirp-fullbolt socat
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
lab=("$SRC/lab/openstack/lab" -o "$folder")
inside='. "$LAB_HOME/lib.sh"; . "$LAB_HOME/lib-openstack.sh"; openstack_reach
    answers() { exec 3<>"/dev/tcp/127.0.0.1/$BARBICAN_PORT" && printf "GET / HTTP/1.0\r\n\r\n" >&3 && grep -q "^HTTP" <&3; }
    '
all_ended() { check_fails 1 "$1" pgrep -f "openstack/serve .* $folder "; }

check_fails 7 "the exit status is the command's" "${lab[@]}" -t 400 -- bash -c "$inside"'
    lab_wait 120 answers || fail "Barbican is not reached"
    openstack api token alice >"$LAB_JOB/token"
    check_fails 1 "a token that is none" openstack api revoke nonsense
    openstack down barbican
    check_fails 1 "Barbican is down" answers
    openstack up
    check "and up again" answers
    exit 7'
all_ended "both are ended"
check_fails 99 "the token of the first lab is known in the second, which ends by a power cut" \
    "${lab[@]}" -t 300 -- bash -c "$inside"'
    openstack api revoke "$(<"$LAB_JOB/token")"
    lab_powercut'
all_ended "both are ended"
