# SPDX-License-Identifier: Apache-2.0
# A kernel without device-mapper: said clearly, and nothing is left behind.
# lab: -d 128M -m 512M -t 1800
. "$SRC/lab/lib.sh"
. "$SRC/lab/lib-mayfly.sh"
host_up /dev/ubda
vgchange -q -an vg0 >/dev/null
for module in dm_crypt dm_mod; do
    echo "install $module /bin/false" >>/etc/modprobe.d/none.conf
    ! grep -q "^$module " /proc/modules || rmmod $module
done
check_fails 4 "launch without device-mapper" mayfly launch v --root 16M --no-start 2>/tmp/err
cat /tmp/err
check "it is named" grep -q device-mapper /tmp/err
check_equal "no key is left" "" "$(our_keys)"
check_equal "no volume is left" "" "$(our_volumes)"
