/* SPDX-License-Identifier: Apache-2.0 */
/* The double of the broker passes the suite of the real one, so that the crash matrix runs against a broker
 * that exists. What the double calls a violation, since no operation may run into it, the suite tries on
 * purpose. */
#include "broker-suite.h"
#include "fake/world.h"

static struct fake fake;

static struct broker *connect_double(void)
{
    return fake_broker_new(fake.world);
}

static void add_stranger(const char *lv, uint64_t size_bytes)
{
    struct host *h = &fake.world->host;
    struct world_volume *new = &h->volumes[h->n_volumes++];
    *new = (struct world_volume){.v.size_bytes = size_bytes, .nova = true, .stranger = true};
    snprintf(new->v.vg, sizeof new->v.vg, "%s", suite.vg);
    snprintf(new->v.lv, sizeof new->v.lv, "%s", lv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {BROKER_SUITE};
    suite = (struct broker_suite){.connect = connect_double,
                                  .vg = "vg0",
                                  .extent_bytes = 4 << 20,
                                  .other_vg = "vg1",
                                  .add_stranger = add_stranger};
    fake_begin(&fake, world_new());
    int failed = cmocka_run_group_tests_name("the double of the broker", tests, NULL, NULL);
    fake_end(&fake);
    world_free(fake.world);
    return failed;
}
