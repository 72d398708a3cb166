/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about several keys at once: a file has a record for each key. */
#include "keyagent/serve-internal.h"

#include "base/fd.h"

static int answer_secret(struct connection *c, const struct secret *s)
{
    struct error why = ERROR_NONE;
    struct agent_answer a = {.size = secret_size(s)};
    a.errnum = secret_handover(s, &c->handover, &why);
    return send_answer(c, &a, &why, a.errnum < 0 ? -1 : secret_handover_fd(c->handover));
}

/* Joins the secrets into one, one behind the other. */
static int join(struct secret *const secrets[], size_t n, struct secret **ret, struct error *e)
{
    size_t size = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        size += secrets[i] ? secret_size(secrets[i]) : 0;
    int r = secret_new(size, ret, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (!secrets[i])
            continue;
        memcpy(secret_bytes(*ret) + at, secret_peek(secrets[i]), secret_size(secrets[i]));
        at += secret_size(secrets[i]);
    }
    return r;
}

/* Answers with a record for each of `n` keys, then with their secrets. */
static int answer_secrets(struct connection *c, const void *records, size_t size,
                          struct secret *const secrets[], size_t n)
{
    _cleanup_secret_ struct secret *all = NULL;
    struct error why = ERROR_NONE;
    int joined = join(secrets, n, &all, &why);
    int r = answer_records(c, records, n, size);
    if (r < 0)
        return r;
    return joined < 0 ? answer_plain(c, joined, &why) : answer_secret(c, all);
}

static int answer_made(struct connection *c, const struct key_made made[], size_t n)
{
    _cleanup_free_ struct agent_id *ids = calloc(n, sizeof *ids);
    _cleanup_free_ struct secret **secrets = calloc(n, sizeof(struct secret *));
    struct error why = ERROR_NONE;
    if (!ids || !secrets)
        return answer_plain(c, error_memory(&why), &why);
    for (size_t i = 0; i < n; i++) {
        memcpy(ids[i].id, made[i].id, sizeof ids[i].id);
        secrets[i] = made[i].secret;
    }
    return answer_secrets(c, ids, sizeof *ids, secrets, n);
}

/* Reads the records of a request, one for each key; the caller frees. -EPROTO, -ENOMEM. */
static int read_records(const struct agent_request *q, int fd, size_t size, void **ret)
{
    if (q->n == 0 || q->n > AGENT_KEYS_MAX || fd < 0)
        return -EPROTO;
    *ret = calloc(q->n, size);
    if (!*ret)
        return -ENOMEM;
    return fd_pread_all(fd, *ret, q->n * size, 0) < 0 ? -EPROTO : 0;
}

/* Ends the connection over a file that cannot be read, unless memory ran out. */
static int answer_unread(const struct connection *c, int r)
{
    struct error why = ERROR_NONE;
    return r == -ENOMEM ? answer_plain(c, error_memory(&why), &why) : r;
}

int serve_create(struct connection *c, const struct agent_request *q, int fd)
{
    struct error why = ERROR_NONE;
    _cleanup_free_ void *records = NULL;
    size_t n = q->n;
    int r = read_records(q, fd, sizeof(struct key_info), &records);
    if (r < 0)
        return answer_unread(c, r);
    struct key_info *want = records;
    _cleanup_free_ struct key_made *made = calloc(n, sizeof *made);
    if (!made)
        return answer_unread(c, -ENOMEM);
    for (size_t i = 0; i < n; i++)
        want[i].owner[UUID_TEXT - 1] = want[i].vg[VG_NAME_MAX - 1] = '\0';
    for (size_t i = 0; r == 0 && i < n; i++)
        r = key_want_check(c->manager, &want[i], &why);
    if (r == 0)
        r = c->km->ops->create_many(c->km, want, n, made, &why);
    r = r < 0 ? answer_plain(c, r, &why) : answer_made(c, made, n);
    for (size_t i = 0; i < n; i++)
        secret_free(made[i].secret);
    return r;
}

static int answer_ends(struct connection *c, const struct key_asked k[], size_t n)
{
    _cleanup_free_ struct agent_end *ends = calloc(n, sizeof *ends);
    _cleanup_free_ struct secret **secrets = calloc(n, sizeof(struct secret *));
    struct error why = ERROR_NONE;
    bool any = false;
    if (!ends || !secrets)
        return answer_plain(c, error_memory(&why), &why);
    for (size_t i = 0; i < n; i++) {
        ends[i].errnum = k[i].error.errnum;
        ends[i].parts = k[i].error.parts;
        memcpy(ends[i].text, k[i].error.text, sizeof ends[i].text);
        ends[i].size = k[i].secret ? (uint32_t)secret_size(k[i].secret) : 0;
        secrets[i] = k[i].secret;
        any = any || k[i].secret;
    }
    return any ? answer_secrets(c, ends, sizeof *ends, secrets, n) : answer_records(c, ends, n, sizeof *ends);
}

int serve_many(struct connection *c, const struct agent_request *q, int fd, many_fn *ask)
{
    _cleanup_free_ void *records = NULL;
    int r = read_records(q, fd, sizeof(struct agent_id), &records);
    if (r < 0)
        return answer_unread(c, r);
    struct agent_id *ids = records;
    _cleanup_free_ struct key_asked *k = calloc(q->n, sizeof *k);
    if (!k)
        return answer_unread(c, -ENOMEM);
    for (size_t i = 0; i < q->n; i++) {
        ids[i].id[sizeof ids[i].id - 1] = '\0';
        k[i].id = ids[i].id;
    }
    ask(c->km, k, q->n);
    r = answer_ends(c, k, q->n);
    for (size_t i = 0; i < q->n; i++)
        secret_free(k[i].secret);
    return r;
}
