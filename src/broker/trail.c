/* SPDX-License-Identifier: Apache-2.0 */
/* See trail.h, and base/audit.h for what an entry is. */
#include "broker/trail.h"

#include "base/audit.h"

#include <stdio.h>

/* As ops.def names the change; NULL: none. */
static const char *const actions[OP_COUNT] = {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) [OP_##NAME] = audit,
#include "broker/ops.def"
#undef OP
};

static void note(struct trail *t, const struct volume_ref *ref)
{
    if (t->n < ARRAY_SIZE(t->volume))
        t->volume[t->n++] = (struct trail_volume){.ref = *ref};
}

static void note_set(struct trail *t, const struct op_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        note(t, &set->volume[i]);
}

/* Notes a new volume: the request has its tags, its key among them. */
static void note_new(struct trail *t, const struct volume *v)
{
    const struct volume_ref ref = volume_ref_of(v);
    note(t, &ref);
    memcpy(t->volume[0].key, v->key, sizeof t->volume[0].key);
}

static void note_keys(struct trail *t, struct session *s)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct session_volume *k = session_find(s, &t->volume[i].ref);
        if (k && !t->volume[i].key[0])
            memcpy(t->volume[i].key, k->v.key, sizeof t->volume[i].key);
    }
}

void trail_begin(struct trail *t, struct session *s, enum op op, const void *body)
{
    const struct op_mark *mark = body;
    t->action = actions[op];
    t->n = 0;
    switch (op) {
    case OP_CREATE:
    case OP_REMAKE:
    case OP_ADOPT:
        note_new(t, &((const struct op_create *)body)->volume);
        break;
    case OP_MARK:
        t->action = mark->state == VOLUME_DOOMED ? "doom" : "ready";
        note_set(t, &mark->set);
        break;
    case OP_REMOVE:
        note_set(t, body);
        break;
    default: /* the request is a volume's name, or begins with it */
        if (t->action)
            note(t, body);
    }
    note_keys(t, s);
}

void trail_end(struct trail *t, struct session *s, const struct reply *reply, int result,
               const struct error *e)
{
    const struct audit_who who = {.uid = s->peer.uid, .pid = s->peer.pid};
    note_keys(t, s);
    for (size_t i = 0; t->action && i < t->n; i++) {
        const struct volume_ref *ref = &t->volume[i].ref;
        char volume[VG_NAME_MAX + LV_NAME_MAX], instance[UUID_TEXT];
        if (result == 0 && reply->untouched[i])
            continue;
        snprintf(volume, sizeof volume, "%s/%s", ref->vg, ref->lv);
        volume_ref_instance(ref, instance);
        audit_write(&(struct audit_event){.kind = AUDIT_VOLUME,
                                          .action = t->action,
                                          .instance = instance,
                                          .volume = volume,
                                          .key = t->volume[i].key,
                                          .result = result,
                                          .reason = e->text,
                                          .who = &who});
    }
}

/* trail_begin() reads the name there. */
#define BEGINS_WITH_NAME(request)                                                                            \
    _Static_assert(offsetof(struct request, volume) == 0, "the name of the volume comes first")
BEGINS_WITH_NAME(op_volume);
BEGINS_WITH_NAME(op_open);
BEGINS_WITH_NAME(op_bench);
BEGINS_WITH_NAME(op_resize);
BEGINS_WITH_NAME(op_engine);
BEGINS_WITH_NAME(op_format);
_Static_assert(offsetof(struct op_snapshot, origin) == 0, "the name of the volume comes first");
