/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile mayfly-keyagent may answer to mayfly: any packets, with any descriptors. What is taken from
 * them is of the form that mayfly relies on, errors are for a terminal, and no descriptor is left open. The
 * first byte is the operation. */
#include "base/str.h"
#include "keys/agent-connect.h"
#include "packets.h"

#define OWNER "6f1e8a8e-0000-4000-8000-000000000000"
#define KEYS  2

static const uint8_t *data;
static size_t left;
static int peer = -1; /* the other end, which takes the requests and does not look at them */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* The good answer that the step begins with. */
static int prepare(const struct step *s, struct agent_answer *a)
{
    static const uint8_t key[KEYS * 64] = {1};
    union {
        struct key_info keys[KEYS];
        struct agent_id ids[KEYS];
        struct agent_end ends[KEYS];
        struct key_finding findings[KEYS];
    } file = {.ids = {{""}}};
    size_t size = 0;
    *a = (struct agent_answer){.n = KEYS, .text = "key barbican:1: is gone for good"};
    switch (s->which % 8) {
    case 0:
        return -1;
    case 1:
        a->errnum = -ENOKEY;
        return -1;
    case 2:
    case 3:
        a->size = s->which % 8 == 2 ? sizeof key / KEYS : sizeof key;
        return step_sealed_file(key, a->size);
    case 4:
        for (size_t i = 0; i < KEYS; i++)
            file.keys[i] = (struct key_info){.id = "1", .owner = OWNER, .vg = "vg0"};
        size = sizeof file.keys;
        break;
    case 5:
        for (size_t i = 0; i < KEYS; i++)
            file.ids[i] = (struct agent_id){"1"};
        size = sizeof file.ids;
        break;
    case 6:
        for (size_t i = 0; i < KEYS; i++)
            file.findings[i] = (struct key_finding){.what = "clock", .text = "good"};
        size = sizeof file.findings;
        break;
    default:
        for (size_t i = 0; i < KEYS; i++)
            file.ends[i] = (struct agent_end){.size = 64, .text = "good"};
        size = sizeof file.ends;
    }
    int fd = -1;
    if (s->flags & STEP_ON_FILE)
        step_lay(s, &file, size);
    return fd_memfd("records", &file, size, &fd) < 0 ? -1 : fd;
}

/* In the place of agent-start.c: all answers are there before the requests, and then the end. The first one,
 * to AGENT_OPEN, is good. */
int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e)
{
    struct agent_answer a = {.errnum = 0};
    struct step s = {.flags = 0};
    int ends[2];
    (void)program;
    (void)e;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    step_send(&s, ends[1], &a, sizeof a, -1);
    while (step_take(&data, &left, &s)) {
        int fd = prepare(&s, &a);
        step_send(&s, ends[1], &a, sizeof a, fd);
    }
    shutdown(ends[1], SHUT_WR);
    fd_close(peer);
    peer = ends[1];
    *ret_socket = ends[0];
    *ret_pid = 0;
    return 0;
}

static void check_text(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            abort();
}

static int create(struct keymgr *km, struct error *e)
{
    struct key_info want[KEYS];
    struct key_made made[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        want[i] = (struct key_info){.owner = OWNER, .vg = "vg0", .bits = 512};
    int r = keymgr_create_many(km, want, KEYS, made, e);
    for (size_t i = 0; i < KEYS; i++) {
        if (r < 0 ? made[i].secret != NULL : secret_size(made[i].secret) != 64 || !*made[i].id)
            abort();
        secret_free(made[i].secret);
    }
    return r;
}

static int fetch(struct keymgr *km, struct error *e)
{
    struct key_asked k[KEYS] = {{.id = "1"}, {.id = "2"}};
    int r = keymgr_fetch_many(km, k, KEYS, e);
    for (size_t i = 0; i < KEYS; i++) {
        const struct secret *s = k[i].secret;
        if (k[i].error.errnum ? s != NULL
                              : secret_size(s) < KEY_BITS_MIN / 8 || secret_size(s) > KEY_BITS_MAX / 8)
            abort();
        check_text(k[i].error.text, sizeof k[i].error.text);
        secret_free(k[i].secret);
    }
    return r;
}

static int list(struct keymgr *km, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(km, &l, e);
    for (size_t i = 0; r == 0 && i < l.n; i++)
        if (!*l.keys[i].id ||
            (!l.keys[i].damaged && (!uuid_valid(l.keys[i].owner) || !volume_group_valid(l.keys[i].vg))))
            abort();
    return r;
}

static int diagnose(struct keymgr *km, struct error *e)
{
    struct key_finding found[KEY_FINDINGS_MAX];
    size_t n = 0;
    int r = keymgr_diagnose(km, found, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        check_text(found[i].what, sizeof found[i].what);
        check_text(found[i].text, sizeof found[i].text);
        if (exit_code(found[i].result) == EXIT_OK && found[i].result != 0)
            abort();
    }
    return r;
}

static int operate(struct keymgr *km, uint8_t which, struct error *e)
{
    bool changed = false;
    switch (which % 6) {
    case 0:
        return create(km, e);
    case 1:
        return fetch(km, e);
    case 2:
        return list(km, e);
    case 3:
        return diagnose(km, e);
    case 4:
        return keymgr_grant(km, "1", NULL, true, &changed, e);
    default:
        return keymgr_destroy(km, "1", e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static struct config config;
    struct key_context who = KEY_CONTEXT_NONE;
    struct keymgr *km = NULL;
    int next = step_next_fd();
    if (size == 0 || keymgr_open(&config, &who, "barbican", &km, NULL) < 0)
        return 0;
    data = input + 1;
    left = size - 1;
    for (int i = 0; i < 3; i++) {
        struct error e = ERROR_NONE;
        int r = operate(km, (uint8_t)(input[0] + i), &e);
        if (r > 0 || (r == 0) != (e.errnum == 0) || (r < 0 && exit_code(r) == EXIT_OK))
            abort();
        check_text(e.text, sizeof e.text);
    }
    keymgr_close(km);
    peer = fd_close(peer);
    if (step_next_fd() != next)
        abort();
    return 0;
}
