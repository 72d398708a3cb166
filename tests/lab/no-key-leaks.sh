# SPDX-License-Identifier: Apache-2.0
# No key in argv, environment, log, JSON, key file or table: everything that mayfly says, and everything that it starts, is
# recorded during a launch, a start, a show, what is said of its key, a doctor and a failed open, and searched for the volume keys, the secret
# that they are derived from, and the key that seals it: raw, in hex and in base64.
# lab: -d 512M -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
requires strace
host_up /dev/ubda
record=/tmp/record
mkdir $record

# run NAME COMMAND...: with its outputs, and argv and environment of every program that it starts, recorded.
run() {
    local name=$1
    shift
    strace -f -qq -v -s 65536 -e trace=execve -o "$record/$name.exec" "$@" >"$record/$name.out" 2>&1
}
run launch mayfly -v -v launch x --root 16M --ephemeral 16M --swap 16M --memory 64M --json
run show mayfly -v -v show x --json
run key-list mayfly -v -v key list --json
run key-show mayfly -v -v key show x
run doctor mayfly -v -v doctor
run stop mayfly -v -v stop x --timeout 0 --force
run start mayfly -v -v start x
dmsetup table --showkeys >$record/table
cat /proc/keys >$record/keys
mayfly stop x --timeout 0 --force >/dev/null
lv=$(disk_lv x root)
lvchange -q --deltag mayfly.sector=4096 --addtag mayfly.sector=512 "${lv#/dev/}" >/dev/null
run refused mayfly -v -v open x || ok "a disk whose tags were changed is not opened"
lvchange -q --deltag mayfly.sector=512 --addtag mayfly.sector=4096 "${lv#/dev/}" >/dev/null
find /var/lib/mayfly/keys -type f ! -name seal.key -exec cp -t $record {} +
check "programs were recorded: $(cat $record/*.exec | grep -c execve)" grep -q mkfs.ext4 $record/launch.exec

id=$(disk_field x root key)
# search FOLDER: in which files the key on standard input stands, in any form. It may be two keys in one, as XTS has them.
search() {
    python3 -ISc '
import base64, os, sys
key = sys.stdin.buffer.read()
assert len(key) in (32, 64)
forms = [key, key[:32], key[32:]] if len(key) == 64 else [key]
forms += [f.hex().encode() for f in forms] + [base64.b64encode(key)[:len(key) * 4 // 3 // 4 * 4]]
for name in sorted(os.listdir(sys.argv[1])):
    text = open(os.path.join(sys.argv[1], name), "rb").read()
    if any(f in text or f in text.lower() for f in forms):
        print(name)' "$1"
}
secret() { as_mayfly "$BUILD/tests/lab/volume-key" "${id#*:}" "$@" | cat; }
key_of() { secret "$(disk_field x "$1" uuid)" 512 4096; } # ROLE
for role in root eph0 swap; do
    check_equal "the key of $role stands nowhere" "" "$(key_of $role | search $record)"
done
check_equal "nor does the secret of the instance" "" "$(secret | search $record)"
check_equal "nor does the key that seals it" "" "$(search $record </var/lib/mayfly/keys/seal.key)"
mkdir /tmp/control
key_of root | od -An -v -tx1 | tr -d ' \n' >/tmp/control/hex
secret | base64 -w0 >/tmp/control/base64
cat /var/lib/mayfly/keys/seal.key >/tmp/control/raw
check_equal "  and the search finds a key that was put there" hex "$(key_of root | search /tmp/control)"
check_equal "  and a secret" base64 "$(secret | search /tmp/control)"
check_equal "  and a sealing key" raw "$(search /tmp/control </var/lib/mayfly/keys/seal.key)"
