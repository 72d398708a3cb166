# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A user without root whose disks are files, in a lab. Root sources this behind lab/lib.sh, has a home on some file system made or
# mounted, and starts the user's own shell, which sources it again, behind lib-torture.sh: pool_home, pool_user.

pool_uid=2001
pool_home=/home/ann
pool_cache=/tmp/ann # of libvirt, and for images: nothing that a power cut has to leave
pool_pool=$pool_home/.local/share/mayfly/disks
pool_keys=$pool_home/.local/share/mayfly/keys
pool_runtime=/run/user/$pool_uid

# ------------------------------------------------------------------------- root's part

# pool_home FILESYSTEM DISK LEDGER: the home on DISK, and the ledger on a disk of its own, since a sync of the one would save the
# other. Both are formatted if they are blank.
pool_home() {
    if lab_is_blank "$2"; then
        "mkfs.$1" -q "$2"
        mkfs.ext4 -q "$3"
    fi
    mkdir -p "$pool_home" /run/lab/ledger
    mount -t "$1" "$2" "$pool_home"
    mount -t ext4 "$3" /run/lab/ledger
    install -d -o $pool_uid -g $pool_uid -m 700 "$pool_home" "$pool_runtime" "$pool_cache" /run/lab/ledger
    echo "ann:x:$pool_uid:$pool_uid::$pool_home:/bin/bash" >>/etc/passwd
    echo "ann:x:$pool_uid:" >>/etc/group
    mkdir -p /run/build
    mount --bind "$BUILD" /run/build
}

# What was not synced: is it written soon, or never? The file systems do either by themselves, seldom in time for a test.
pool_writeback() { # soon|never
    local periods=(10 1)
    [ "$1" = soon ] || periods=(0 360000)
    sysctl -q vm.dirty_writeback_centisecs="${periods[0]}" vm.dirty_expire_centisecs="${periods[1]}"
}

# pool_user SCRIPT: what bash does as that user, with what the torture has.
# shellcheck disable=SC2016 # that shell's
pool_user() {
    setpriv --reuid $pool_uid --regid $pool_uid --clear-groups --inh-caps=-all \
        env HOME="$pool_home" USER=ann XDG_RUNTIME_DIR="$pool_runtime" XDG_CACHE_HOME="$pool_cache/cache" \
        PATH="/run/build/src/cli:/run/build/tests/lab:$PATH" SRC="$SRC" LAB_JOB="$LAB_JOB" ledger=/run/lab/ledger/now images="$pool_cache" \
        bash -c '. "$SRC/lab/lib.sh"; . "$SRC/tests/lab/lib-torture.sh"; . "$SRC/tests/lab/lib-pool.sh"; pool_torture; '"$1"
}

# ------------------------------------------------------------------------- the user's part

# The same random things as over LVM, but those that start a guest, or want a device; to fewer disks, so that there is time for
# more cuts.
# shellcheck disable=SC2034 # of lib-torture.sh
pool_torture() {
    torture_names=(t-1 t-2)
    torture_uri=qemu:///session
    torture_doings=(delete write disk grow rebuild export recover)
    torture_contents=(--image "$pool_cache/image" --image-format raw)
    torture_launch=(--root 16M --ephemeral 16M --memory 64M --no-start "${torture_contents[@]}")
    torture_exported=eph0
    for _ in {1..4096}; do echo 'MAYFLY-PLAINTEXT image'; done >"$pool_cache/image"
}

our_domains() { virsh -q -c qemu:///session list --all --name | { grep -v '^$' || true; } | sort; }
our_maps() { :; }
our_keys() { [ ! -d "$pool_keys" ] || find "$pool_keys" -type f ! -name seal.key ! -name identity -printf '%f\n' | sort; }

# As the sockets are named; a folder without any has its name here, and so has a file that is no disk.
our_volumes() {
    local instance file
    for instance in "$pool_pool"/*/; do
        [ -d "$instance" ] || continue
        file=("$instance"disk*)
        [ -e "${file[0]}" ] || basename "$instance"
    done
    [ ! -d "$pool_pool" ] || find "$pool_pool" -mindepth 2 -type f ! -name tags ! -name tags.new -printf '%P\n' | tr / _ | sort
}

look_at_devices() {
    local tags line device
    eph0=()
    for tags in "$pool_pool"/*/tags; do
        while IFS= read -r line; do
            if [[ $line == *mayfly.role=eph0* && $line =~ mayfly\.instance=([0-9a-f-]+) ]]; then
                device=$pool_runtime/mayfly/${BASH_REMATCH[1]}_disk.eph0
                [[ $line =~ mayfly\.name=([^, ]+) ]]
                eph0["${BASH_REMATCH[1]}"]=$device
            fi
        done <"$tags"
    done
}

# Of a disk that a guest has written to, if what the launch has written to the other is there, too.
read_mark() {
    local lines
    mapfile -t lines < <(pool-guest read "${eph0[$1]%.eph0}" "${eph0[$1]}")
    [ "${lines[0]}" = 'MAYFLY-PLAINTEXT image' ] || echo "another image: "
    echo "${lines[1]#MAYFLY-PLAINTEXT }"
}
put_mark() { pool-guest write "${eph0[$1]}" "MAYFLY-PLAINTEXT $2"; }
