/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the broker, at whose other end is one of another version, one that is silent or that dies:
 * each ends in a sentence, and nothing of the answer is believed that has not the form. */
#include "base/fd.h"
#include "base/packet.h"
#include "broker/client.h"
#include "broker/wire.h"
#include "child.h"
#include "folder.h"
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define I "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e"

/* --wrap: time goes on without waiting for it. */
static time_t ahead_sec;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    int r = __real_clock_gettime(clock, ret);
    ret->tv_sec += ahead_sec;
    return r;
}

/* ------------------------------------------------------------ the other end */

/* What it answers to each request: `a`, with a file of these bytes if there are any. */
struct reply {
    enum { ANSWERS, ANSWERS_SHORT, HANGS_UP, IS_SILENT } how;
    struct answer a;
    const void *bytes;
    size_t size;
    bool device; /* a descriptor that is no file */
};

static struct reply reply;
static char *socket_path;
static int listening = -1;
static pthread_t thread;
static unsigned n_requests;

static bool answer(int socket)
{
    int fd = -1;
    if (reply.how == HANGS_UP)
        return false;
    if (reply.how == IS_SILENT)
        return true;
    if (reply.bytes)
        assert_int_equal(fd_memfd("reply", reply.bytes, reply.size, &fd), 0);
    if (reply.device)
        fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int r = packet_send(socket, &reply.a, reply.how == ANSWERS_SHORT ? 5 : sizeof reply.a, fd);
    fd_close(fd);
    return r == 0;
}

static void *serve(void *data)
{
    static char packet[32768];
    size_t size;
    int fd = -1, socket = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    (void)data;
    while (packet_receive(socket, packet, sizeof packet, &size, &fd) == 0) {
        fd_close(fd);
        n_requests++;
        if (!answer(socket))
            break;
    }
    fd_close(socket);
    return NULL;
}

static struct broker *talk(struct reply r)
{
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    reply = r;
    if (reply.a.version == 0)
        reply.a.version = wire_version;
    n_requests = 0;
    assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
    assert_ok(broker_connect(socket_path, &b, &e), e);
    return b;
}

static void end(struct broker *b)
{
    broker_disconnect(b);
    pthread_join(thread, NULL);
}

/* ---------------------------------------------------------------- the tests */

static int lock(struct broker *b, struct error *e)
{
    return broker_lock(b, I, e);
}

static int list(struct broker *b, struct error *e)
{
    _cleanup_inventory_ struct inventory *i = NULL;
    int r = broker_list(b, &i, e);
    assert_true((i != NULL) == (r == 0));
    return r;
}

static int maps(struct broker *b, struct error *e)
{
    _cleanup_free_ struct map *all = NULL;
    size_t n = 0;
    int r = broker_maps(b, &all, &n, e);
    assert_true((all != NULL) == (r == 0));
    return r;
}

static int suspended(struct broker *b, struct error *e)
{
    _cleanup_free_ struct suspended *all = NULL;
    size_t n = 0;
    int r = broker_suspended(b, &all, &n, e);
    assert_true((all != NULL) == (r == 0));
    return r;
}

static int strangers(struct broker *b, struct error *e)
{
    _cleanup_free_ struct volume *all = NULL;
    size_t n = 0;
    int r = broker_strangers(b, "vg0", I, &all, &n, e);
    assert_true((all != NULL) == (r == 0));
    return r;
}

static void assert_told(struct reply r, int (*ask)(struct broker *b, struct error *e), int wanted,
                        const char *words)
{
    struct error e = ERROR_NONE;
    struct broker *b = talk(r);
    assert_error(ask(b, &e), wanted, e);
    if (!strstr(e.text, words))
        fail_msg("'%s' does not say '%s'", e.text, words);
    end(b);
}

static void another_version_is_not_believed(void **state)
{
    static const char bytes[] = "{\"report\": nothing";
    static char no_end[4096];
    (void)state;
    memset(no_end, 'x', sizeof no_end);
    assert_told((struct reply){.how = ANSWERS_SHORT}, lock, -EPROTO, "of another version");
    assert_told((struct reply){.a = {.version = 1}}, lock, -EPROTO, "of another version");
    assert_told((struct reply){.a = {.errnum = EIO}}, lock, -EPROTO, "of another version");
    assert_told((struct reply){.bytes = bytes, .size = sizeof bytes}, lock, -EPROTO,
                "answered with a descriptor");
    assert_told((struct reply){.how = ANSWERS}, list, -EPROTO, "answered without a descriptor");
    assert_told((struct reply){.device = true}, maps, -EFBIG, "its answer cannot be read");
    assert_told((struct reply){.bytes = bytes, .size = 7}, maps, -EPROTO, "its list of maps is malformed");
    assert_told((struct reply){.bytes = no_end, .size = sizeof(struct map)}, maps, -EPROTO,
                "maps is malformed");
    assert_told((struct reply){.bytes = no_end, .size = 7}, suspended, -EPROTO,
                "suspended volumes is malformed");
    assert_told((struct reply){.bytes = no_end, .size = sizeof(struct suspended)}, suspended, -EPROTO,
                "malformed");
    assert_told((struct reply){.bytes = no_end, .size = 7}, strangers, -EPROTO,
                "list of volumes is malformed");
    assert_told((struct reply){.bytes = no_end, .size = sizeof(struct volume)}, strangers, -EPROTO,
                "malformed");
    assert_told((struct reply){.a = {.errnum = -EIO, .text = "a sentence"}}, maps, -EIO, "a sentence");
}

static void one_that_dies_is_told_with_its_journal(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_told((struct reply){.how = HANGS_UP}, lock, -ECONNRESET, "see journalctl -t mayfly-broker");
    struct broker *b = talk((struct reply){.how = HANGS_UP});
    assert_error(lock(b, &e), -ECONNRESET, e);
    pthread_join(thread, NULL);
    e = ERROR_NONE;
    assert_error(lock(b, &e), -ECONNRESET, e); /* and once more */
    assert_non_null(strstr(e.text, "ended in the middle of a request"));
    broker_disconnect(b);
}

/* What it says when it ends the connection of a client that was silent, is told at the next request. */
static void the_reason_of_an_end_is_kept(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct broker *b = talk((struct reply){.how = ANSWERS});
    assert_ok(lock(b, &e), e);
    broker_alive(b); /* it was asked a moment ago */
    assert_int_equal(n_requests, 1);
    ahead_sec += 61;
    broker_alive(b);
    broker_alive(b);
    assert_int_equal(n_requests, 2);
    ahead_sec += 61;
    reply.a = (struct answer){.version = wire_version, .errnum = -ETIMEDOUT, .text = "was silent for long"};
    broker_alive(b);
    assert_int_equal(n_requests, 3);
    reply.how = HANGS_UP;
    assert_error(lock(b, &e), -ETIMEDOUT, e);
    assert_string_equal(e.text, "was silent for long");
    end(b);
}

static void a_uuid_is_ours_where_it_makes_none(void **state)
{
    (void)state;
    char uuid[UUID_TEXT] = "", again[UUID_TEXT] = "";
    struct broker *b = talk((struct reply){.a = {.errnum = -ENOSPC, .text = "there are too many"}});
    broker_disk_uuid(b, uuid);
    broker_disk_uuid(b, again);
    assert_true(uuid_valid(uuid) && uuid_valid(again));
    assert_string_not_equal(uuid, again);
    end(b);
    b = talk((struct reply){.how = ANSWERS}); /* of no form */
    broker_disk_uuid(b, uuid);
    assert_true(uuid_valid(uuid));
    end(b);
}

static void names_that_are_too_long_are_not_sent(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = {.vg = "vg0"};
    char longer[2 * UUID_TEXT];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    struct broker *b = talk((struct reply){.how = ANSWERS});
    assert_error(broker_lock(b, longer, &e), -EINVAL, e);
    broker_unlock(b, longer);
    e = ERROR_NONE;
    assert_error(broker_snapshot(b, &v, NULL, longer, 1, &e), -EINVAL, e);
    e = ERROR_NONE;
    assert_error(broker_format(b, &v, longer, "", &e), -EINVAL, e);
    assert_int_equal(n_requests, 0);
    assert_ok(broker_sync_domains(b, &e), e);
    assert_int_equal(n_requests, 1);
    end(b);
}

/* ----------------------------------------------------------------- patience */

static unsigned asked;

static int gives_up(void *data, const char *what, unsigned waited_sec)
{
    (void)data;
    assert_string_equal(what, "LOCK");
    assert_true(waited_sec >= 60);
    return ++asked == 2 ? -ECANCELED : 0;
}

/* --wrap: nothing comes in the time, or we are interrupted. */
static bool impatient;

static int nothing_comes(void)
{
    ahead_sec += 60;
    errno = EINTR;
    return asked ? 0 : -1;
}

int __real_poll(struct pollfd *fds, nfds_t n, int msec);
int __wrap_poll(struct pollfd *fds, nfds_t n, int msec);
int __wrap_poll(struct pollfd *fds, nfds_t n, int msec)
{
    return impatient ? nothing_comes() : __real_poll(fds, n, msec);
}

int __real___poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size); /* with _FORTIFY_SOURCE */
int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size);
int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size)
{
    return impatient ? nothing_comes() : __real___poll_chk(fds, n, msec, size);
}

static void what_takes_too_long_is_left(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct broker *b = talk((struct reply){.how = IS_SILENT});
    b->patience = gives_up;
    impatient = true;
    assert_error(lock(b, &e), -ECANCELED, e);
    impatient = false;
    assert_int_equal(asked, 2);
    assert_non_null(strstr(e.text, "LOCK has not ended after 120 seconds"));
    assert_non_null(strstr(e.text, "stays locked until then"));
    e = ERROR_NONE;
    assert_error(lock(b, &e), -ECONNRESET, e);
    assert_non_null(strstr(e.text, "still at work on an earlier request"));
    end(b);
}

/* ------------------------------------------------------------ no connection */

static void assert_no_connection(const char *path, int wanted, const char *words)
{
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    assert_error(broker_connect(path, &b, &e), wanted, e);
    assert_null(b);
    if (!strstr(e.text, words))
        fail_msg("'%s' does not say '%s'", e.text, words);
}

static void why_there_is_no_connection_is_told(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_no_connection(longer, -ENAMETOOLONG, "cannot be reached at aaa");
    assert_no_connection("/dev/null/sock", -ENOTDIR, "cannot be reached at /dev/null/sock");
    if (geteuid() != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        assert_int_equal(setresuid(65534, 65534, 65534), 0); /* the socket is root's alone */
        assert_no_connection(socket_path, -EACCES, "add the user to the group mayfly");
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (folder_make(state) < 0)
        return -1;
    socket_path = str_format("%s/sock", (char *)*state);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return bind(listening, (struct sockaddr *)&address, sizeof address) < 0 || chmod(socket_path, 0600) < 0
               ? -1
               : listen(listening, 4);
}

static int finish(void **state)
{
    fd_close(listening);
    free(socket_path);
    return folder_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_version_is_not_believed),
        cmocka_unit_test(one_that_dies_is_told_with_its_journal),
        cmocka_unit_test(the_reason_of_an_end_is_kept),
        cmocka_unit_test(a_uuid_is_ours_where_it_makes_none),
        cmocka_unit_test(names_that_are_too_long_are_not_sent),
        cmocka_unit_test(what_takes_too_long_is_left),
        cmocka_unit_test(why_there_is_no_connection_is_told),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
