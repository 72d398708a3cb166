/* SPDX-License-Identifier: Apache-2.0 */
/* The verb that libvirt waits for: it lets through at once what is no matter of Mayfly's, and gives up after
 * its time, whatever it waits for then. */
#include "unit.h"

#include "base/fd.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "virt/domain-xml.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ours[] =
    "<domain type='kvm'><name>ci-1</name><uuid>11111111-1111-4111-8111-111111111111</uuid>"
    "<metadata><mayfly:instance xmlns:mayfly='" DOMAIN_XML_NAMESPACE "'/></metadata></domain>";
static unsigned deadline_sec;

/* A second instead of what was asked for. */
unsigned __real_alarm(unsigned seconds);
unsigned __wrap_alarm(unsigned seconds);
unsigned __wrap_alarm(unsigned seconds)
{
    deadline_sec = seconds;
    return __real_alarm(seconds ? 1 : 0);
}

/* A key manager that does not answer, a lock that is not given back, a broker that LVM keeps. */
int session_open(const struct globals *g, enum session_virt virt, struct session **ret, struct error *e)
{
    (void)g, (void)ret, (void)e;
    if (virt != SESSION_VIRT_NONE || deadline_sec != 150)
        _exit(99);
    for (;;)
        pause();
}

struct session *session_close(struct session *s)
{
    return s;
}

int verb_parse(const struct verb *self, struct globals *g, const struct cli_option *options, void *target,
               int argc, char **argv, int min, int max, int *ret_n, struct error *e)
{
    (void)self, (void)g, (void)options, (void)target, (void)argv, (void)e;
    assert_true(argc == 5 && min == 4 && max == 4);
    *ret_n = 4;
    return 0;
}

/* The exit status, or -1 if it had to be ended after some seconds. */
static int hook(const char *xml, const char *operation, const char *part, char said[200])
{
    int err[2], status = 0;
    _cleanup_close_ int in = memfd_create("xml", MFD_CLOEXEC);
    assert_int_equal(write(in, xml, strlen(xml)), strlen(xml));
    assert_int_equal(lseek(in, 0, SEEK_SET), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {strdup("hook"), strdup("ci-1"), strdup(operation), strdup(part), strdup("-"), NULL};
        struct globals g = {0};
        struct error e = ERROR_NONE;
        dup2(in, STDIN_FILENO);
        dup2(err[1], STDERR_FILENO);
        _exit(exit_code(verb_hook(NULL, &g, 5, argv, &e)));
    }
    close(err[1]);
    for (int i = 0; i < 1000 && waitpid(pid, &status, WNOHANG) == 0; i++)
        usleep(10000);
    bool ended = kill(pid, 0) < 0;
    if (!ended)
        kill(pid, SIGKILL);
    ssize_t n = read(err[0], said, 199);
    said[n > 0 ? n : 0] = '\0';
    close(err[0]);
    if (!ended)
        waitpid(pid, &status, 0);
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_hook_that_waits_too_long_fails(void **state)
{
    (void)state;
    char said[200];
    assert_int_equal(hook(ours, "prepare", "begin", said), EXIT_FAILED);
    assert_non_null(strstr(said, "mayfly: the hook has not done its work in time"));
    assert_int_equal(hook(ours, "release", "end", said), EXIT_FAILED);
}

static void what_is_not_ours_is_let_through(void **state)
{
    (void)state;
    char said[200];
    assert_int_equal(hook("<domain type='kvm'><name>other</name></domain>", "prepare", "begin", said), 0);
    assert_string_equal(said, "");
    assert_int_equal(hook(ours, "started", "begin", said), 0);
    assert_int_equal(hook(ours, "prepare", "end", said), 0);
    assert_int_equal(hook(ours, "release", "begin", said), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hook_that_waits_too_long_fails),
                                       cmocka_unit_test(what_is_not_ours_is_let_through)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
