/* SPDX-License-Identifier: Apache-2.0 */
/* What the hook reads of a domain's XML, and which domains it lets through unread. */
#include "unit.h"

#include "virt/domain-xml.h"
#include "virt/hook-domain.h"

#define UUID   "5c0e1c9e-0f53-4c2e-9d4b-3f0f4f9a7e11"
#define HEAD   "<domain type='qemu'><name>ci-1</name><uuid>" UUID "</uuid>"
#define MARK   "<metadata><m:instance xmlns:m='" DOMAIN_XML_NAMESPACE "' version='1'/></metadata>"
#define OTHERS "<metadata><m:instance xmlns:m='urn:other'/></metadata>"

static void test_concerns(void **state)
{
    (void)state;
    assert_true(hook_concerns_us(HEAD MARK "</domain>"));
    assert_true(hook_concerns_us("<source dev='/dev/vg0/" UUID "_disk.swap'/>"));
    assert_true(hook_concerns_us("_disk" UUID "_disk"));
    assert_true(hook_concerns_us("/dev/mapper/vg0-5c0e1c9e--0f53--4c2e--9d4b--3f0f4f9a7e11_disk"));
    assert_false(hook_concerns_us(HEAD OTHERS "<source file='/srv/web_disk.img'/></domain>"));
    assert_false(hook_concerns_us("_disk"));
    assert_false(
        hook_concerns_us("5C0E1C9E-0f53-4c2e-9d4b-3f0f4f9a7e11_disk")); /* LVM's names are lower case */
    assert_false(hook_concerns_us(""));
}

static void test_read(void **state)
{
    _cleanup_hook_domain_ struct hook_domain d = {0};
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(hook_domain_read(HEAD MARK
                               "<devices><disk type='block'><source dev='/dev/a'/></disk>"
                               "<disk type='file'><source file='/b'/></disk><disk/>"
                               "<disk type='block'><source dev='/dev/c'/></disk></devices></domain>",
                               &d, &e),
              e);
    assert_string_equal(d.uuid, UUID);
    assert_string_equal(d.name, "ci-1");
    assert_true(d.ours);
    assert_int_equal(d.n_devices, 2);
    assert_string_equal(d.devices[0], "/dev/a");
    assert_string_equal(d.devices[1], "/dev/c");
}

static void test_of_others(void **state)
{
    _cleanup_hook_domain_ struct hook_domain d = {0};
    struct error e = ERROR_NONE;
    (void)state;
    assert_ok(hook_domain_read(HEAD OTHERS "</domain>", &d, &e), e);
    assert_false(d.ours);
    assert_int_equal(d.n_devices, 0);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "<domain/>",
                                      "<domain><name>a</name></domain>",
                                      "<domain><name>a</name><uuid>b</uuid></domain>",
                                      HEAD,
                                      "<!DOCTYPE domain>" HEAD "</domain>"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_hook_domain_ struct hook_domain d = {0};
        struct error e = ERROR_NONE;
        assert_int_equal(hook_domain_read(bad[i], &d, &e), -EINVAL);
        assert_true(e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concerns),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_of_others),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
