/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a session is opened: whoever parses what others say is not root any more. */
#include "cli/session.h"
#include "folder.h"
#include "unit.h"

#include <sys/prctl.h>

static char order[16];

static void note(char letter)
{
    order[strlen(order)] = letter;
}

/* In the place of what a session is made of. */
#define WRAP(result, name, ...)                                                                              \
    result __wrap_##name(__VA_ARGS__);                                                                       \
    result __wrap_##name(__VA_ARGS__)

WRAP(uid_t, geteuid, void)
{
    return 0;
}

WRAP(int, prctl, int option)
{
    return option == PR_CAPBSET_READ;
}

WRAP(int, privileges_user, uid_t *ret, struct error *e)
{
    (void)e;
    *ret = 65534;
    return 0;
}

WRAP(void, engine_make_folder, const struct sockets *sockets, uid_t owner)
{
    assert_string_equal(sockets->path, "/run/mayfly/disks");
    assert_int_equal(owner, 65534);
    note('f');
}

WRAP(int, privileges_drop, struct error *e)
{
    (void)e;
    note('d');
    return 0;
}

WRAP(int, broker_fork, const char *program, const char *config, struct broker **ret, struct error *e)
{
    static struct broker broker;
    (void)program, (void)config, (void)e;
    note('b');
    *ret = &broker;
    return 0;
}

WRAP(struct broker *, broker_disconnect, struct broker *b)
{
    if (b)
        note('c');
    return NULL;
}

WRAP(int, virt_connect, const char *uri, enum virt_owner owner, struct virt **ret, struct error *e)
{
    (void)uri, (void)owner, (void)ret;
    note('v');
    return error_set(e, -ECONNREFUSED, "libvirt: is away");
}

static void root_is_given_up_before_libvirt_is_asked(void **state)
{
    const struct globals g = {
        .config_path = folder_path(state, "mayfly.conf"), .token_fd = -1, .progress_fd = -1};
    struct error e = ERROR_NONE;
    struct session *s = NULL;
    folder_write(state, "mayfly.conf", "");
    assert_error(session_open(&g, SESSION_VIRT_NEEDED, &s, &e), -ECONNREFUSED, e);
    assert_null(s);
    assert_string_equal(order, "bfdvc");
    memset(order, 0, sizeof order);
    e = ERROR_NONE;
    assert_ok(session_open(&g, SESSION_VIRT_NONE, &s, &e), e);
    assert_string_equal(order, "bfd");
    session_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        root_is_given_up_before_libvirt_is_asked, folder_make, folder_remove)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
