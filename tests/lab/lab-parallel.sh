# SPDX-License-Identifier: Apache-2.0
# Three labs at a time do not touch one another.
# host: -t 1080
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

job=$(mktemp -d)
trap 'rm -rf "$job"' EXIT

one='
    . "$LAB_HOME/lib.sh"
    echo "$1" >/tmp/whoami
    lab_vg vg0 /dev/ubda
    lvcreate -q -Zn -Wn -y -n "of$1" -L 8M vg0 >/dev/null
    : >"$LAB_JOB/ready"
    lab_wait 120 test -e "$LAB_JOB/go"
    echo "I am $(cat /tmp/whoami) and see $(lvs --noheadings -o name vg0 | xargs)"
    exit "4$1"
'
pids=()
for n in 1 2 3; do
    mkdir "$job/$n"
    "$SRC/lab/run" -j "$job/$n" -d 64M -- bash -c "$one" bash $n >"$job/$n.out" &
    pids[n]=$!
done
for n in 1 2 3; do
    check "lab $n is up" lab_wait 120 test -e "$job/$n/ready"
done
check_equal "all three have kernels of their own" 3 "$(cat "$job"/?/pid | sort -u | wc -l)"
touch "$job"/{1,2,3}/go
for n in 1 2 3; do
    check_fails "4$n" "lab $n gives its own status" wait "${pids[n]}"
    check_equal "lab $n saw its own things" "I am $n and see of$n" "$(cat "$job/$n.out")"
done
