/* SPDX-License-Identifier: Apache-2.0 */
/* What every libvirt must do: the real one, over its test driver or QEMU (unit/test_virt.c), and the double
 * that the crash matrix works on (unit/test_fake_virt.c). Texts are no part of it.
 */
#pragma once

#include "unit/unit.h"
#include "virt/domain-xml.h"
#include "virt/virt.h"

struct virt_suite {
    struct virt *virt; /* made for each test by its set-up; suite_end() ends it */
    char uuid[UUID_TEXT];
    const char *template;    /* of the definitions; NULL: the one that is built in */
    struct domain_disk disk; /* of each domain; device_path NULL: it has none */
    bool attaches;           /* disks; libvirt's test driver does not */
    bool obeys;              /* a guest ends as soon as it is asked to */
};
extern struct virt_suite suite;

/* Whatever became of the test, its domain goes. */
int suite_end(void **state);

int suite_define(const char *name, const char *with_uuid, struct error *e);
int suite_undefine(struct error *e);
void assert_domain(bool active); /* "mayfly-test", by name and by uuid */

void suite_lives(void **state);
void suite_lists_all(void **state);
void suite_shows_both_sides(void **state);
void suite_refuses_what_is_taken(void **state);
void suite_asks_a_guest_to_go(void **state);
void suite_tells_what_is_not_there(void **state);
void suite_changes_a_definition(void **state);
void suite_moves_disks(void **state);

/* `setup` connects; `teardown` is, or calls, suite_end(). */
#define VIRT_SUITE(setup, teardown)                                                                          \
    cmocka_unit_test_setup_teardown(suite_lives, setup, teardown),                                           \
        cmocka_unit_test_setup_teardown(suite_lists_all, setup, teardown),                                   \
        cmocka_unit_test_setup_teardown(suite_shows_both_sides, setup, teardown),                            \
        cmocka_unit_test_setup_teardown(suite_refuses_what_is_taken, setup, teardown),                       \
        cmocka_unit_test_setup_teardown(suite_asks_a_guest_to_go, setup, teardown),                          \
        cmocka_unit_test_setup_teardown(suite_tells_what_is_not_there, setup, teardown),                     \
        cmocka_unit_test_setup_teardown(suite_changes_a_definition, setup, teardown),                        \
        cmocka_unit_test_setup_teardown(suite_moves_disks, setup, teardown)
