# SPDX-License-Identifier: Apache-2.0
# Export of disks that are files, while their guest runs and while it does not. XFS shares the blocks of a copy (FICLONE), so a guest
# that runs does not matter there; ext4 does not, so a running one is refused, and one that is shut off is exported all the same.
# host: -t 1800
# shellcheck disable=SC2016 # what is in single quotes is for the inside
. "$SRC/lab/lib.sh"

lab() { # FILESYSTEM SCRIPT, which the user's shell runs
    "$SRC/lab/run" -m 1G -t 800 -s "$BUILD" -d 512M -d 16M -- env SRC="$SRC" BUILD="$BUILD" bash -c '
        . "$SRC/lab/lib.sh"; . "$SRC/tests/lab/lib-pool.sh"
        pool_home "$1" /dev/ubda /dev/ubdb
        pool_user "$2"' lab "$1" "$2"
}

common='
    mayfly launch vm "${torture_launch[@]}"
    mayfly open vm
    look_at_devices
    put_mark vm BEFORE
    mayfly close vm
    mayfly start vm
    check_equal "it runs" running "$(virsh -q -c qemu:///session domstate vm)"
    export_running() { mayfly export vm --plaintext --disk eph0 "$pool_cache/running" 2>/tmp/err; }
    after() {
        check "  nothing is left of that" grep -q "All is in order" <(mayfly recover)
        check_equal "  but its own files" "$(disks_of_domains vm)" "$(our_volumes)"
        mayfly stop vm --timeout 0 --force
        check "export of one that is shut off" mayfly export vm --plaintext --disk eph0 "$pool_cache/stopped"
        check "  has what it wrote" grep -qa "MAYFLY-PLAINTEXT BEFORE" "$pool_cache/stopped"
        mayfly delete --yes vm
        check_equal "no file is left" "" "$(our_volumes)"
        check_equal "no key is left" "" "$(our_keys)"
    }'
lab xfs "$common"'
    check "XFS: export of a running one" export_running
    check "  has what it wrote" grep -qa "MAYFLY-PLAINTEXT BEFORE" "$pool_cache/running"
    check_equal "  it runs on" running "$(virsh -q -c qemu:///session domstate vm)"
    after'
lab ext4 "$common"'
    check_fails 10 "ext4: export of a running one" export_running
    cat /tmp/err
    check "  says what to do" grep -q "cannot share blocks.*shut the instance down first" /tmp/err
    check_fails 1 "  and leaves no file" test -e "$pool_cache/running"
    after'
