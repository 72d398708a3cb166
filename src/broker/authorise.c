/* SPDX-License-Identifier: Apache-2.0 */
/* See authorise.h. A function for each struct of requests (ops.def). */
#include "broker/authorise.h"

#define TERMINATED(field) (memchr((field), '\0', sizeof(field)) != NULL)

static int error_endless(struct error *e)
{
    return error_set(e, -EPROTO, "request: a text in it is not terminated");
}

/* Checks that this connection may name this volume. */
static int check_ref(const struct session *s, const struct volume_ref *ref, bool needs_lock, struct error *e)
{
    char instance[UUID_TEXT];
    int r = volume_ref_check(ref, e);
    if (r < 0)
        return r;
    if (!config_has_volume_group(s->config, ref->vg))
        return error_set(e, -EPERM,
                         "volume group %s: is not Mayfly's to use; add it to images_volume_group in "
                         "mayfly.conf",
                         ref->vg);
    volume_ref_instance(ref, instance);
    if (needs_lock && !locks_held(&s->locks, instance) && !session_owns_snapshot(s, ref))
        return error_set(e, -EPERM, "instance %s: is not locked by this connection", instance);
    return 0;
}

static int check_op_none(const struct session *s, const struct op_none *q, bool needs_lock, struct error *e)
{
    (void)s, (void)q, (void)needs_lock, (void)e;
    return 0;
}

static int check_op_lock(const struct session *s, const struct op_lock *q, bool needs_lock, struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->uuid) || !TERMINATED(q->verb))
        return error_endless(e);
    /* a verb may have two words ("key destroy"); others read it on their terminals */
    if (q->verb[strspn(q->verb, "abcdefghijklmnopqrstuvwxyz- ")])
        return error_set(e, -EINVAL, "lock: its verb has characters that no verb has");
    return uuid_valid(q->uuid) ? 0 : error_set(e, -EINVAL, "lock: its uuid is malformed");
}

static int check_op_unlock(const struct session *s, const struct op_unlock *q, bool needs_lock,
                           struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->uuid))
        return error_endless(e);
    return uuid_valid(q->uuid) ? 0 : error_set(e, -EINVAL, "unlock: its uuid is malformed");
}

static int check_op_settle(const struct session *s, const struct op_settle *q, bool needs_lock,
                           struct error *e)
{
    (void)s, (void)needs_lock;
    if (!TERMINATED(q->instance))
        return error_endless(e);
    return !q->instance[0] || uuid_valid(q->instance)
               ? 0
               : error_set(e, -EINVAL, "settle: its uuid is malformed");
}

static int check_settle(uint8_t settle, struct error *e)
{
    return settle <= SETTLE_LATER ? 0
                                  : error_set(e, -EINVAL, "request: says neither to settle now nor later");
}

static int check_use(uint8_t use, struct error *e)
{
    return use <= MAP_READ_ONLY ? 0 : error_set(e, -EINVAL, "request: unknown use %u of a map", use);
}

static int check_op_close(const struct session *s, const struct op_close *q, bool needs_lock, struct error *e)
{
    int r = check_use(q->up_to, e);
    if (r == 0)
        r = check_settle(q->settle, e);
    return r < 0 ? r : check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_create(const struct session *s, const struct op_create *q, bool needs_lock,
                           struct error *e)
{
    struct volume_ref ref = volume_ref_of(&q->volume);
    int r = check_ref(s, &ref, needs_lock, e);
    if (r < 0)
        return r;
    return volume_check(&q->volume, e); /* checks that its texts are terminated, too */
}

static int check_op_volume(const struct session *s, const struct op_volume *q, bool needs_lock,
                           struct error *e)
{
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_snapshot(const struct session *s, const struct op_snapshot *q, bool needs_lock,
                             struct error *e)
{
    if (!TERMINATED(q->disk))
        return error_endless(e);
    if (!uuid_valid(q->disk))
        return error_set(e, -EINVAL, "snapshot: its disk uuid is malformed");
    return check_ref(s, &q->origin, needs_lock, e);
}

static int check_op_open(const struct session *s, const struct op_open *q, bool needs_lock, struct error *e)
{
    int r = check_use(q->use, e);
    if (r == 0)
        r = check_settle(q->settle, e);
    return r < 0 ? r : check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_bench(const struct session *s, const struct op_bench *q, bool needs_lock, struct error *e)
{
    if (q->table >= BENCH_TABLES)
        return error_set(e, -EINVAL, "request: unknown table %u", q->table);
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_resize(const struct session *s, const struct op_resize *q, bool needs_lock,
                           struct error *e)
{
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_engine(const struct session *s, const struct op_engine *q, bool needs_lock,
                           struct error *e)
{
    if (q->engine > ENGINE_USER)
        return error_set(e, -EINVAL, "request: unknown engine %u", q->engine);
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_format(const struct session *s, const struct op_format *q, bool needs_lock,
                           struct error *e)
{
    if (!TERMINATED(q->fs) || !TERMINATED(q->label))
        return error_endless(e);
    return check_ref(s, &q->volume, needs_lock, e);
}

static int check_op_set(const struct session *s, const struct op_set *q, bool needs_lock, struct error *e)
{
    if (q->n < 1 || q->n > WIRE_VOLUMES_MAX)
        return error_set(e, -EPROTO, "request: has %u volumes; there must be 1 to %d", q->n,
                         WIRE_VOLUMES_MAX);
    for (size_t i = 0; i < q->n; i++) {
        int r = check_ref(s, &q->volume[i], needs_lock, e);
        if (r < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (streq(q->volume[i].lv, q->volume[j].lv) && streq(q->volume[i].vg, q->volume[j].vg))
                return error_set(e, -EINVAL, "request: names volume %s twice", q->volume[i].lv);
    }
    return 0;
}

static int check_op_mark(const struct session *s, const struct op_mark *q, bool needs_lock, struct error *e)
{
    if (q->state != VOLUME_READY && q->state != VOLUME_DOOMED)
        return error_set(e, -EINVAL, "request: volumes are marked ready or doomed, nothing else");
    return check_op_set(s, &q->set, needs_lock, e);
}

int authorise(const struct session *s, const struct packet *p, struct error *e)
{
    bool needs_lock = wire_operations[p->header.op].needs_lock;
    switch (p->header.op) {
#define OP(NAME, request, fds_in, fds_out, lock, audit, argument)                                            \
    case OP_##NAME:                                                                                          \
        return check_##request(s, &p->body.NAME, needs_lock, e);
#include "broker/ops.def"
#undef OP
    default:
        abort(); /* decode() lets none through */
    }
}
