/* SPDX-License-Identifier: Apache-2.0 */
/* The paths that root finds in the XML of a domain. */
#include "unit.h"

#include "virt/hook-paths.h"

static bool finds(const char *xml, const char *path)
{
    _cleanup_hook_paths_ struct hook_paths p = {0};
    struct error e = ERROR_NONE;
    assert_ok(hook_paths_find(xml, &p, &e), e);
    for (size_t i = 0; i < p.n; i++)
        if (streq(p.path[i], path))
            return true;
    return false;
}

static void every_way_to_name_a_path(void **state)
{
    (void)state;
    assert_true(finds("<source dev='/dev/vg0/a'/>", "/dev/vg0/a"));
    assert_true(finds("<source dev=\"/dev/dm-7\" index='1'/>", "/dev/dm-7"));
    assert_true(finds("<source file='/srv/a &amp; b.img'/>", "/srv/a & b.img"));
    assert_true(finds("<backingStore type='block'><source dev='/dev/block/254:1'/>", "/dev/block/254:1"));
    assert_true(finds("<dataStore><source file='/srv/x'/>", "/srv/x"));
    assert_true(finds("<block>/dev/sdb</block>", "/dev/sdb"));
    assert_true(finds("<qemu:arg value='file=/dev/vg0/a,if=virtio'/>", "/dev/vg0/a"));
    assert_true(finds("<qemu:arg value='{&quot;filename&quot;:&quot;/dev/vg0/a&quot;}'/>", "/dev/vg0/a"));
    assert_true(finds("<source file='/srv/it&apos;s'/>", "/srv/it's"));
    assert_true(finds("<source pool='vg0' volume='a'/>", "/dev/vg0/a"));
    assert_true(finds("<source volume='a' mode='host' pool='vg0'/>", "/dev/vg0/a"));
    assert_false(finds("<source pool='../../srv' volume='a'/>", "/dev/../../srv/a"));
    assert_false(finds("<name>a/b</name>", "/b"));
    assert_false(finds("", ""));
}

static void the_uuid(void **state)
{
    char uuid[UUID_TEXT];
    (void)state;
    hook_paths_uuid("<uuid>5c0e1c9e-0f53-4c2e-9d4b-3f0f4f9a7e11</uuid>", uuid);
    assert_string_equal(uuid, "5c0e1c9e-0f53-4c2e-9d4b-3f0f4f9a7e11");
    hook_paths_uuid("<uuid>5c0e</uuid>", uuid);
    assert_string_equal(uuid, "");
    hook_paths_uuid("<domain/>", uuid);
    assert_string_equal(uuid, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_way_to_name_a_path),
                                       cmocka_unit_test(the_uuid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
