/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of a broker, whichever it is: see client.h. */
#include "broker/client.h"

struct broker *broker_disconnect(struct broker *b)
{
    if (b)
        b->ops->disconnect(b);
    return NULL;
}

int broker_list(struct broker *b, struct inventory **ret, struct error *e)
{
    return b->ops->list(b, ret, e);
}

int broker_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e)
{
    return b->ops->maps(b, ret, ret_n, e);
}

int broker_lock(struct broker *b, const char *uuid, struct error *e)
{
    return b->ops->lock(b, uuid, e);
}

int broker_sync_domains(struct broker *b, struct error *e)
{
    return b->ops->sync_domains(b, e);
}

void broker_unlock(struct broker *b, const char *uuid)
{
    b->ops->unlock(b, uuid);
}

void broker_alive(struct broker *b)
{
    b->ops->alive(b);
}

void broker_disk_uuid(struct broker *b, char ret_uuid[UUID_TEXT])
{
    b->ops->disk_uuid(b, ret_uuid);
}

int broker_create(struct broker *b, struct volume *v, struct error *e)
{
    return b->ops->create(b, v, e);
}

int broker_snapshot(struct broker *b, const struct volume *origin, const struct secret *volume_key,
                    const char *disk, uint64_t room_bytes, struct error *e)
{
    return b->ops->snapshot(b, origin, volume_key, disk, room_bytes, e);
}

int broker_open(struct broker *b, const struct volume *v, const struct secret *volume_key, enum map_use use,
                enum settle settle, struct opened *ret, struct error *e)
{
    return b->ops->open(b, v, volume_key, use, settle, ret, e);
}

int broker_settle(struct broker *b, const char *instance, struct error *e)
{
    return b->ops->settle(b, instance, e);
}

int broker_tune(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_changed,
                struct error *e)
{
    return b->ops->tune(b, v, volume_key, ret_changed, e);
}

int broker_bench(struct broker *b, const struct volume *v, const struct secret *volume_key,
                 enum bench_table table, int *ret_fd, struct error *e)
{
    return b->ops->bench(b, v, volume_key, table, ret_fd, e);
}

int broker_remake(struct broker *b, const struct volume *v, struct error *e)
{
    return b->ops->remake(b, v, e);
}

int broker_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    return b->ops->resize(b, v, size_bytes, e);
}

int broker_suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e)
{
    return b->ops->suspended(b, ret, ret_n, e);
}

int broker_resume(struct broker *b, const struct suspended *v, struct error *e)
{
    return b->ops->resume(b, v, e);
}

int broker_close(struct broker *b, const struct volume *v, enum settle settle, struct error *e)
{
    bool closed = false;
    return b->ops->close(b, v, MAP_READ_ONLY, settle, &closed, e);
}

int broker_close_up_to(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
                       bool *ret_closed, struct error *e)
{
    return b->ops->close(b, v, up_to, settle, ret_closed, e);
}

int broker_format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                  struct error *e)
{
    return b->ops->format(b, v, fs, label, e);
}

int broker_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                struct error *e)
{
    return b->ops->mark(b, v, n, state, e);
}

int broker_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    return b->ops->remove(b, v, n, e);
}

int broker_strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret, size_t *ret_n,
                     struct error *e)
{
    return b->ops->strangers(b, vg, uuid, ret, ret_n, e);
}

int broker_try(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_shows,
               struct error *e)
{
    return b->ops->try(b, v, volume_key, ret_shows, e);
}

int broker_adopt(struct broker *b, const struct volume *v, struct error *e)
{
    return b->ops->adopt(b, v, e);
}

int broker_release(struct broker *b, const struct volume *v, struct error *e)
{
    return b->ops->release(b, v, e);
}
