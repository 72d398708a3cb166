/* SPDX-License-Identifier: Apache-2.0 */
/* What every durable key manager must do, whether it works in this process or through mayfly-keyagent. A new
 * manager joins with a test program that defines suite_open() and has a row in its list of tests:
 *
 *     struct keymgr *suite_open(void **state) { ... }
 *     ... = {KEYMGR_SUITE(setup, teardown), ...};
 *
 * unit/test_keymgr.c does so for `local`, barbican/test_suite.c for Barbican.
 */
#pragma once

#include "keys/keymgr.h"
#include "unit/unit.h"

#define OWNER  "6f1e8a8e-0000-4000-8000-000000000000"
#define NO_KEY "6f1e8a8e-0000-4000-8000-00000000dead"

static const struct key_info want = {.owner = OWNER, .vg = "vg0", .bits = 512};

/* Opens the manager, as a new process would. */
struct keymgr *suite_open(void **state);

/* A key that must be made; the caller owns it. */
struct secret *a_key(struct keymgr *km, const struct key_info *info, char id[KEY_ID_MAX]);

/* The same, where its bytes do not matter. */
void make_key(struct keymgr *km, char id[KEY_ID_MAX]);

void assert_fetch(struct keymgr *km, const char *id, int wanted);
void assert_key_is(struct keymgr *km, const char *id, const struct secret *wanted);
size_t count_listed(struct keymgr *km);

void suite_keeps_keys(void **state);
void suite_destroys_keys(void **state);
void suite_reads_old_references(void **state);
void suite_takes_all_sizes_of_cipher_c(void **state);
void suite_does_not_believe_ids(void **state);
void suite_makes_many_at_once(void **state);
void suite_makes_none_of_many(void **state);
void suite_says_who_may_destroy(void **state);
void suite_does_several_at_once(void **state);

/* `setup` makes a place without a key. */
#define KEYMGR_SUITE(setup, teardown)                                                                        \
    cmocka_unit_test_setup_teardown(suite_keeps_keys, setup, teardown),                                      \
        cmocka_unit_test_setup_teardown(suite_destroys_keys, setup, teardown),                               \
        cmocka_unit_test_setup_teardown(suite_reads_old_references, setup, teardown),                        \
        cmocka_unit_test_setup_teardown(suite_takes_all_sizes_of_cipher_c, setup, teardown),                 \
        cmocka_unit_test_setup_teardown(suite_does_not_believe_ids, setup, teardown),                        \
        cmocka_unit_test_setup_teardown(suite_makes_many_at_once, setup, teardown),                          \
        cmocka_unit_test_setup_teardown(suite_makes_none_of_many, setup, teardown),                          \
        cmocka_unit_test_setup_teardown(suite_says_who_may_destroy, setup, teardown),                        \
        cmocka_unit_test_setup_teardown(suite_does_several_at_once, setup, teardown)
