/* SPDX-License-Identifier: Apache-2.0 */
/* Before data is destroyed: what is named, and which answers count. A terminal of its own is asked. */
#include "cli/confirm.h"
#include "instances.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <unistd.h>

static int terminal = -1; /* the person's side of it */

static int with_terminal(void **state)
{
    int side = -1;
    if (openpty(&terminal, &side, NULL, NULL, NULL) < 0 || dup2(side, STDIN_FILENO) < 0)
        return -1;
    close(side);
    return bench_setup(state);
}

static int without_terminal(void **state)
{
    close(terminal);
    return bench_teardown(state);
}

static int answer(struct bench *b, const char *text, struct error *e)
{
    *e = ERROR_NONE;
    assert_int_equal(write(terminal, text, strlen(text)), (ssize_t)strlen(text));
    return confirm_ask("delete", &b->f.context, "It is gone for good.", e);
}

static void only_yes_is_a_yes(void **state)
{
    struct bench *b = *state;
    static const char *const yes[] = {"y\n", "Y\n", "yes\n", "Yes\n"};
    static const char *const no[] = {"\n", "n\n", "no\n", "yess\n", " y\n", "j\n", "ye\n", "y y\n", "\004"};
    struct error e = ERROR_NONE;
    assert_ok(confirm_possible("delete", &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        assert_ok(answer(b, yes[i], &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        assert_error(answer(b, no[i], &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "nothing was done"));
}

static bool stopped(void)
{
    return true;
}

static void a_signal_ends_it(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    b->f.context.stopped = stopped;
    assert_error(confirm_ask("delete", &b->f.context, "It is gone for good.", &e), -ECANCELED, e);
}

static void nobody_is_asked_without_a_terminal(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(dup2(nothing, STDIN_FILENO) == STDIN_FILENO);
    close(nothing);
    assert_error(confirm_possible("delete", &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "--yes"));
}

static void what_goes_is_named(void **state)
{
    struct bench *b = *state;
    _cleanup_model_ struct model *m = NULL;
    struct error e = ERROR_NONE;
    char text[2000], web[] = "web", nobody[] = "nobody", other[] = "other", *names[] = {web, nobody, other},
                     wanted[1200];
    FILE *file = tmpfile();
    bench_make(b, "web", true);
    bench_make(b, "other", true);
    assert_ok(model_load(&b->f.context, &m, &e), e);
    for (size_t i = 0; i < m->inventory->n_volumes; i++)
        if (streq(m->inventory->volumes[i].role, "swap"))
            strcpy(m->inventory->volumes[i].alias, "disk.swap"); /* as its caller calls it */
    const struct instance *unalike = NULL; /* a plain disk, and one with a key of its own */
    assert_ok(model_find(m, "other", &unalike, &e), e);
    struct volume *first = (struct volume *)unalike->volumes[0];
    strcpy(first->cipher, "none");
    first->key[0] = '\0';
    int saved = dup(STDERR_FILENO);
    assert_true(file && dup2(fileno(file), STDERR_FILENO) >= 0);
    confirm_name_instances(m, names, 3);
    confirm_name_disk(m, "web", "swap");
    confirm_name_disk(m, "web", "disk.swap");
    confirm_name_disk(m, "web", "eph0");
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const struct volume *v = &b->w->host.volumes[0].v;
    snprintf(wanted, sizeof wanted,
             "  web (%s): shut off; disk root of 1 GiB, disk swap of 1 GiB; key %s\n"
             "  nobody: there is no instance of this name\n"
             "  other (%s): shut off; disk root of 1 GiB, disk swap of 1 GiB; key %s\n"
             "  web (%s): disk swap of 1 GiB\n"
             "  web (%s): disk swap of 1 GiB\n"
             "  web: there is no disk eph0\n",
             v->instance, v->key, unalike->uuid, unalike->volumes[1]->key, v->instance, v->instance);
    assert_string_equal(text, wanted);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, with_terminal, without_terminal)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_yes_is_a_yes),
        TEST(a_signal_ends_it),
        TEST(what_goes_is_named),
        TEST(nobody_is_asked_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
