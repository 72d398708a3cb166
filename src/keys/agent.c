/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in, in mayfly, for the key managers that talk to a network: each operation is a request to
 * mayfly-keyagent, which is started by the first one and ends with the manager. */
#include "base/fd.h"
#include "keys/agent-connect.h"
#include "keys/keymgr.h"

#include <stdio.h>
#include <unistd.h>

struct agent {
    struct keymgr base;
    const char *name;
    struct config config;
    struct key_context *who; /* the session's, which outlives the manager */
    struct agent_link link;
    struct key_asker asker; /* as it last said */
};

static int agent_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                      struct keymgr **ret, struct error *e)
{
    struct agent *a = calloc(1, sizeof *a);
    if (!a)
        return error_memory(e);
    a->name = self->name;
    a->config = *c;
    a->who = who;
    a->link = AGENT_LINK_NONE;
    a->base.durable = true; /* as that of each network is */
    *ret = &a->base;
    return 0;
}

static void agent_close(struct keymgr *km)
{
    struct agent *a = (struct agent *)km;
    agent_link_end(&a->link);
    free(a);
}

/* One request and its answer. */
static int call(struct agent *a, const struct agent_request *q, int fd, struct agent_answer *answer,
                int *ret_fd, struct error *e)
{
    *answer = (struct agent_answer){.errnum = 0};
    int r = a->link.socket >= 0 ? 0 : agent_link_start(&a->link, a->name, &a->config, a->who, e);
    a->base.lists_all = a->link.lists_all;
    a->link.deadline_sec = agent_link_patience_sec(&a->config, q->op == AGENT_CREATE ? q->n : 0);
    if (r == 0)
        r = agent_link_send(&a->link, q, fd, e);
    if (r == 0)
        r = agent_link_receive(&a->link, answer, ret_fd, e);
    if (r == 0 || answer->errnum < 0) /* it is not trusted: see agent_asker() */
        a->asker = answer->asker;
    return r;
}

static int put_id(char field[KEY_ID_MAX], const char *id, struct error *e)
{
    return str_copy(field, KEY_ID_MAX, id) < 0 ? error_set(e, -EINVAL, "key %.64s: its id is too long", id)
                                               : 0;
}

/* An operation on one key that answers nothing. */
static int simple(struct keymgr *km, enum agent_op op, const char *id, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = op};
    struct agent_answer answer;
    int r = put_id(q.id, id, e);
    return r < 0 ? r : call((struct agent *)km, &q, -1, &answer, &fd, e);
}

static int agent_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = AGENT_PLACE, .n = make};
    struct agent_answer answer;
    int r = call((struct agent *)km, &q, -1, &answer, &fd, e);
    if (r < 0)
        return r;
    if (!memchr(answer.place, '\0', sizeof answer.place)) /* keymgr_place() looks at its form */
        return agent_link_refuse(&((struct agent *)km)->link, e);
    memcpy(ret, answer.place, sizeof answer.place);
    return 0;
}

static int agent_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    return simple(km, AGENT_MAY_DESTROY, id, e);
}

static int agent_destroy(struct keymgr *km, const char *id, struct error *e)
{
    return simple(km, AGENT_DESTROY, id, e);
}

static int agent_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                       struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = AGENT_GRANT, .allowed = allowed};
    struct agent_answer answer;
    int r = put_id(q.id, id, e);
    if (r == 0 && str_copy(q.user, sizeof q.user, user ? user : "") < 0)
        r = error_set(e, -EINVAL, "user %.64s: is too long for an id", user);
    if (r == 0)
        r = call((struct agent *)km, &q, -1, &answer, &fd, e);
    if (r == 0)
        *ret_changed = answer.n != 0;
    return r;
}

/* Takes `size` bytes of secrets out of `fd`, and tells the other end that they are here. */
static int receive_secret(struct agent *a, int fd, size_t size, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *s = NULL;
    int r = fd < 0 ? -EPROTO : secret_receive(fd, size, &s, NULL);
    if (r == -EPROTO)
        return agent_link_refuse(&a->link, e);
    if (r < 0)
        return error_set(e, r, "mayfly-keyagent: the key that it gave cannot be taken: %s", strerror(-r));
    r = agent_link_send(&a->link, &(struct agent_request){.op = AGENT_DONE}, -1, e);
    if (r == 0)
        *ret = TAKE_PTR(s);
    return r;
}

static int agent_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int fd = -1;
    struct agent_request q = {.op = AGENT_FETCH};
    struct agent_answer answer;
    int r = put_id(q.id, id, e);
    if (r == 0)
        r = call(a, &q, -1, &answer, &fd, e);
    if (r < 0)
        return r;
    if (answer.size < KEY_BITS_MIN / 8 || answer.size > KEY_BITS_MAX / 8)
        return agent_link_refuse(&a->link, e);
    return receive_secret(a, fd, answer.size, ret, e);
}

/* Reads `n` records of `size` bytes out of a file that the other end made; the caller frees. */
static int read_records(struct agent *a, int fd, size_t n, size_t size, void **ret, struct error *e)
{
    void *records = calloc(n ? n : 1, size);
    if (!records)
        return error_memory(e);
    int r = n ? fd_pread_all(fd, records, n * size, 0) : 0;
    if (r < 0) {
        free(records);
        return agent_link_refuse(&a->link, e);
    }
    *ret = records;
    return 0;
}

static bool id_valid(const char id[KEY_ID_MAX])
{
    return memchr(id, '\0', KEY_ID_MAX) && *id && str_made_of(id, "_+.-/=!:#&");
}

/* Cuts the secrets, which lie behind each other, into the keys. */
static int cut(struct agent *a, const struct key_info want[], size_t n, const struct agent_id ids[],
               const struct secret *all, struct key_made ret[], struct error *e)
{
    size_t at = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t size = want[i].bits / 8;
        r = id_valid(ids[i].id) ? secret_new(size, &ret[i].secret, e) : agent_link_refuse(&a->link, e);
        if (r < 0)
            break;
        memcpy(secret_bytes(ret[i].secret), secret_peek(all) + at, size);
        memcpy(ret[i].id, ids[i].id, KEY_ID_MAX);
        at += size;
    }
    for (size_t i = 0; r < 0 && i < n; i++)
        ret[i].secret = secret_free(ret[i].secret);
    return r;
}

static int agent_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                             struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int wants_fd = -1, ids_fd = -1, secrets_fd = -1;
    _cleanup_free_ void *ids = NULL;
    _cleanup_secret_ struct secret *all = NULL;
    struct agent_answer answer;
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += want[i].bits / 8;
    int r = n > AGENT_KEYS_MAX ? -E2BIG : fd_memfd("mayfly keys", want, n * sizeof *want, &wants_fd);
    if (r < 0)
        return error_set(e, r, "mayfly-keyagent: cannot be asked for %zu keys: %s", n, strerror(-r));
    r = call(a, &(struct agent_request){.op = AGENT_CREATE, .n = (uint32_t)n}, wants_fd, &answer, &ids_fd, e);
    if (r == 0)
        r = answer.n == n ? read_records(a, ids_fd, n, sizeof(struct agent_id), &ids, e)
                          : agent_link_refuse(&a->link, e);
    if (r == 0)
        r = agent_link_receive(&a->link, &answer, &secrets_fd, e);
    if (r == 0)
        r = answer.size == size ? receive_secret(a, secrets_fd, size, &all, e)
                                : agent_link_refuse(&a->link, e);
    return r < 0 ? r : cut(a, want, n, ids, all, ret, e);
}

static bool info_valid(const struct key_info *k)
{
    if (!memchr(k->host, '\0', sizeof k->host) || !str_made_of(k->host, "-_."))
        return false;
    if (k->damaged)
        return id_valid(k->id) && !k->owner[0] && !k->vg[0];
    return id_valid(k->id) && memchr(k->owner, '\0', sizeof k->owner) && uuid_valid(k->owner) &&
           memchr(k->vg, '\0', sizeof k->vg) && config_vg_name_valid(k->vg) && k->scope <= KEY_SCOPE_IMAGE;
}

static int agent_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int fd = -1;
    _cleanup_free_ void *records = NULL;
    struct agent_answer answer;
    int r = call(a, &(struct agent_request){.op = AGENT_LIST}, -1, &answer, &fd, e);
    if (r == 0)
        r = read_records(a, fd, answer.n, sizeof(struct key_info), &records, e);
    if (r < 0)
        return r;
    const struct key_info *keys = records;
    for (size_t i = 0; i < answer.n; i++)
        if (!info_valid(&keys[i]))
            return agent_link_refuse(&a->link, e);
    ret->n = answer.n;
    ret->keys = answer.n ? TAKE_PTR(records) : NULL;
    if (answer.incomplete < 0)
        error_set(&ret->incomplete, answer.incomplete, "%s", answer.text);
    return 0;
}

static int agent_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                          struct error *e)
{
    struct agent *a = (struct agent *)km;
    _cleanup_close_ int fd = -1;
    struct agent_answer answer;
    int r = call(a, &(struct agent_request){.op = AGENT_DIAGNOSE}, -1, &answer, &fd, e);
    if (r < 0)
        return r;
    if (answer.n > KEY_FINDINGS_MAX || fd_pread_all(fd, ret, answer.n * sizeof *ret, 0) < 0)
        return agent_link_refuse(&a->link, e);
    for (size_t i = 0; i < answer.n; i++) {
        if (!agent_result_valid(ret[i].result))
            return agent_link_refuse(&a->link, e);
        ret[i].what[sizeof ret[i].what - 1] = ret[i].text[sizeof ret[i].text - 1] = '\0';
        str_tame(ret[i].what);
        str_tame(ret[i].text);
    }
    *ret_n = answer.n;
    return 0;
}

/* Only ids of Keystone's form. */
static void agent_asker(const struct keymgr *km, struct key_asker *ret)
{
    const struct key_asker *said = &((const struct agent *)km)->asker;
    if (memchr(said->user, '\0', sizeof said->user) && str_made_of(said->user, "-_"))
        memcpy(ret->user, said->user, sizeof ret->user);
    if (memchr(said->project, '\0', sizeof said->project) && str_made_of(said->project, "-_"))
        memcpy(ret->project, said->project, sizeof ret->project);
}

const struct keymgr_ops keymgr_barbican = {
    .name = "barbican",
    .network = true,
    .open = agent_open,
    .place = agent_place,
    .create_many = agent_create_many,
    .fetch = agent_fetch,
    .may_destroy = agent_may_destroy,
    .destroy = agent_destroy,
    .list = agent_list,
    .grant = agent_grant,
    .diagnose = agent_diagnose,
    .asker = agent_asker,
    .close = agent_close,
};
