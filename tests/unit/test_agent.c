/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly's side of the talk with mayfly-keyagent, whose place a hostile or dying one takes: none of its
 * answers is believed that has not the form, and the next request starts another. */
#include "base/audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/str.h"
#include "fail-once.h"
#include "keys/agent-connect.h"
#include "trail.h"
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define OWNER     "6f1e8a8e-0000-4000-8000-000000000000"
#define SLOW_MSEC 30000 /* what ends at a deadline of 1 s has ended by then, on any machine */

/* The agent's end of the talk: reads the request `n` (0 is OPEN) and answers. false: it ends. */
typedef bool (*behaviour)(int socket, int n);

/* --wrap: calls of the client that fail once. What of them the agent's end makes does not. */
WRAP(void *, calloc, NO_MEMORY, (size_t n, size_t size), (n, size))
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(int, poll, IO_ERROR, (struct pollfd * fds, nfds_t n, int msec), (fds, n, msec))
WRAP(int, __poll_chk, IO_ERROR, (struct pollfd * fds, nfds_t n, int msec, size_t size), (fds, n, msec, size))
WRAP(int, memfd_create, IO_ERROR, (const char *name, unsigned flags), (name, flags))
WRAP(int, setsockopt, IO_ERROR, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
WRAP(ssize_t, sendmsg, IO_ERROR, (int fd, const struct msghdr *m, int flags), (fd, m, flags))

static behaviour behave;
static int started;
static unsigned gifts; /* in the agent's process: a bit for each enum agent_gift that it was given */

static bool next_request(int socket, struct agent_request *ret)
{
    static char packet[sizeof(struct agent_hello)];
    size_t size;
    int fd;
    do {
        if (packet_receive(socket, packet, sizeof packet, &size, &fd) < 0)
            return false;
        fd_close(fd);
        memcpy(ret, packet, sizeof *ret);
        gifts |= size == sizeof *ret && ret->op == AGENT_GIVE ? 1U << ret->n : 0;
    } while (size != sizeof *ret || ret->op == AGENT_GIVE || ret->op == AGENT_DONE);
    return true;
}

/* It always knows where it is, unless a test says where. */
static const char *place = "place.1";

static bool say_place(int socket)
{
    struct agent_answer a = {.errnum = 0};
    memset(a.place, 'x', sizeof a.place);
    memcpy(a.place, place, strlen(place) < sizeof a.place ? strlen(place) + 1 : sizeof a.place);
    return packet_send(socket, &a, sizeof a, -1) == 0;
}

/* The agent's end cannot do what the test needs, which then fails for that reason: it is told. */
static _Noreturn void no_test(const char *what, int errnum)
{
    fprintf(stderr, "the agent's end of the test: %s: %s\n", what, strerror(errnum));
    abort();
}

/* In the place of agent-start.c. */
int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e)
{
    int ends[2];
    (void)program;
    (void)e;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct agent_request q;
        fail_at = 0;
        fd_close(ends[0]);
        for (int n = 0; next_request(ends[1], &q);)
            if (q.op == AGENT_PLACE ? !say_place(ends[1]) : !behave(ends[1], n++))
                break;
        _exit(0);
    }
    fd_close(ends[1]);
    *ret_socket = ends[0];
    *ret_pid = pid;
    started++;
    return 0;
}

static struct config config;
static struct key_context who = KEY_CONTEXT_NONE;

static struct keymgr *with(behaviour b)
{
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    config_defaults(&config);
    behave = b;
    started = 0;
    assert_ok(keymgr_open(&config, &who, "barbican", &km, &e), e);
    assert_int_equal(started, 0); /* nothing is asked yet */
    return km;
}

/* --- what it answers --- */

static bool say(int socket, const struct agent_answer *a, int fd)
{
    int r = packet_send(socket, a, sizeof *a, fd);
    fd_close(fd);
    return r == 0;
}

static bool say_ok(int socket)
{
    return say(socket, &(struct agent_answer){.errnum = 0}, -1);
}

static int file_of(const void *bytes, size_t size)
{
    int fd = -1, r = fd_memfd("records", bytes, size, &fd);
    if (r < 0)
        no_test("a file of records", -r);
    return fd;
}

static bool say_secret(int socket, uint64_t claimed, size_t size)
{
    _cleanup_secret_ struct secret *s = NULL;
    _cleanup_handover_ struct secret_handover *h = NULL;
    struct agent_request q;
    struct agent_answer a = {.size = claimed};
    struct error e = ERROR_NONE;
    if (secret_new(size, &s, &e) < 0)
        no_test(e.text, -e.errnum);
    memset(secret_bytes(s), 'k', size);
    if (secret_handover(s, &h, &e) < 0)
        no_test(e.text, -e.errnum);
    if (packet_send(socket, &a, sizeof a, secret_handover_fd(h)) < 0)
        return false;
    size_t got;
    int fd;
    return packet_receive(socket, &q, sizeof q, &got, &fd) == 0 && q.op == AGENT_DONE;
}

/* --- wrong answers --- */

static const char page[4096];

#define ANSWER(name, ...)                                                                                    \
    static bool name(int socket, int n)                                                                      \
    {                                                                                                        \
        return n == 0 ? say_ok(socket) : __VA_ARGS__;                                                        \
    }

ANSWER(short_packet, send(socket, "x", 1, MSG_NOSIGNAL) == 1)
ANSWER(one_byte_short,
       send(socket, &(struct agent_answer){.errnum = 0}, sizeof(struct agent_answer) - 1, 0) > 0)
ANSWER(positive_errnum, say(socket, &(struct agent_answer){.errnum = ENOENT}, -1))
ANSWER(no_errnum_of_the_kernel, say(socket, &(struct agent_answer){.errnum = INT32_MIN}, -1))
ANSWER(too_many, say(socket, &(struct agent_answer){.n = AGENT_KEYS_MAX + 1}, -1))
ANSWER(nothing_in_it, say_ok(socket))

/* What became of one key, and the secret that comes with it. */
static bool say_end(int socket, struct agent_end end)
{
    return say(socket, &(struct agent_answer){.n = 1}, file_of(&end, sizeof end));
}

#define FETCHED                                                                                              \
    (struct agent_end)                                                                                       \
    {                                                                                                        \
        .size = 64                                                                                           \
    }
ANSWER(one_end, say_end(socket, (struct agent_end){.errnum = 0}))
ANSWER(end_without_file, say(socket, &(struct agent_answer){.n = 1}, -1))
ANSWER(end_in_a_short_file,
       say(socket, &(struct agent_answer){.n = 1}, file_of(page, sizeof(struct agent_end) - 1)))
ANSWER(odd_end, say_end(socket, (struct agent_end){.errnum = 5}))
ANSWER(fetched_and_failed, say_end(socket, (struct agent_end){.errnum = -EIO, .size = 64}))
ANSWER(secret_of_a_byte, say_end(socket, (struct agent_end){.size = 1}) && say_secret(socket, 1, 1))
ANSWER(secret_too_long, say_end(socket, (struct agent_end){.size = KEY_BITS_MAX / 8 + 1}))
ANSWER(secret_of_another_size, say_end(socket, FETCHED) && say_secret(socket, 63, 63))
ANSWER(secret_without_file, say_end(socket, FETCHED) && say(socket, &(struct agent_answer){.size = 64}, -1))
ANSWER(secret_not_sealed, say_end(socket, FETCHED) &&
                              say(socket, &(struct agent_answer){.size = 64}, file_of(page, sizeof page)))
ANSWER(secret_in_a_device, say_end(socket, FETCHED) &&
                               say(socket, &(struct agent_answer){.size = 64}, open("/dev/zero", O_RDONLY)))

static bool a_longer_packet(int socket, int n)
{
    static const char packet[sizeof(struct agent_answer) + 1];
    return n == 0 ? say_ok(socket) : send(socket, packet, sizeof packet, 0) > 0;
}

static bool wrong_from_the_start(int socket, int n)
{
    (void)n;
    return send(socket, "hello", 5, MSG_NOSIGNAL) == 5;
}

static void assert_refused(behaviour b, int (*ask)(struct keymgr *km, struct error *e))
{
    _cleanup_keymgr_ struct keymgr *km = with(b);
    for (int i = 1; i <= 2; i++) {
        struct error e = ERROR_NONE;
        assert_error(ask(km, &e), -EPROTO, e);
        assert_non_null(strstr(e.text, "mayfly-keyagent"));
        assert_int_equal(started, i); /* not the one that talks nonsense again */
    }
}

static int fetch(struct keymgr *km, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r = keymgr_fetch(km, "place.1/1", &key, e);
    assert_true((r == 0) == (key != NULL));
    return r;
}

static int destroy(struct keymgr *km, struct error *e)
{
    return keymgr_destroy(km, "1", e);
}

static void wrong_answers(void **state)
{
    (void)state;
    static const behaviour all[] = {short_packet,
                                    one_byte_short,
                                    a_longer_packet,
                                    positive_errnum,
                                    no_errnum_of_the_kernel,
                                    too_many,
                                    nothing_in_it,
                                    end_without_file,
                                    end_in_a_short_file,
                                    odd_end,
                                    fetched_and_failed,
                                    one_end,
                                    secret_of_a_byte,
                                    secret_too_long,
                                    secret_of_another_size,
                                    secret_without_file,
                                    secret_not_sealed,
                                    secret_in_a_device,
                                    wrong_from_the_start};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_refused(all[i], fetch);

    /* where no secret comes */
    static const behaviour plain[] = {short_packet,  one_byte_short,   a_longer_packet, positive_errnum,
                                      nothing_in_it, end_without_file, odd_end,         secret_of_a_byte};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        assert_refused(plain[i], destroy);
}

static bool say_end_of(int socket, const char *user)
{
    const struct agent_end good = {.errnum = 0};
    struct agent_answer a = {.n = 1, .asker = {.project = "09bc"}};
    memcpy(a.asker.user, user, strlen(user));
    return say(socket, &a, file_of(&good, sizeof good));
}

ANSWER(with_asker, say_end_of(socket, "7f3a"))
ANSWER(with_forged_asker, say_end_of(socket, "7f3a\nPRIORITY=0"))

/* Whose token it was stands in the audit trail, as far as it is an id. */
static void who_asked_is_in_the_trail(void **state)
{
    (void)state;
    void *folder = NULL;
    char path[512];
    struct error e = ERROR_NONE;
    assert_int_equal(folder_make(&folder), 0);
    int trail = trail_listen(&folder, "journal");
    snprintf(path, sizeof path, "%s", folder_path(&folder, "journal"));
    audit_open_at("mayfly", path, path);
    _cleanup_keymgr_ struct keymgr *km = with(with_asker);
    assert_ok(destroy(km, &e), e);
    const char *entry = trail_next(trail);
    assert_true(trail_has(entry, "MAYFLY_USER=7f3a") && trail_has(entry, "MAYFLY_PROJECT=09bc"));
    km = keymgr_close(km);
    km = with(with_forged_asker);
    assert_ok(destroy(km, &e), e);
    entry = trail_next(trail);
    assert_true(strstr(entry, "MAYFLY_USER=") == NULL && trail_has(entry, "MAYFLY_PROJECT=09bc"));
    audit_close();
    close(trail);
    folder_remove(&folder);
}

static bool with_two_files(int socket, int n)
{
    int fds[2] = {STDIN_FILENO, STDERR_FILENO};
    struct agent_answer a = {.size = 64};
    char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(sizeof(size_t)))) = {0};
    struct iovec part = {&a, sizeof a};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    return n == 0 ? say_ok(socket) : sendmsg(socket, &m, 0) > 0;
}

/* Nothing that it sends along stays open in us. */
static void descriptors_are_closed(void **state)
{
    (void)state;
    static const behaviour all[] = {with_two_files, secret_not_sealed, secret_in_a_device, secret_of_a_byte};
    int before = dup(STDIN_FILENO);
    close(before);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_refused(all[i], fetch);
    int after = dup(STDIN_FILENO);
    close(after);
    assert_int_equal(after, before);
}

/* --- making keys --- */

#define KEYS 2

ANSWER(fetched_well, say_end(socket, FETCHED) && say_secret(socket, 64, 64))
ANSWER(destroyed_well, say_end(socket, (struct agent_end){.errnum = 0}))

static int create(struct keymgr *km, struct error *e)
{
    struct key_info want[KEYS];
    struct key_made made[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        want[i] = (struct key_info){.owner = OWNER, .vg = "vg0", .bits = i ? 256 : 512};
    int r = keymgr_create_many(km, want, KEYS, made, e);
    for (size_t i = 0; i < KEYS; i++) {
        assert_true((r == 0) == (made[i].secret != NULL));
        if (r == 0) {
            assert_int_equal(secret_size(made[i].secret), want[i].bits / 8);
            assert_string_equal(made[i].id, i ? "place.1/2" : "place.1/1");
        }
        secret_free(made[i].secret);
    }
    return r;
}

static bool say_made(int socket, int n, uint32_t n_ids, const struct agent_id ids[KEYS], size_t bytes)
{
    if (n == 0)
        return say_ok(socket);
    return say(socket, &(struct agent_answer){.n = n_ids}, file_of(ids, n_ids * sizeof *ids)) &&
           say_secret(socket, bytes, bytes);
}

static const struct agent_id good_ids[KEYS] = {{"1"}, {"2"}};

static bool made_well(int socket, int n)
{
    return say_made(socket, n, KEYS, good_ids, 96);
}

static bool made_too_few(int socket, int n)
{
    return say_made(socket, n, 1, good_ids, 96);
}

static bool made_too_short(int socket, int n)
{
    return say_made(socket, n, KEYS, good_ids, 95);
}

static bool made_without_end(int socket, int n)
{
    struct agent_id ids[KEYS] = {{"1"}, {"2"}};
    memset(ids[1].id, 'x', sizeof ids[1].id);
    return say_made(socket, n, KEYS, ids, 96);
}

static bool made_without_name(int socket, int n)
{
    static const struct agent_id ids[KEYS] = {{"1"}, {""}};
    return say_made(socket, n, KEYS, ids, 96);
}

static bool made_of_no_alphabet(int socket, int n)
{
    static const struct agent_id ids[KEYS] = {{"1"}, {"a b"}};
    return say_made(socket, n, KEYS, ids, 96);
}

ANSWER(made_in_a_short_file,
       say(socket, &(struct agent_answer){.n = KEYS}, file_of(good_ids, sizeof good_ids - 1)))
ANSWER(made_without_file, say(socket, &(struct agent_answer){.n = KEYS}, -1))

static void keys_that_are_made(void **state)
{
    (void)state;
    static const behaviour bad[] = {made_too_few,      made_too_short,      made_without_end,
                                    made_without_name, made_of_no_alphabet, made_in_a_short_file,
                                    made_without_file};
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = with(made_well);
    assert_ok(create(km, &e), e);
    assert_ok(create(km, &e), e);
    assert_int_equal(started, 1);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_refused(bad[i], create);
}

/* Each call that fails is told, or made up for, and the keys come or do not. */
static void assert_each_failure_is_told(behaviour b, int (*ask)(struct keymgr *km, struct error *e))
{
    unsigned n = 0;
    do {
        struct error e = ERROR_NONE;
        _cleanup_keymgr_ struct keymgr *km = with(b);
        calls = 0;
        failed = NULL;
        fail_at = ++n;
        int r = ask(km, &e);
        fail_at = 0;
        if (!failed)
            assert_ok(r, e);
        else if (r == 0 && strcmp(failed, "mlock") != 0) /* of memory that is locked anyway */
            fail_msg("call %u, %s, failed, and nobody is told", n, failed);
        else if (r < 0)
            assert_true(e.errnum == r && e.text[0]);
    } while (failed);
    assert_true(n > 5);
}

static void failures_are_told(void **state)
{
    (void)state;
    assert_each_failure_is_told(made_well, create);
    assert_each_failure_is_told(fetched_well, fetch);
    assert_each_failure_is_told(destroyed_well, destroy);
}

static void no_room_for_a_manager(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    config_defaults(&config);
    calls = 0;
    fail_at = 1;
    assert_error(keymgr_open(&config, &who, "barbican", &km, &e), -ENOMEM, e);
    fail_at = 0;
    assert_null(km);
}

/* --- several keys --- */

#define SEVERAL 3

/* The second one is not there. */
static bool some_fetched(int socket, int n)
{
    const struct agent_end ends[SEVERAL] = {{.size = 64}, {.errnum = -ENOKEY, .text = "gone"}, {.size = 32}};
    if (n == 0)
        return say_ok(socket);
    return say(socket, &(struct agent_answer){.n = SEVERAL}, file_of(ends, sizeof ends)) &&
           say_secret(socket, 96, 96);
}

static void each_key_has_its_own_end(void **state)
{
    (void)state;
    struct key_asked k[] = {
        {.id = "place.1/1"}, {.id = ":no place/1"}, {.id = "place.1/2"}, {.id = "place.1/3"}};
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = with(some_fetched);
    assert_error(keymgr_fetch_many(km, k, ARRAY_SIZE(k), &e), -EINVAL, e);
    assert_int_equal(k[0].error.errnum, 0);
    assert_int_equal(k[1].error.errnum, -EINVAL);
    assert_int_equal(k[2].error.errnum, -ENOKEY);
    assert_int_equal(k[3].error.errnum, 0);
    assert_int_equal(secret_size(k[0].secret), 64);
    assert_int_equal(secret_size(k[3].secret), 32);
    assert_null(k[1].secret);
    assert_null(k[2].secret);
    secret_free(k[0].secret);
    secret_free(k[3].secret);
}

#define PART   64 /* of one request */
#define BEYOND 100

static bool say_for_all(int socket, size_t n, int errnum)
{
    static struct agent_end ends[PART];
    for (size_t i = 0; i < n; i++)
        ends[i] = (struct agent_end){.errnum = errnum, .text = "away"};
    return say(socket, &(struct agent_answer){.n = (uint32_t)n}, file_of(ends, n * sizeof *ends));
}

static bool destroys_all(int socket, int n)
{
    return n == 0 ? say_ok(socket) : say_for_all(socket, n == 1 ? PART : BEYOND - PART, 0);
}

/* A second request would be answered well. */
static bool is_away_at_first(int socket, int n)
{
    return n == 0   ? say_ok(socket)
           : n == 1 ? say_for_all(socket, PART, -EHOSTUNREACH)
                    : destroys_all(socket, n);
}

static void more_than_fit_into_one_request(void **state)
{
    (void)state;
    struct key_asked k[BEYOND];
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < BEYOND; i++)
        k[i] = (struct key_asked){.id = "place.1/1"};
    struct keymgr *km = with(destroys_all);
    assert_ok(keymgr_destroy_many(km, k, BEYOND, &e), e);
    keymgr_close(km);
    km = with(is_away_at_first);
    assert_error(keymgr_destroy_many(km, k, BEYOND, &e), -EHOSTUNREACH, e);
    for (size_t i = 0; i < BEYOND; i++)
        assert_int_equal(k[i].error.errnum, -EHOSTUNREACH);
    assert_non_null(strstr(k[BEYOND - 1].error.text, "is not asked about, since away"));
    keymgr_close(km);
}

/* --- lists and findings --- */

static struct key_info listed;

static bool say_list(int socket, int n)
{
    return n == 0 ? say_ok(socket)
                  : say(socket, &(struct agent_answer){.n = 1}, file_of(&listed, sizeof listed));
}

static int list(struct keymgr *km, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    if (r == 0) {
        assert_int_equal(l.n, 1);
        assert_string_equal(l.keys[0].id, "place.1/1");
        assert_memory_equal(l.keys[0].owner, listed.owner, sizeof listed - offsetof(struct key_info, owner));
    }
    return r;
}

ANSWER(empty_list, say_ok(socket))

static void keys_that_are_listed(void **state)
{
    (void)state;
    const struct key_info good = {.id = "1", .owner = OWNER, .vg = "vg0", .bits = 512};
    struct key_info bad[8];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        bad[i] = good;
    memset(bad[0].id, '1', sizeof bad[0].id);
    bad[1].id[0] = '\0';
    memset(bad[2].owner, 'a', sizeof bad[2].owner);
    bad[3].owner[0] = 'X';
    memset(bad[4].vg, 'v', sizeof bad[4].vg);
    bad[5].vg[0] = '/';
    bad[6].scope = (enum key_scope)77;
    memset(bad[7].host, 'h', sizeof bad[7].host);
    listed = good;
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = with(say_list);
    assert_ok(list(km, &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        listed = bad[i];
        assert_refused(say_list, list);
    }
    km = keymgr_close(km);
    km = with(empty_list);
    _cleanup_key_listing_ struct key_listing none = {.n = 77};
    assert_ok(keymgr_list(km, &none, &e), e);
    assert_int_equal(none.n, 0);
    assert_null(none.keys);
    assert_int_equal(none.incomplete.errnum, 0);
}

/* One that is damaged is there by its name alone, and the list says so. */
static bool say_incomplete(int socket, int n)
{
    struct agent_answer a = {.n = 1, .incomplete = -EKEYREJECTED, .text = "one is damaged"};
    return n == 0 ? say_ok(socket) : say(socket, &a, file_of(&listed, sizeof listed));
}

ANSWER(odd_incomplete, say(socket, &(struct agent_answer){.incomplete = 5}, -1))

static void a_list_may_be_incomplete(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    listed = (struct key_info){.id = "1", .damaged = true};
    _cleanup_keymgr_ struct keymgr *km = with(say_incomplete);
    assert_ok(keymgr_list(km, &l, &e), e);
    assert_int_equal(l.n, 1);
    assert_true(l.keys[0].damaged);
    assert_int_equal(l.incomplete.errnum, -EKEYREJECTED);
    assert_string_equal(l.incomplete.text, "one is damaged");
    assert_refused(odd_incomplete, list);
}

/* What is absent is gone only if the place that says so is the one of the reference. */
ANSWER(say_absent, say_end(socket, (struct agent_end){.errnum = -ENOKEY, .text = "there is none"}))

static void absence_counts_where_the_key_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        int fetched, destroyed;
    } cases[] = {{"place.1/1", -ENOKEY, 0},
                 {"place.2/1", -EHOSTUNREACH, -EHOSTUNREACH},
                 {"1", -EHOSTUNREACH, -EHOSTUNREACH}};
    _cleanup_keymgr_ struct keymgr *km = with(say_absent);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE, why = ERROR_NONE, may = ERROR_NONE;
        _cleanup_secret_ struct secret *none = NULL;
        assert_error(keymgr_fetch(km, cases[i].id, &none, &e), cases[i].fetched, e);
        assert_error(keymgr_destroy(km, cases[i].id, &why), cases[i].destroyed, why);
        assert_error(keymgr_may_destroy(km, cases[i].id, &may), cases[i].destroyed, may);
    }
}

static void a_place_has_a_form(void **state)
{
    (void)state;
    char long_place[200];
    memset(long_place, 'x', sizeof long_place - 1);
    long_place[sizeof long_place - 1] = '\0';
    const char *bad[] = {"a/b", "a:b", "a b", "a\nb", long_place};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char ret[KEY_PLACE_MAX];
        struct error e = ERROR_NONE;
        place = bad[i];
        _cleanup_keymgr_ struct keymgr *km = with(empty_list);
        assert_error(keymgr_place(km, false, ret, &e), -EPROTO, e);
    }
    place = "place.1";
}

/* Who is to have a key, as the agent was asked for it. */
static bool say_granted(int socket, int n)
{
    return n == 0 ? say_ok(socket) : say(socket, &(struct agent_answer){.n = 1}, -1);
}

static int grant(struct keymgr *km, struct error *e)
{
    bool changed = false;
    int r = keymgr_grant(km, "1", "a11ce", true, &changed, e);
    assert_int_equal(changed, r == 0);
    return r;
}

static void a_key_is_granted(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    bool changed = false;
    char user[400];
    _cleanup_keymgr_ struct keymgr *km = with(say_granted);
    assert_ok(grant(km, &e), e);
    memset(user, 'u', sizeof user);
    user[sizeof user - 1] = '\0';
    assert_error(keymgr_grant(km, "1", user, true, &changed, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "is too long for an id"));
    assert_refused(short_packet, grant);
}

/* A create waits for what is made, for what is done to it, and for all of it to be undone; an order is asked
 * for again. */
static void patience_is_enough_for_what_is_asked(void **state)
{
    (void)state;
    static struct config c;
    config_defaults(&c);
    c.barbican_deadline_sec = 7;
    c.barbican_order_polls = 3;
    c.barbican_order_delay_sec = 5;
    strcpy(c.barbican_create, "store");
    uint64_t stored = agent_link_patience_sec(&c, 4);
    assert_true(stored >= 3 * 7);
    assert_int_equal(agent_link_patience_sec(&c, 0), stored);
    strcpy(c.barbican_create, "order");
    assert_int_equal(agent_link_patience_sec(&c, 4), stored + 4 * (3 * 5 + 7));
    assert_int_equal(agent_link_patience_sec(&c, 0), stored);
}

static struct key_finding found;

static bool say_finding(int socket, int n)
{
    return n == 0 ? say_ok(socket)
                  : say(socket, &(struct agent_answer){.n = 1}, file_of(&found, sizeof found));
}

ANSWER(too_many_findings,
       say(socket, &(struct agent_answer){.n = KEY_FINDINGS_MAX + 1}, open("/dev/zero", O_RDONLY)))

static struct key_finding findings[KEY_FINDINGS_MAX];

static int diagnose(struct keymgr *km, struct error *e)
{
    size_t n = 0;
    int r = keymgr_diagnose(km, findings, &n, e);
    assert_int_equal(n, r == 0 ? 1 : 0);
    return r;
}

static void what_is_found(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    memset(&found, 0x1b, sizeof found);
    found.result = -EACCES;
    _cleanup_keymgr_ struct keymgr *km = with(say_finding);
    assert_ok(diagnose(km, &e), e);
    assert_int_equal(findings[0].result, -EACCES);
    assert_int_equal(strlen(findings[0].what), sizeof findings[0].what - 1);
    assert_int_equal(strspn(findings[0].text, "?"), sizeof findings[0].text - 1);
    found.result = 5;
    assert_refused(say_finding, diagnose);
    found.result = INT32_MIN;
    assert_refused(say_finding, diagnose);
    assert_refused(too_many_findings, diagnose);
}

/* --- errors, ends, and silence --- */

static bool say_gone(int socket, int n)
{
    struct agent_answer a = {.errnum = -ENOKEY};
    memset(a.text, '\r', sizeof a.text);
    return n == 0 ? say_ok(socket) : say(socket, &a, -1);
}

/* An error that is an answer; its words are for a terminal, and have an end. */
static void assert_gone_for_good(behaviour b)
{
    _cleanup_keymgr_ struct keymgr *km = with(b);
    for (int i = 0; i < 2; i++) {
        struct error e = ERROR_NONE;
        assert_error(fetch(km, &e), -ENOKEY, e);
        assert_int_equal(strspn(e.text, "?"), sizeof e.text - 1);
    }
    assert_int_equal(started, 1);
}

static bool say_gone_alone(int socket, int n)
{
    struct agent_end gone = {.errnum = -ENOKEY};
    memset(gone.text, '\r', sizeof gone.text);
    return n == 0 ? say_ok(socket) : say_end(socket, gone);
}

static void an_error_is_an_answer(void **state)
{
    (void)state;
    assert_gone_for_good(say_gone);
    assert_gone_for_good(say_gone_alone);
}

static bool ends_at_once(int socket, int n)
{
    (void)socket;
    (void)n;
    return false;
}

ANSWER(ends_when_asked, false)

static bool ends_before_the_secrets(int socket, int n)
{
    return n == 0
               ? say_ok(socket)
               : say(socket, &(struct agent_answer){.n = KEYS}, file_of(good_ids, sizeof good_ids)) && false;
}

static void assert_gone(behaviour b, int (*ask)(struct keymgr *km, struct error *e))
{
    _cleanup_keymgr_ struct keymgr *km = with(b);
    for (int i = 1; i <= 2; i++) {
        struct error e = ERROR_NONE;
        assert_error(ask(km, &e), -EIO, e);
        assert_non_null(strstr(e.text, "exited with status 0 in the middle of a request"));
        assert_int_equal(started, i);
    }
}

static void it_ends(void **state)
{
    (void)state;
    assert_gone(ends_at_once, fetch);
    assert_gone(ends_when_asked, fetch);
    assert_gone(ends_before_the_secrets, create);
}

static bool is_silent(int socket, int n)
{
    struct pollfd none = {.fd = -1};
    if (n == 0)
        return say_ok(socket);
    for (;;)
        poll(&none, 1, -1); /* until it is killed */
}

static void start_silent(struct agent_link *l)
{
    struct error e = ERROR_NONE;
    config_defaults(&config);
    behave = is_silent;
    assert_ok(agent_link_start(l, "barbican", &config, &who, &e), e);
}

/* Asks for a list. No answer comes, and the wait ends with this error. */
static void wait_in_vain(struct agent_link *l, int wanted, struct error *e)
{
    struct agent_answer answer;
    int fd = -1;
    *e = ERROR_NONE;
    assert_ok(agent_link_send(l, &(struct agent_request){.op = AGENT_LIST}, -1, e), *e);
    assert_error(agent_link_receive(l, &answer, &fd, e), wanted, *e);
}

static void it_never_answers(void **state)
{
    (void)state;
    struct agent_link l = AGENT_LINK_NONE;
    struct error e;
    start_silent(&l);
    assert_true(l.deadline_sec > config.barbican_deadline_sec); /* its own deadline comes first */
    l.deadline_sec = 1;
    uint64_t begun = clock_msec();
    wait_in_vain(&l, -EHOSTUNREACH, &e);
    assert_non_null(strstr(e.text, "within 1 s"));
    assert_true(clock_msec() - begun < SLOW_MSEC);
    assert_int_equal(l.socket, -1); /* the next request starts another */
    assert_int_equal(l.pid, 0);
}

static int looks; /* of the client, whether the user wants to stop */

static bool stops_while_waiting(void)
{
    return ++looks > 1;
}

static bool stopped_long_ago(void)
{
    looks++;
    return true;
}

/* A stop ends the wait, and the agent; one from before does not, for what is undone has to ask too. */
static void a_stop_ends_the_wait(void **state)
{
    (void)state;
    struct agent_link l = AGENT_LINK_NONE;
    struct error e;
    start_silent(&l);
    pid_t pid = l.pid;
    l.stopped = stops_while_waiting;
    looks = 0;
    wait_in_vain(&l, -ECANCELED, &e);
    assert_int_equal(looks, 2);
    assert_int_equal(l.socket, -1);
    assert_int_equal(kill(pid, 0), -1); /* it was waited for */

    e = ERROR_NONE;
    assert_ok(agent_link_start(&l, "barbican", &config, &who, &e), e);
    l.stopped = stopped_long_ago;
    l.deadline_sec = 1;
    looks = 0;
    wait_in_vain(&l, -EHOSTUNREACH, &e);
    assert_int_equal(looks, 1);
}

/* Nor does it read, until no more fits into the socket. */
static void it_never_reads(void **state)
{
    (void)state;
    const struct timeval second = {.tv_sec = 1};
    struct agent_link l = AGENT_LINK_NONE;
    struct error e = ERROR_NONE;
    int r = 0;
    start_silent(&l);
    assert_int_equal(setsockopt(l.socket, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second), 0);
    for (int i = 0; r == 0 && i < 100000; i++)
        r = agent_link_send(&l, &(struct agent_request){.op = AGENT_LIST}, -1, &e);
    assert_error(r, -EHOSTUNREACH, e);
    assert_int_equal(l.socket, -1);
    assert_int_equal(l.pid, 0);
}

/* It has ended before it is asked. */
static void nobody_is_there_to_be_asked(void **state)
{
    (void)state;
    struct agent_link l = AGENT_LINK_NONE;
    struct error e = ERROR_NONE;
    siginfo_t ended;
    start_silent(&l);
    assert_int_equal(kill(l.pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)l.pid, &ended, WEXITED | WNOWAIT), 0);
    assert_error(agent_link_send(&l, &(struct agent_request){.op = AGENT_LIST}, -1, &e), -EIO, e);
    assert_non_null(strstr(e.text, "killed"));
    assert_int_equal(l.socket, -1);
}

/* What cannot be said in a packet is not sent. */
static void what_is_too_long(void **state)
{
    (void)state;
    char id[KEY_ID_MAX + 1];
    bool changed = false;
    struct error e = ERROR_NONE;
    memset(id, 'i', sizeof id);
    id[KEY_ID_MAX] = '\0';
    _cleanup_keymgr_ struct keymgr *km = with(one_end);
    assert_error(keymgr_destroy(km, id, &e), -EINVAL, e);
    e = ERROR_NONE;
    assert_error(keymgr_grant(km, "1", id, true, &changed, &e), -EINVAL, e);
    assert_int_equal(started, 0);
    id[KEY_ID_MAX - 1] = '\0';
    e = ERROR_NONE;
    assert_ok(keymgr_destroy(km, id, &e), e);
}

/* Answers by the result of OPEN whether it was given the host's password. */
static bool tells_gifts(int socket, int n)
{
    (void)n;
    bool given = gifts & 1U << AGENT_HOST_SECRET;
    return say(socket, &(struct agent_answer){.errnum = given ? -EEXIST : -ENOENT}, -1);
}

static int open_as(const char *variables, size_t size, const char *cloud, bool token)
{
    struct key_listing keys;
    struct error e = ERROR_NONE;
    who.host_secret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    snprintf(who.cloud, sizeof who.cloud, "%s", cloud);
    if (token)
        assert_ok(secret_new(1, &who.token, &e), e);
    if (size) {
        assert_ok(secret_new(size, &who.environment, &e), e);
        memcpy(secret_bytes(who.environment), variables, size);
    }
    struct keymgr *km = with(tells_gifts);
    int r = keymgr_list(km, &keys, &e);
    keymgr_close(km);
    key_context_end(&who);
    who = (struct key_context)KEY_CONTEXT_NONE;
    return r;
}

static void the_hosts_password_is_for_the_host(void **state)
{
    (void)state;
#define VARIABLES(text) text, sizeof text
    assert_int_equal(open_as(NULL, 0, "", false), -EEXIST);
    assert_int_equal(open_as(VARIABLES("OS_REGION_NAME=one\0OS_USERNAME="), "", false), -EEXIST);
    assert_int_equal(open_as(VARIABLES("OS_REGION_NAME=one\0OS_USERNAME=a"), "", false), -ENOENT);
    assert_int_equal(open_as(VARIABLES("OS_AUTH_URL=https://k/v3"), "", false), -ENOENT);
    assert_int_equal(open_as(VARIABLES("OS_TOKEN=t"), "", false), -ENOENT);
    assert_int_equal(open_as(NULL, 0, "prod", false), -ENOENT);
    assert_int_equal(open_as(NULL, 0, "", true), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_answers),
        cmocka_unit_test(who_asked_is_in_the_trail),
        cmocka_unit_test(descriptors_are_closed),
        cmocka_unit_test(keys_that_are_made),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(no_room_for_a_manager),
        cmocka_unit_test(each_key_has_its_own_end),
        cmocka_unit_test(more_than_fit_into_one_request),
        cmocka_unit_test(keys_that_are_listed),
        cmocka_unit_test(a_list_may_be_incomplete),
        cmocka_unit_test(absence_counts_where_the_key_is_kept),
        cmocka_unit_test(a_place_has_a_form),
        cmocka_unit_test(a_key_is_granted),
        cmocka_unit_test(patience_is_enough_for_what_is_asked),
        cmocka_unit_test(what_is_found),
        cmocka_unit_test(an_error_is_an_answer),
        cmocka_unit_test(it_ends),
        cmocka_unit_test(it_never_answers),
        cmocka_unit_test(a_stop_ends_the_wait),
        cmocka_unit_test(it_never_reads),
        cmocka_unit_test(nobody_is_there_to_be_asked),
        cmocka_unit_test(what_is_too_long),
        cmocka_unit_test(the_hosts_password_is_for_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
