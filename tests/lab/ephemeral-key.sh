# SPDX-License-Identifier: Apache-2.0
# The ephemeral key manager: the key is in the kernel alone, for as long as the map is open.
# lab: -d 1G -m 1G -t 2700
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda key_manager.backend=ephemeral

refused 1 'no-start' "an ephemeral key cannot wait for a start" mayfly launch e --root 16M --no-start
check "launch" mayfly launch e --root 16M --ephemeral 16M --memory 64M
check_equal "no key is kept anywhere" "" "$(our_keys)"
check "stop keeps the maps, and so the key" mayfly stop e --timeout 0 --force
check_equal "both are open" 2 "$(our_maps | wc -l)"
check "recover leaves them" mayfly recover
check_equal "both are open" 2 "$(our_maps | wc -l)"
check "start" mayfly start e
mayfly stop e --timeout 0 --force >/dev/null
check_fails 8 "close would lose the data, and is refused" mayfly close e
check "unless that is wanted" mayfly close e --yes
check_fails 7 "then the key is gone for good" mayfly start e
check "delete" mayfly delete --yes e
nothing_left
