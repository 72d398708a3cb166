# SPDX-License-Identifier: Apache-2.0
# A power cut keeps what was synced, loses what was not, and the disks can be used again.
# host: -t 1620
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT
truncate -s 128M "$job/disk"
truncate -s 32M "$job/state"
lab=("$SRC/lab/run" -j "$job/job" -d "$job/disk" -d "$job/state" --)

first='
    . "$LAB_HOME/lib.sh"
    lab_state /dev/ubdb
    lab_vg vg0 /dev/ubda
    lvcreate -q -Zn -Wn -y -n kept -L 16M vg0 >/dev/null
    echo synced >/var/lib/mayfly/synced
    sync
    echo lost >/var/lib/mayfly/unsynced
    exec 3<>/dev/vg0/kept # the last to close a block device writes its cache: keep it open
    echo lost >&3
    check "what is not synced can be read" grep -q lost <(head -c 512 /dev/vg0/kept)
    test -s /var/lib/mayfly/unsynced && echo "the unsynced file was there"
    lab_powercut
'
check_fails 99 "the power is cut from inside" "${lab[@]}" bash -c "$first" >"$job/out"
check "up to the last line" grep -q "the unsynced file was there" "$job/out"

second='
    . "$LAB_HOME/lib.sh"
    check_fails 0 "the state disk is not blank" eval "! lab_is_blank /dev/ubdb"
    lab_state /dev/ubdb
    lab_vg vg0 /dev/ubda
    check "LVM has kept the volume" test -b /dev/vg0/kept
    check_equal "the synced file has survived" synced "$(cat /var/lib/mayfly/synced)"
    check_fails 1 "what was not synced is lost" test -s /var/lib/mayfly/unsynced
    check_fails 1 "on the volume, too" grep -q lost <(head -c 512 /dev/vg0/kept)
    check_equal "keys have their folder" "700 mayfly" "$(stat -c "%a %U" /var/lib/mayfly/keys)"
'
check "the same disks boot again" "${lab[@]}" bash -c "$second"

# The other ways to ask for it.
check_fails 99 "by -p" "$SRC/lab/run" -p 0.3 -- sleep 60
"${lab[@]}" sh -c 'touch "$LAB_JOB/up"; sleep 60' &
pid=$!
lab_wait 120 test -e "$job/job/up"
touch "$job/job/POWERCUT"
check_fails 99 "by a file" wait "$pid"
check_fails 1 "which is gone then" test -e "$job/job/POWERCUT"
rm "$job/job/up"
"${lab[@]}" sh -c 'touch "$LAB_JOB/up"; sleep 60' &
pid=$!
lab_wait 120 test -e "$job/job/up"
kill -USR1 "$pid"
check_fails 99 "by a signal" wait "$pid"
