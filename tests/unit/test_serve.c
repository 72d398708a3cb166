/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-keyagent's side of the talk with mayfly, whose place a hostile one takes: whatever comes in whatever
 * order ends the connection or is answered, and nothing of it stays. */
#include "base/fd.h"
#include "base/packet.h"
#include "base/str.h"
#include "fake-manager.h"
#include "keyagent/serve.h"
#include "keys/agent-wire.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWNER "6f1e8a8e-0000-4000-8000-000000000000"

/* All packets are sent before they are read, and the answers are read after that. */
struct talk {
    int ours, theirs;
    int before; /* the number of the next descriptor */
    struct secret_handover *given[4];
    size_t n_given;
};

static int next_fd(void)
{
    int fd = dup(STDIN_FILENO);
    return fd_close(fd), fd;
}

static void begin(struct talk *t)
{
    int ends[2];
    *t = (struct talk){.before = next_fd()};
    *fake_manager() = (struct fake_manager){.opened = 0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    t->ours = ends[0];
    t->theirs = ends[1];
}

static void hello_of(struct agent_hello *ret)
{
    *ret = (struct agent_hello){.version = agent_version, .manager = "fake", .cloud = "lab"};
    config_defaults(&ret->config);
}

static void send_hello(const struct talk *t)
{
    static struct agent_hello hello;
    hello_of(&hello);
    assert_int_equal(packet_send(t->ours, &hello, sizeof hello, -1), 0);
}

/* `fd` is closed. */
static void ask(const struct talk *t, struct agent_request q, int fd)
{
    assert_int_equal(packet_send(t->ours, &q, sizeof q, fd), 0);
    fd_close(fd);
}

static void open_manager(const struct talk *t)
{
    send_hello(t);
    ask(t, (struct agent_request){.op = AGENT_OPEN}, -1);
}

static void give_secret(struct talk *t, enum agent_gift gift, size_t size)
{
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *s = NULL;
    struct secret_handover **h = &t->given[t->n_given++];
    assert_ok(secret_new(size, &s, &e), e);
    assert_ok(secret_handover(s, h, &e), e);
    ask(t, (struct agent_request){.op = AGENT_GIVE, .n = gift, .size = size}, dup(secret_handover_fd(*h)));
}

static void give_file(const struct talk *t, uint32_t gift, int fd)
{
    ask(t, (struct agent_request){.op = AGENT_GIVE, .n = gift}, fd);
}

/* We send nothing more: what does it make of all? */
static void assert_ends(const struct talk *t, int wanted)
{
    struct error e = ERROR_NONE;
    shutdown(t->ours, SHUT_WR);
    assert_error(keyagent_serve(t->theirs, NULL, &e), wanted, e);
    assert_int_equal(fake_manager()->open, 0);
}

static int next_answer(const struct talk *t, struct agent_answer *a)
{
    size_t size;
    int fd = -1;
    assert_int_equal(packet_receive(t->ours, a, sizeof *a, &size, &fd), 0);
    assert_int_equal(size, sizeof *a);
    return fd;
}

static void assert_answer(const struct talk *t, int errnum)
{
    struct agent_answer a;
    fd_close(next_answer(t, &a));
    assert_int_equal(a.errnum, errnum);
    assert_int_equal(errnum < 0, a.text[0] != '\0');
}

static void end(struct talk *t)
{
    char byte;
    assert_true(recv(t->ours, &byte, 1, MSG_DONTWAIT) < 0); /* every answer was read */
    for (size_t i = 0; i < t->n_given; i++)
        secret_handover_end(t->given[i]);
    fd_close(t->ours);
    fd_close(t->theirs);
    assert_int_equal(next_fd(), t->before); /* nothing that came with a packet stays open */
}

/* --- the beginning --- */

static void a_whole_context(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    send_hello(&t);
    give_secret(&t, AGENT_ENVIRONMENT, 5000);
    give_secret(&t, AGENT_TOKEN, 200);
    give_file(&t, AGENT_CLOUDS, dup(STDIN_FILENO));
    give_file(&t, AGENT_SECURE, dup(STDIN_FILENO));
    give_file(&t, AGENT_HOST_SECRET, dup(STDIN_FILENO));
    ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    const struct fake_manager *m = fake_manager();
    assert_int_equal(m->opened, 1);
    assert_string_equal(m->cloud, "lab");
    assert_int_equal(m->environment_size, 5000);
    assert_int_equal(m->token_size, 200);
    assert_true(m->clouds && m->secure && m->host_secret);
    end(&t);
}

static void a_wrong_hello(void **state)
{
    (void)state;
    static struct agent_hello h;
    for (int i = 0; i < 8; i++) {
        struct talk t;
        size_t size = sizeof h;
        begin(&t);
        hello_of(&h);
        switch (i) {
        case 0:
            h.version = agent_version + 1;
            break;
        case 1:
            size--;
            break;
        case 2:
            size = sizeof(struct agent_request);
            break;
        case 3:
            size = 1;
            break;
        case 4:
            memset(h.config.barbican_endpoint, 'x', sizeof h.config.barbican_endpoint);
            break;
        case 5:
            h.config.volume_groups.n = CONFIG_LIST_MAX + 1;
            break;
        case 6:
            h.config.volume_groups.n = 1;
            memset(h.config.volume_groups.item[0], 'x', sizeof h.config.volume_groups.item[0]);
            break;
        default:
            memset(&h.config.barbican_allow_http, 2, 1);
        }
        assert_int_equal(packet_send(t.ours, &h, size, -1), 0);
        ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
        assert_ends(&t, -EPROTO);
        assert_int_equal(fake_manager()->opened, 0);
        end(&t);
    }
}

/* Texts that do not end are cut, not read beyond. */
static void a_hello_without_ends(void **state)
{
    (void)state;
    static struct agent_hello h;
    struct talk t;
    begin(&t);
    hello_of(&h);
    memset(h.manager, 'm', sizeof h.manager);
    memset(h.cloud, 'c', sizeof h.cloud);
    assert_int_equal(packet_send(t.ours, &h, sizeof h, -1), 0);
    ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
    assert_ends(&t, 0);
    assert_answer(&t, -EINVAL); /* no manager of this name */
    end(&t);
}

static void nothing_before_its_time(void **state)
{
    (void)state;
    for (uint32_t op = 0; op <= AGENT_DONE + 1; op++) {
        struct talk t;
        begin(&t); /* before the hello */
        ask(&t, (struct agent_request){.op = op}, -1);
        assert_ends(&t, -EPROTO);
        end(&t);
        if (op <= AGENT_OPEN || op == AGENT_DONE)
            continue;
        begin(&t); /* before the manager is open */
        send_hello(&t);
        ask(&t, (struct agent_request){.op = op, .n = 1, .id = "1"}, -1);
        assert_ends(&t, -EPROTO);
        assert_int_equal(fake_manager()->asked, 0);
        end(&t);
    }
}

static void nothing_after_its_time(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct talk t;
        begin(&t);
        open_manager(&t);
        if (i == 0)
            give_file(&t, AGENT_CLOUDS, dup(STDIN_FILENO));
        else if (i == 1)
            ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
        else
            send_hello(&t);
        assert_ends(&t, -EPROTO);
        assert_answer(&t, 0);
        assert_int_equal(fake_manager()->opened, 1);
        end(&t);
    }
}

static void wrong_gifts(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        struct talk t;
        begin(&t);
        send_hello(&t);
        switch (i) {
        case 0:
            give_file(&t, AGENT_GIFTS, dup(STDIN_FILENO));
            break;
        case 1:
            give_file(&t, AGENT_CLOUDS, -1);
            break;
        case 2: /* twice */
            give_file(&t, AGENT_CLOUDS, dup(STDIN_FILENO));
            give_file(&t, AGENT_CLOUDS, dup(STDIN_FILENO));
            break;
        case 3:
            give_secret(&t, AGENT_TOKEN, 20);
            give_secret(&t, AGENT_TOKEN, 20);
            break;
        case 4:
            give_secret(&t, AGENT_ENVIRONMENT, KEY_ENVIRONMENT_MAX + 1);
            break;
        case 5: /* no secret in it */
            ask(&t, (struct agent_request){.op = AGENT_GIVE, .n = AGENT_TOKEN, .size = 20}, -1);
            break;
        case 6:
            ask(&t, (struct agent_request){.op = AGENT_GIVE, .n = AGENT_TOKEN, .size = 20},
                dup(STDIN_FILENO));
            break;
        case 7:
            ask(&t, (struct agent_request){.op = AGENT_GIVE, .n = AGENT_TOKEN, .size = 4096},
                memfd_create("not sealed", MFD_CLOEXEC));
            break;
        default:
            ask(&t, (struct agent_request){.op = AGENT_GIVE, .n = AGENT_TOKEN, .size = UINT64_MAX},
                dup(STDIN_FILENO));
        }
        ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
        assert_ends(&t, -EPROTO);
        assert_int_equal(fake_manager()->opened, 0);
        end(&t);
    }
}

/* --- the requests --- */

static void wrong_requests(void **state)
{
    (void)state;
    static const char longer[sizeof(struct agent_request) + 1];
    const struct agent_request unknown[] = {{.op = AGENT_DONE + 1}, {.op = UINT32_MAX}};
    for (int i = 0; i < 5; i++) {
        struct talk t;
        begin(&t);
        open_manager(&t);
        if (i < 2)
            ask(&t, unknown[i], -1);
        else if (i == 2)
            assert_true(send(t.ours, longer, 1, 0) == 1);
        else if (i == 3)
            assert_true(send(t.ours, longer, sizeof longer - 2, 0) > 0);
        else
            assert_true(send(t.ours, longer, sizeof longer, 0) > 0);
        assert_ends(&t, -EPROTO);
        assert_answer(&t, 0);
        assert_int_equal(fake_manager()->asked, 1); /* the opening */
        end(&t);
    }
}

static void texts_without_ends(void **state)
{
    (void)state;
    struct talk t;
    struct agent_request q = {.op = AGENT_GRANT};
    memset(q.id, 'i', sizeof q.id);
    memset(q.user, 'u', sizeof q.user);
    begin(&t);
    open_manager(&t);
    ask(&t, q, -1);
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    assert_answer(&t, 0);
    assert_int_equal(strlen(fake_manager()->last_id), KEY_ID_MAX - 1);
    assert_int_equal(strlen(fake_manager()->last_user), KEY_USER_MAX - 1);
    end(&t);
}

static void granting_says_whether_it_changed(void **state)
{
    (void)state;
    struct talk t;
    struct agent_answer a;
    begin(&t);
    open_manager(&t);
    for (uint8_t allowed = 0; allowed < 2; allowed++)
        ask(&t, (struct agent_request){.op = AGENT_GRANT, .id = "1", .allowed = allowed}, -1);
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    for (uint8_t allowed = 0; allowed < 2; allowed++) {
        fd_close(next_answer(&t, &a));
        assert_int_equal(a.errnum, 0);
        assert_int_equal(a.n, allowed); /* so the double says */
    }
    end(&t);
}

static int memory_file(const void *bytes, size_t size)
{
    int fd = -1;
    assert_int_equal(fd_memfd("records", bytes, size, &fd), 0);
    return fd;
}

static int file_of(const struct key_info want[], size_t n)
{
    return memory_file(want, n * sizeof *want);
}

/* Asks about one key. */
static void ask_about(const struct talk *t, enum agent_op op, const char *id)
{
    struct agent_id asked = {.id = ""};
    memcpy(asked.id, id, strlen(id) < sizeof asked.id ? strlen(id) + 1 : sizeof asked.id);
    ask(t, (struct agent_request){.op = op, .n = 1}, memory_file(&asked, sizeof asked));
}

static void assert_end(const struct talk *t, int errnum, uint32_t size)
{
    struct agent_answer a;
    struct agent_end end;
    _cleanup_close_ int fd = next_answer(t, &a);
    assert_int_equal(a.errnum, 0);
    assert_int_equal(a.n, 1);
    assert_int_equal(fd_pread_all(fd, &end, sizeof end, 0), 0);
    assert_int_equal(end.errnum, errnum);
    assert_int_equal(errnum < 0, end.text[0] != '\0');
    assert_int_equal(end.size, size);
}

static void ids_without_ends(void **state)
{
    (void)state;
    char id[KEY_ID_MAX + 1];
    struct talk t;
    memset(id, 'i', sizeof id);
    id[KEY_ID_MAX] = '\0';
    begin(&t);
    open_manager(&t);
    ask_about(&t, AGENT_DESTROY, id);
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    assert_end(&t, 0, 0);
    assert_int_equal(strlen(fake_manager()->last_id), KEY_ID_MAX - 1);
    end(&t);
}

static void wrong_wants(void **state)
{
    (void)state;
    const struct key_info want = {.owner = OWNER, .vg = "vg0", .bits = 512};
    static const uint32_t counts[] = {0, 2, AGENT_KEYS_MAX, AGENT_KEYS_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i <= 2 * ARRAY_SIZE(counts) + 1; i++) {
        struct talk t;
        size_t which = i / 2;
        const struct agent_id id = {"1"};
        enum agent_op op = i % 2 ? AGENT_FETCH : AGENT_CREATE;
        begin(&t);
        open_manager(&t);
        if (which < ARRAY_SIZE(counts)) /* there is one in the file */
            ask(&t, (struct agent_request){.op = op, .n = counts[which]},
                op == AGENT_FETCH ? memory_file(&id, sizeof id) : file_of(&want, 1));
        else
            ask(&t, (struct agent_request){.op = op, .n = 1}, -1);
        assert_ends(&t, -EPROTO);
        assert_answer(&t, 0);
        assert_int_equal(fake_manager()->asked, 1);
        end(&t);
    }
}

static void as_many_as_may_be_are_answered(void **state)
{
    (void)state;
    static struct agent_id asked[AGENT_KEYS_MAX];
    static struct agent_end ends[AGENT_KEYS_MAX];
    struct agent_answer a;
    struct talk t;
    for (size_t i = 0; i < AGENT_KEYS_MAX; i++)
        strcpy(asked[i].id, "1");
    begin(&t);
    open_manager(&t);
    ask(&t, (struct agent_request){.op = AGENT_MAY_DESTROY, .n = AGENT_KEYS_MAX},
        memory_file(asked, sizeof asked));
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    _cleanup_close_ int fd = next_answer(&t, &a);
    assert_int_equal(a.errnum, 0);
    assert_int_equal(a.n, AGENT_KEYS_MAX);
    assert_int_equal(fd_pread_all(fd, ends, sizeof ends, 0), 0);
    for (size_t i = 0; i < AGENT_KEYS_MAX; i++)
        assert_int_equal(ends[i].errnum, 0);
    fd = fd_close(fd);
    end(&t);
}

/* They are checked before a manager sees them; that is an answer. */
static void wants_that_cannot_be(void **state)
{
    (void)state;
    struct key_info want[4];
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        want[i] = (struct key_info){.owner = OWNER, .vg = "vg0", .bits = 512};
    memset(want[0].owner, 'a', sizeof want[0].owner);
    memset(want[1].vg, '/', sizeof want[1].vg);
    want[2].bits = UINT32_MAX;
    want[3].bits = 129;
    struct talk t;
    begin(&t);
    open_manager(&t);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        ask(&t, (struct agent_request){.op = AGENT_CREATE, .n = 1}, file_of(&want[i], 1));
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_answer(&t, -EINVAL);
    assert_int_equal(fake_manager()->asked, 1);
    end(&t);
}

static void what_is_answered(void **state)
{
    (void)state;
    const struct key_info want = {.owner = OWNER, .vg = "vg0", .bits = 512};
    struct talk t;
    struct agent_answer a;
    begin(&t);
    open_manager(&t);
    ask_about(&t, AGENT_FETCH, "1");
    ask(&t, (struct agent_request){.op = AGENT_DONE}, -1);
    ask(&t, (struct agent_request){.op = AGENT_LIST}, -1);
    ask(&t, (struct agent_request){.op = AGENT_CREATE, .n = 1}, file_of(&want, 1));
    assert_ends(&t, 0);
    assert_answer(&t, 0);

    assert_end(&t, 0, KEY_BITS_MAX / 8);
    _cleanup_close_ int key = next_answer(&t, &a);
    assert_int_equal(a.size, KEY_BITS_MAX / 8);
    _cleanup_close_ int list = next_answer(&t, &a);
    struct key_info listed[2];
    assert_int_equal(a.n, ARRAY_SIZE(listed));
    assert_int_equal(fd_pread_all(list, listed, sizeof listed, 0), 0);
    assert_string_equal(listed[1].owner, OWNER);

    _cleanup_close_ int ids = next_answer(&t, &a);
    struct agent_id id;
    assert_int_equal(a.n, 1);
    assert_int_equal(fd_pread_all(ids, &id, sizeof id, 0), 0);
    assert_string_equal(id.id, OWNER);
    _cleanup_close_ int secrets = next_answer(&t, &a);
    assert_int_equal(a.size, want.bits / 8);

    /* whoever kept the descriptors has nothing: what was handed over is wiped at the next packet */
    uint8_t byte = 77;
    if (pread(key, &byte, 1, 0) == 1) /* memfd_secret(2) cannot be read so */
        assert_int_equal(byte, 0);
    key = fd_close(key);
    list = fd_close(list);
    ids = fd_close(ids);
    secrets = fd_close(secrets);
    end(&t);
}

/* An error of the manager's is an answer, and the talk goes on. */
static void what_is_refused(void **state)
{
    (void)state;
    const struct key_info want = {.owner = OWNER, .vg = "vg0", .bits = 512};
    struct talk t;
    begin(&t);
    fake_manager()->refuses_keys = true;
    open_manager(&t);
    ask(&t, (struct agent_request){.op = AGENT_CREATE, .n = 1}, file_of(&want, 1));
    for (uint32_t op = AGENT_FETCH; op <= AGENT_DESTROY; op++)
        ask_about(&t, op, "1");
    for (uint32_t op = AGENT_LIST; op < AGENT_DIAGNOSE; op++)
        ask(&t, (struct agent_request){.op = op, .id = "1"}, -1);
    assert_ends(&t, 0);
    assert_answer(&t, 0);
    assert_answer(&t, -EACCES);
    for (uint32_t op = AGENT_FETCH; op <= AGENT_DESTROY; op++)
        assert_end(&t, -EACCES, 0);
    for (uint32_t op = AGENT_LIST; op < AGENT_DIAGNOSE; op++)
        assert_answer(&t, -EACCES);
    end(&t);

    begin(&t);
    fake_manager()->refuses = true; /* to open, too: then it may be asked to again */
    open_manager(&t);
    ask(&t, (struct agent_request){.op = AGENT_OPEN}, -1);
    assert_ends(&t, 0);
    assert_answer(&t, -EACCES);
    assert_answer(&t, -EACCES);
    assert_int_equal(fake_manager()->opened, 2);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_context),
        cmocka_unit_test(a_wrong_hello),
        cmocka_unit_test(a_hello_without_ends),
        cmocka_unit_test(nothing_before_its_time),
        cmocka_unit_test(nothing_after_its_time),
        cmocka_unit_test(wrong_gifts),
        cmocka_unit_test(wrong_requests),
        cmocka_unit_test(texts_without_ends),
        cmocka_unit_test(granting_says_whether_it_changed),
        cmocka_unit_test(ids_without_ends),
        cmocka_unit_test(wrong_wants),
        cmocka_unit_test(as_many_as_may_be_are_answered),
        cmocka_unit_test(wants_that_cannot_be),
        cmocka_unit_test(what_is_answered),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
