/* SPDX-License-Identifier: Apache-2.0 */
/* The console of a guest: virsh's, for people, of an instance that runs. */
#include "instances.h"

#include "cli/session.h"
#include "cli/verb.h"

#include <errno.h>
#include <signal.h>

static struct fake *host;
static bool terminal = true, force;
static char command[300]; /* that mayfly became; "": it did not */
static int virsh_errno = ENOENT;

int verb_parse(const struct verb *self, struct globals *g, const struct cli_option *options, void *target,
               int argc, char **argv, int min, int max, int *ret_n, struct error *e)
{
    (void)self, (void)g, (void)argv;
    assert_true(argc == 2 && min == 1 && max == 1);
    assert_string_equal(options[0].name, "force");
    *ret_n = 1;
    return force ? options[0].set(target, NULL, e) : 0;
}

int session_open(const struct globals *g, enum session_virt virt, struct session **ret, struct error *e)
{
    (void)g, (void)e;
    assert_int_equal(virt, SESSION_VIRT_NEEDED);
    *ret = calloc(1, sizeof **ret);
    (*ret)->context = host->context;
    config_defaults(&(*ret)->config);
    return 0;
}

struct session *session_close(struct session *s)
{
    free(s);
    return NULL;
}

int __wrap_isatty(int fd);
int __wrap_isatty(int fd)
{
    assert_int_equal(fd, 0);
    return terminal;
}

int __wrap_execlp(const char *file, const char *first, ...);
int __wrap_execlp(const char *file, const char *first, ...)
{
    struct sigaction pipe_action;
    va_list ap;
    snprintf(command, sizeof command, "%s:", file);
    va_start(ap, first);
    for (const char *word = first; word; word = va_arg(ap, const char *))
        snprintf(command + strlen(command), sizeof command - strlen(command), " %s", word);
    va_end(ap);
    assert_int_equal(sigaction(SIGPIPE, NULL, &pipe_action), 0);
    assert_true(pipe_action.sa_handler == SIG_DFL);
    errno = virsh_errno;
    return -1;
}

static int console(struct bench *b, const char *name, bool json, struct error *e)
{
    struct globals g = {.json = json};
    char own[40], *argv[] = {own, own, NULL};
    snprintf(own, sizeof own, "%s", name);
    host = &b->f;
    command[0] = '\0';
    signal(SIGPIPE, SIG_IGN);
    return verb_console(NULL, &g, 2, argv, e);
}

static void mayfly_becomes_virsh(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    for (int forced = 0; forced < 2; forced++) {
        struct error e = ERROR_NONE;
        _cleanup_free_ char *wanted = str_format("virsh: virsh -c qemu:///system console %s%s",
                                                 b->w->host.domains[0].d.uuid, forced ? " --force" : "");
        force = forced;
        fake_again(&b->f);
        assert_error(console(b, "t", false, &e), -ENOENT, e);
        assert_string_equal(command, wanted);
        assert_non_null(strstr(e.text, "virsh: cannot be run: No such file or directory; install it"));
    }
    force = false;
}

static void nothing_else_has_a_console(void **state)
{
    struct bench *b = *state;
    struct error e = ERROR_NONE;
    bench_make(b, "t", true);
    fake_again(&b->f);
    assert_error(console(b, "t", false, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "it does not run"));
    e = ERROR_NONE;
    fake_again(&b->f);
    assert_error(console(b, "nobody", false, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_error(console(b, "t", true, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "prints no JSON"));
    e = ERROR_NONE;
    terminal = false;
    assert_error(console(b, "t", false, &e), -EINVAL, e);
    terminal = true;
    assert_non_null(strstr(e.text, "standard input is not a terminal"));
    assert_string_equal(command, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {bench_test(mayfly_becomes_virsh),
                                       bench_test(nothing_else_has_a_console)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
