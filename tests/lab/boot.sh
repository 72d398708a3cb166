# SPDX-License-Identifier: Apache-2.0
# The host loses its power with three instances running, a launch and a delete under way, and comes back: the one with autostart
# runs by itself, the others by virsh start, all with their data; recover, as its unit runs it, puts the rest in order. What is
# half built or doomed is not started before that, though it has autostart as well.
# host: -t 5400
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"
requires systemd-socket-activate

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
truncate -s 1G "$work/disk"
truncate -s 64M "$work/state"

boot() { # SCRIPT: runs on the host
    "$SRC/lab/run" -m 2G -t 2400 -s "$BUILD" -d "$work/disk" -d "$work/state" -- \
        env SRC="$SRC" BUILD="$BUILD" bash -c '
            . "$SRC/lab/lib.sh"; . "$SRC/lab/lib-mayfly.sh"
            virsh() { command virsh -q -c qemu:///system "$@"; }
            states() { for name; do virsh domstate "$name"; done | grep . | xargs; }
            content() { dd if="$(disk_device "$1" root)" bs=1M iflag=direct status=none; }
            lab_state /dev/ubdb
            host_up /dev/ubda
            '"$1"
}

status=0
boot '
    guest_image
    mayfly launch auto --image "$image" --root 160M --memory 192M >/dev/null
    mayfly launch plain --count 2 --root 16M --memory 64M >/dev/null
    for name in plain-1 plain-2; do
        repeat "$name" 16M | dd of="$(disk_device "$name" root)" bs=1M iflag=fullblock oflag=direct status=none
    done
    lab_config key_manager.backend=ephemeral
    mayfly launch fleeting --root 16M --memory 64M >/dev/null
    lab_config
    mayfly launch doomed --root 16M --swap 16M --no-start >/dev/null
    virsh autostart auto
    virsh autostart doomed
    guest_up auto >/dev/null
    guest auto "mark BEFORE-REBOOT" marked >/dev/null
    check_equal "all run" "running running running running" "$(states auto plain-1 plain-2 fleeting)"

    # Each stands still where it is wanted: libvirtd before it can define, the broker before it can mark anything ready.
    libvirtd=$(</run/libvirtd.pid)
    progress_to() { while IFS= read -r line <&7 && [[ $line != "$1"* ]]; do :; done; }
    mkfifo /tmp/launch
    mayfly --progress-fd 9 launch half --root 16M --swap 16M --no-start 9>/tmp/launch &
    launch=$!
    exec 7</tmp/launch
    progress_to "step create volume"
    kill -STOP "$libvirtd"
    progress_to "step define domain"
    pkill -STOP -P "$launch" -x mayfly-broker
    kill -CONT "$libvirtd"
    exec 7<&-
    lab_wait 60 virsh dominfo half >/dev/null 2>&1
    virsh autostart half
    until_progress "step mark doomed doomed" mayfly --progress-fd 9 delete --yes doomed
    kill -STOP "$libvirtd" # before it can be asked for the domain
    marked() { [ "$(lvs --noheadings -o tags -S "tags=mayfly.state=doomed" | wc -l)" = 2 ]; }
    check "a delete has marked its volumes" lab_wait 60 marked
    sync
    lab_powercut' || status=$?
[ "$status" = 99 ] || fail "the lab ended with $status, not by a power cut"

boot '
    guest_up auto >/dev/null
    ok "the one with autostart has come up"
    check_equal "nothing else does" "shut off shut off shut off" "$(states plain-1 half doomed)"
    check_equal "  and libvirt was told why, of the half-built one and of the doomed one" "doomed: half:" \
        "$(sed -nE "s/.*instance ((half|doomed):) .*run mayfly recover.*/\1/p" /var/log/libvirt/libvirtd.log | sort -u | xargs)"
    check_equal "  only that one is open" 1 "$(our_maps | wc -l)"
    check_fails 1 "its RAM is not saved" virsh managedsave auto 2>/tmp/err
    check "  virsh says why" grep -q "non-migratable device" /tmp/err
    check_fails 1 "  nor given away otherwise" virsh save auto /tmp/saved 2>/tmp/err
    check "  which show tells" grep -q "^Memory: saving it to a file is refused; .* without it" <(mayfly show auto)
    check "what its guest wrote is there" grep -q "read vda BEFORE-REBOOT" <(guest auto read "done")

    check_fails 9 "a dry run" mayfly recover --dry-run >/tmp/told
    # as by its unit: root, but without the rights that a broker needs, so the socket has to give it one
    mkdir -p /run/mayfly
    systemd-socket-activate --seqpacket --accept --inetd -l /run/mayfly/broker.sock "$BUILD/src/broker/mayfly-broker" \
        >/tmp/broker.log 2>&1 &
    lab_wait 120 test -S /run/mayfly/broker.sock
    unit=$(sed -n "s|^ExecStart=.*/mayfly |$BUILD/src/cli/mayfly |p" "$BUILD/data/mayfly-recover.service")
    rights=$(sed -n "s/^CapabilityBoundingSet=//p" "$BUILD/data/mayfly-recover.service" | tr A-Z a-z | sed "s/cap_/,+/g; s/ //g")
    # shellcheck disable=SC2086 # words
    check_fails 9 "recover, as by its unit: $unit ($rights)" \
        env -i setpriv --no-new-privs --bounding-set="-all$rights" $unit >/tmp/done
    cat /tmp/done
    check "  does what the dry run has told" diff <(sed "s/to be done: //; /^ok:/d" /tmp/told) <(sed "/^ok:/d" /tmp/done)
    check "  the half-built one is removed" grep -qE "^removed +instance half .*cut off" /tmp/done
    check "  the delete is finished" grep -qE "^deleted +instance doomed .*finished" /tmp/done
    check "  the lost key is named" grep -qE "^remains +volume .*key ephemeral:.* was lost when its map was closed" /tmp/done
    check_equal "  their domains are gone" "auto fleeting plain-1 plain-2" "$(our_domains | xargs)"
    check_equal "  and their volumes" 4 "$(our_volumes | wc -l)"
    check_equal "  and their keys" 3 "$(our_keys | wc -l)"
    check_equal "as JSON, what remains" "remains: volume without key" "$({ mayfly recover --json || true; } | python3 -ISc "
import json, sys
print(*[r[\"result\"] + \": \" + r[\"fault\"] for r in json.load(sys.stdin)[\"results\"]])")"

    check "virsh start of the others" virsh start plain-1
    virsh start plain-2
    for name in plain-1 plain-2; do
        check "  $name has its data" cmp <(repeat "$name" 16M) <(content "$name")
    done
    check_fails 1 "what had an ephemeral key is refused" virsh start fleeting 2>/tmp/err
    check "  virsh says why" grep -q "key ephemeral:.*gone for good" /tmp/err
    check_fails 7 "  and so does mayfly" mayfly start fleeting
    check "it can be deleted" mayfly delete --yes fleeting
    check "then all is in order" grep -q "All is in order" <(mayfly recover)
    mayfly delete --yes auto plain-1 plain-2 >/dev/null

    cat >/tmp/bare.xml <<-END
	<domain type="qemu"><memory unit="MiB">64</memory><os><type arch="x86_64" machine="pc">hvm</type></os>
	<devices><controller type="usb" model="none"/></devices></domain>
	END
    mayfly launch bare --root 16M --domain-xml /tmp/bare.xml >/dev/null
    check "where the template has no USB, show tells that RAM could be saved" grep -q "^Memory: virsh save would" <(mayfly show bare)
    check "  virsh managedsave" virsh managedsave bare
    check_equal "  closes the disk" "" "$(our_maps)"
    check "  show tells" grep -q UNENCRYPTED <(mayfly show bare)
    check "  doctor warns" grep -qE "^warning +memory of bare .*managedsave-remove" <(mayfly doctor)
    mayfly delete --yes bare >/dev/null
    check_equal "  with the instance it goes" "" "$(ls /var/lib/libvirt/qemu/save)"
    nothing_left'
