/* SPDX-License-Identifier: Apache-2.0 */
/* What every broker must do: the real one over LVM and device-mapper (lab/broker-life.sh), its server over
 * the storage in memory (unit/test_broker_suite.c), the pool of files (unit/test_pool.c), and the double that
 * the crash matrix works on (unit/test_fake_broker.c). Texts are no part of it.
 */
#pragma once

#include "broker/client.h"
#include "unit/unit.h"

struct broker_suite {
    struct broker *(*connect)(void); /* as root, from a process of its own */
    void (*ended)(void);             /* waits until one more connection has ended; NULL: it has */
    bool files;                      /* it is a pool of files, without device-mapper, LVM and adoption */
    const char *vg;                  /* the one group that it may use; it has 400 MiB at least */
    uint64_t extent_bytes;           /* of `vg` */
    const char *other_vg;            /* it may not use this one; it need not be there */
    void (*add_stranger)(const char *lv, uint64_t size_bytes); /* in `vg`, of zeros, without tags */
    bool (*has_node)(const char *map);                         /* NULL: nodes are not to be seen */
    int (*sync_domains)(void);                                 /* what it should answer; NULL: 0 */
};
extern struct broker_suite suite;

void suite_locks_instances(void **state);
void suite_wants_the_lock(void **state);
void suite_looks(void **state);
void suite_makes_volumes(void **state);
void suite_opens_with_the_key(void **state);
void suite_opens_plain_ones_to_their_maker(void **state);
void suite_settles_several_at_once(void **state);
void suite_syncs_domains(void **state);
void suite_formats_what_is_being_made(void **state);
void suite_marks_and_nothing_comes_back(void **state);
void suite_removes_what_is_doomed(void **state);
void suite_treats_several_as_one(void **state);
void suite_grows_what_is_ready(void **state);
void suite_makes_anew(void **state);
void suite_tunes_what_is_open(void **state);
void suite_makes_snapshots(void **state);
void suite_lends_scratch_volumes(void **state);
void suite_adopts_strangers(void **state);

/* Each makes an instance of its own, and removes it. */
#define BROKER_SUITE                                                                                         \
    cmocka_unit_test(suite_locks_instances), cmocka_unit_test(suite_wants_the_lock),                         \
        cmocka_unit_test(suite_looks), cmocka_unit_test(suite_makes_volumes),                                \
        cmocka_unit_test(suite_opens_with_the_key), cmocka_unit_test(suite_opens_plain_ones_to_their_maker), \
        cmocka_unit_test(suite_settles_several_at_once), cmocka_unit_test(suite_syncs_domains),              \
        cmocka_unit_test(suite_formats_what_is_being_made),                                                  \
        cmocka_unit_test(suite_marks_and_nothing_comes_back),                                                \
        cmocka_unit_test(suite_removes_what_is_doomed), cmocka_unit_test(suite_treats_several_as_one),       \
        cmocka_unit_test(suite_grows_what_is_ready), cmocka_unit_test(suite_makes_anew),                     \
        cmocka_unit_test(suite_tunes_what_is_open), cmocka_unit_test(suite_makes_snapshots),                 \
        cmocka_unit_test(suite_lends_scratch_volumes), cmocka_unit_test(suite_adopts_strangers)
