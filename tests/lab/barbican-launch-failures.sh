# SPDX-License-Identifier: Apache-2.0
# No key is left in Barbican by a launch that failed, whatever failed; nor anything else. barbican-launch-cut.sh has those that
# are cut off in the middle.
# openstack: -d 1G -m 1G -t 7200
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
. "$SRC/lab/lib-openstack.sh"
openstack_host_up /dev/ubda key_manager.host_access=read
guest_image
images=${image%/*}
as alice mayfly launch there --root 16M --no-start >/dev/null # which is to stay as it is
launch=(as alice mayfly launch new --count 2)

# --- Barbican
faulty() { # FAULT STATUS PATTERN WHAT
    fault "$1"
    refused "$2" "$3" "$4" "${launch[@]}" --root 16M --no-start
    fault_end
}
faulty '403 POST /v1/secrets$' 2 '403' "it does not take the secret"
faulty '500 POST /v1/secrets$' 6 '500' "it fails to"
faulty '403 PUT .*/acl' 2 'host_access = read.*403' "it takes the secret, and refuses the host's access"
faulty 'garbage PUT .*/acl' 6 "is not Barbican's" "it says nothing sensible to that"
faulty '500 POST .*/consumers' 6 'consumer.*500' "it fails to take the consumer"
faulty 'lost POST .*/consumers' 6 'consumer' "it takes the consumer, and no one hears of it"

agent_dies() {
    requests_forget
    "${launch[@]}" --root 16M --no-start &
    lab_wait 120 grep -q '/acl' "$LAB_JOB/requests" # next comes the consumer, where it hangs
    kill -KILL "$(pgrep -x mayfly-keyagent)"
    wait $!
}
fault 'hang POST .*/consumers'
refused 10 'mayfly-keyagent: .*in the middle' "mayfly-keyagent dies of it" agent_dies
fault_end

# --- what comes after the key
refused 5 "there" "the name is taken" as alice mayfly launch there --root 16M --no-start
head -c $(($(stat -c %s "$image") / 2)) "$image" >"$images/half.qcow2"
refused 1 "damaged or truncated" "the image lacks half of its data" "${launch[@]}" --root 300M --image "$images/half.qcow2"
template() { # ELEMENT OS-ELEMENT
    cat <<END
<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>$1<os><type machine='pc'>hvm</type>$2</os></domain>
END
}
template '<on_crash>explode</on_crash>' '' >"$images/refused.xml"
refused 1 "libvirt refuses its XML" "libvirt does not take the domain" "${launch[@]}" --root 16M --domain-xml "$images/refused.xml"
template '' '<kernel>/nowhere</kernel>' >"$images/dead.xml"
refused 10 "nowhere" "QEMU does not start" "${launch[@]}" --root 16M --domain-xml "$images/dead.xml"
