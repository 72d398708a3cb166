/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on several keys at once: a record for each goes to mayfly-keyagent, and one comes back. */
#include "keys/agent-internal.h"

#include "base/fd.h"

/* Takes `size` bytes of secrets out of `fd`, and confirms to the other end that they were received. */
static int take_secrets(struct agent *a, int fd, size_t size, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *s = NULL;
    int r = fd < 0 ? -EPROTO : secret_receive(fd, size, &s, NULL);
    if (r == -EPROTO)
        return agent_link_refuse(&a->link, e);
    if (r < 0)
        return error_set(e, r, "mayfly-keyagent: the keys that it gave cannot be taken: %s", strerror(-r));
    r = agent_link_send(&a->link, &(struct agent_request){.op = AGENT_DONE}, -1, e);
    if (r == 0)
        *ret = TAKE_PTR(s);
    return r;
}

/* Receives the second answer: `size` bytes of secrets. */
static int receive_secrets(struct agent *a, size_t size, struct secret **ret, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_answer answer;
    int r = agent_link_receive(&a->link, &answer, &fd, e);
    if (r == 0)
        r = answer.size == size ? take_secrets(a, fd, size, ret, e) : agent_link_refuse(&a->link, e);
    return r;
}

/* Takes the next one of the secrets that lie one behind the other in `all`. */
static int cut(const struct secret *all, size_t *at, size_t size, struct secret **ret, struct error *e)
{
    int r = secret_new(size, ret, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(*ret), secret_peek(all) + *at, size);
    *at += size;
    return 0;
}

/* Sends a record for each of `n` keys, and gets as many back; the caller frees them. */
static int call_for_keys(struct agent *a, enum agent_op op, const void *records, size_t size, size_t n,
                         size_t answer_size, void **ret, struct error *e)
{
    _cleanup_close_ int asked_fd = -1, answer_fd = -1;
    struct agent_answer answer;
    int r = n > AGENT_KEYS_MAX ? -E2BIG : fd_memfd("mayfly keys", records, n * size, &asked_fd);
    if (r < 0)
        return error_set(e, r, "mayfly-keyagent: cannot send the request for %zu keys: %s", n, strerror(-r));
    r = agent_call(a, &(struct agent_request){.op = op, .n = (uint32_t)n}, asked_fd, &answer, &answer_fd, e);
    if (r < 0)
        return r;
    return answer.n == n ? agent_read_records(a, answer_fd, n, answer_size, ret, e)
                         : agent_link_refuse(&a->link, e);
}

static int cut_made(struct agent *a, const struct key_info want[], size_t n, const struct agent_id ids[],
                    const struct secret *all, struct key_made ret[], struct error *e)
{
    size_t at = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = agent_id_valid(ids[i].id) ? cut(all, &at, want[i].bits / 8, &ret[i].secret, e)
                                      : agent_link_refuse(&a->link, e);
        if (r == 0)
            memcpy(ret[i].id, ids[i].id, KEY_ID_MAX);
    }
    for (size_t i = 0; r < 0 && i < n; i++)
        ret[i].secret = secret_free(ret[i].secret);
    return r;
}

int agent_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                      struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_free_ void *ids = NULL;
    _cleanup_secret_ struct secret *all = NULL;
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += want[i].bits / 8;
    int r = call_for_keys(a, AGENT_CREATE, want, sizeof *want, n, sizeof(struct agent_id), &ids, e);
    if (r == 0)
        r = receive_secrets(a, size, &all, e);
    return r < 0 ? r : cut_made(a, want, n, ids, all, ret, e);
}

static bool end_valid(const struct agent_end *end, bool fetched)
{
    if (end->errnum < 0 || !fetched)
        return agent_result_valid(end->errnum) && end->size == 0;
    return end->errnum == 0 && end->size >= KEY_BITS_MIN / 8 && end->size <= KEY_BITS_MAX / 8;
}

/* Reads the outcome of each key; *ret_size: the bytes of secrets that follow. */
static int take_ends(struct agent *a, struct agent_end ends[], bool fetched, struct key_asked k[], size_t n,
                     size_t *ret_size, struct error *e)
{
    *ret_size = 0;
    for (size_t i = 0; i < n; i++) {
        if (!end_valid(&ends[i], fetched))
            return agent_link_refuse(&a->link, e);
        *ret_size += ends[i].size;
        ends[i].text[sizeof ends[i].text - 1] = '\0';
        str_tame(ends[i].text);
    }
    for (size_t i = 0; i < n; i++)
        if (ends[i].errnum < 0)
            error_receive(&k[i].error, ends[i].errnum, ends[i].text, &ends[i].parts);
    return 0;
}

static int take_fetched(struct agent *a, const struct agent_end ends[], size_t size, struct key_asked k[],
                        size_t n, struct error *e)
{
    _cleanup_secret_ struct secret *all = NULL;
    size_t at = 0;
    int r = receive_secrets(a, size, &all, e);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (ends[i].size)
            r = cut(all, &at, ends[i].size, &k[i].secret, e);
    for (size_t i = 0; r < 0 && i < n; i++)
        k[i].secret = secret_free(k[i].secret);
    return r;
}

/* Asks about keys; an error of the whole request becomes the error of each key. */
static int ask_about_keys(struct agent *a, enum agent_op op, struct key_asked k[], size_t n, struct error *e)
{
    _cleanup_free_ struct agent_id *ids = calloc(n, sizeof *ids);
    _cleanup_free_ void *ends = NULL;
    size_t size = 0;
    if (!ids)
        return error_memory(e);
    for (size_t i = 0; i < n; i++)
        (void)!str_copy(ids[i].id, sizeof ids[i].id, k[i].id); /* key_locate() has looked at its length */
    int r = call_for_keys(a, op, ids, sizeof *ids, n, sizeof(struct agent_end), &ends, e);
    if (r == 0)
        r = take_ends(a, ends, op == AGENT_FETCH, k, n, &size, e);
    return r == 0 && size ? take_fetched(a, ends, size, k, n, e) : r;
}

/* Whether the manager answered for none of them. */
static bool unreachable(const struct key_asked k[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (k[i].error.errnum != -EHOSTUNREACH)
            return false;
    return true;
}

#define ASKED_AT_ONCE 64 /* so many fit into the deadline of one request */

/* Asks in parts. If the manager answers for no key of a part, the later parts are not asked, since each would
 * wait in vain. */
static void ask_in_parts(struct keymgr *km, enum agent_op op, struct key_asked k[], size_t n)
{
    struct error why = ERROR_NONE;
    size_t at = 0;
    for (size_t some; at < n && !why.errnum; at += some) {
        some = n - at < ASKED_AT_ONCE ? n - at : ASKED_AT_ONCE;
        if (ask_about_keys((struct agent *)km, op, k + at, some, &why) < 0)
            for (size_t i = at; i < at + some; i++)
                error_pass(&k[i].error, why.errnum, &why);
        else if (unreachable(k + at, some))
            why = k[at].error;
    }
    for (; at < n; at++)
        error_set(&k[at].error, why.errnum, "key %s:%s: is not asked about, since %s", km->ops->name,
                  k[at].id, why.text);
}

void agent_fetch_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    ask_in_parts(km, AGENT_FETCH, k, n);
}

void agent_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    ask_in_parts(km, AGENT_MAY_DESTROY, k, n);
}

void agent_destroy_many(struct keymgr *km, struct key_asked k[], size_t n)
{
    ask_in_parts(km, AGENT_DESTROY, k, n);
}
