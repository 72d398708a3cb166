/* SPDX-License-Identifier: Apache-2.0 */
/* The doubles of the durable key managers pass the suite of the real ones, so that the crash matrix runs
 * against managers that exist. */
#include "fake/world.h"
#include "keymgr-suite.h"

static struct fake fake;
static const char *manager;

struct keymgr *suite_open(void **state)
{
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    (void)state;
    assert_ok(fake_keymgr_open(&fake.config, &fake.who, manager, &km, &e), e);
    return km;
}

static int without_keys(void **state)
{
    (void)state;
    fake_begin(&fake, world_new());
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end(&fake);
    fake.world = world_free(fake.world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {KEYMGR_SUITE(without_keys, end)};
    manager = "local";
    int failed = cmocka_run_group_tests_name("the double of local", tests, NULL, NULL);
    manager = "barbican";
    return failed + cmocka_run_group_tests_name("the double of barbican", tests, NULL, NULL);
}
