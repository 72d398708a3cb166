/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's double passes the suite of the real one, so that the crash matrix runs against a libvirt that
 * exists. */
#include "fake/world.h"
#include "virt-suite.h"

static struct fake fake;

static int begin(void **state)
{
    (void)state;
    fake_begin(&fake, world_new());
    suite.virt = TAKE_PTR(fake.context.virt);
    uuid_make(suite.uuid);
    return 0;
}

static int end(void **state)
{
    int r = suite_end(state);
    assert_string_equal(fake.world->violation, "");
    fake_end(&fake);
    fake.world = world_free(fake.world);
    return r;
}

int main(void)
{
    suite.template =
        "<domain type='test'><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>";
    suite.attaches = suite.obeys = true;
    const struct CMUnitTest tests[] = {VIRT_SUITE(begin, end)};
    return cmocka_run_group_tests_name("the double of libvirt", tests, NULL, NULL);
}
