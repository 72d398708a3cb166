/* SPDX-License-Identifier: Apache-2.0 */
/* test_suite CONFIG AGENT: the suite of all key managers over Barbican, by mayfly-keyagent, for whom the
 * environment names. */
#include "base/str.h"
#include "keymgr-suite.h"

#include <stdio.h>

static struct config config;
static struct key_context who = KEY_CONTEXT_NONE;

struct keymgr *suite_open(void **state)
{
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    (void)state;
    assert_ok(keymgr_open(&config, &who, "barbican", &km, &e), e);
    return km;
}

/* His project is of this test alone. */
static int without_keys(void **state)
{
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = suite_open(state);
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_ok(keymgr_list(km, &l, &e), e);
    for (size_t i = 0; i < l.n; i++)
        assert_ok(keymgr_destroy(km, l.keys[i].id, &e), e);
    return 0;
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {KEYMGR_SUITE(without_keys, without_keys)};
    struct error e = ERROR_NONE;
    if (argc != 3)
        return EXIT_USAGE;
    int r = config_load(argv[1], CONFIG_ANY_OWNER, &config, &e);
    if (r == 0)
        r = key_context_take(&config, NULL, -1, &who, &e);
    if (r == 0)
        r = str_copy(who.agent_program, sizeof who.agent_program, argv[2]);
    if (r < 0) {
        fprintf(stderr, "%s\n", e.text);
        return exit_code(r);
    }
    int failed = cmocka_run_group_tests_name("barbican", tests, NULL, NULL);
    key_context_end(&who);
    return failed;
}
