/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the real broker, at the other end of a socket. See methods.def for what each does, and
 * client-arrays.c for those whose answer is a file. */
#include "broker/client-call.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"

#define ALIVE_MSEC 60000 /* the broker is told at most so often that we are alive */

static const struct op_none none;

/* ------------------------------------------------------- locks, uuids, looks */

int remote_lock(struct broker *b, const char *uuid, struct error *e)
{
    struct op_lock request = {0};
    if (str_copy(request.uuid, sizeof request.uuid, uuid) < 0)
        return error_set(e, -EINVAL, "lock: '%s' is not a uuid", uuid);
    (void)!str_copy(request.verb, sizeof request.verb, b->verb ? b->verb : "");
    return ask_LOCK(remote_of(b), &request, NULL, e);
}

void remote_unlock(struct broker *b, const char *uuid)
{
    struct op_unlock request = {0};
    if (str_copy(request.uuid, sizeof request.uuid, uuid) == 0)
        (void)!ask_UNLOCK(remote_of(b), &request, NULL, NULL);
}

void remote_alive(struct broker *base)
{
    struct remote *b = remote_of(base);
    struct error why = ERROR_NONE;
    if (clock_msec() - b->last_msec < ALIVE_MSEC || ask_ALIVE(b, &none, NULL, &why) == 0)
        return;
    if (!b->closing.errnum)
        b->closing = why;
}

int remote_sync_domains(struct broker *b, struct error *e)
{
    return ask_SYNC_DOMAINS(remote_of(b), &none, NULL, e);
}

static void ask_for_disk_uuids(struct remote *b)
{
    struct remote_reply reply;
    if (ask_DISK_UUIDS(b, &none, &reply, NULL) < 0)
        return;
    for (size_t i = 0; i < WIRE_UUIDS; i++)
        if (memchr(reply.a.disks[i], '\0', UUID_TEXT) && uuid_valid(reply.a.disks[i]))
            memcpy(b->disks[b->n_disks++], reply.a.disks[i], UUID_TEXT);
}

void remote_disk_uuid(struct broker *base, char ret_uuid[UUID_TEXT])
{
    struct remote *b = remote_of(base);
    if (b->n_disks == 0)
        ask_for_disk_uuids(b);
    if (b->n_disks)
        memcpy(ret_uuid, b->disks[--b->n_disks], UUID_TEXT);
    else
        uuid_make(ret_uuid);
}

/* ------------------------------------------------------------------- volumes */

int remote_create(struct broker *b, struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    struct remote_reply reply;
    int r = ask_CREATE(remote_of(b), &request, &reply, e);
    if (r == 0)
        v->size_bytes = reply.a.size_bytes;
    return r;
}

int remote_snapshot(struct broker *b, const struct volume *origin, const struct secret *volume_key,
                    const char *disk, uint64_t room_bytes, struct error *e)
{
    struct op_snapshot request = {.origin = volume_ref_of(origin), .room_bytes = room_bytes};
    if (str_copy(request.disk, sizeof request.disk, disk) < 0)
        return error_set(e, -EINVAL, "snapshot: '%s' is not a uuid", disk);
    return ask_SNAPSHOT(remote_of(b), &request, volume_key, NULL, e);
}

int remote_remake(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    return ask_REMAKE(remote_of(b), &request, NULL, e);
}

int remote_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    struct op_resize request = {.volume = volume_ref_of(v), .size_bytes = size_bytes};
    return ask_RESIZE(remote_of(b), &request, NULL, e);
}

int remote_set_engine(struct broker *b, const struct volume *v, enum volume_engine engine, struct error *e)
{
    struct op_engine request = {.volume = volume_ref_of(v), .engine = engine};
    return ask_ENGINE(remote_of(b), &request, NULL, e);
}

int remote_resume(struct broker *b, const struct suspended *v, struct error *e)
{
    struct op_volume request = {0};
    memcpy(request.volume.vg, v->vg, sizeof request.volume.vg);
    memcpy(request.volume.lv, v->lv, sizeof request.volume.lv);
    return ask_RESUME(remote_of(b), &request, NULL, e);
}

int remote_format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                  struct error *e)
{
    struct op_format request = {.volume = volume_ref_of(v)};
    if (volume_served(v))
        return remote_format_served(remote_of(b), v, fs, label, e);
    if (str_copy(request.fs, sizeof request.fs, fs) < 0)
        return error_set(e, -EINVAL, "file system '%s': is unknown", fs);
    if (str_copy(request.label, sizeof request.label, label) < 0)
        return error_set(e, -EINVAL, "label '%s': is too long; %zu characters at most", label,
                         sizeof request.label - 1);
    return ask_FORMAT(remote_of(b), &request, NULL, e);
}

/* Takes the next packetful of the `n` volumes from `done` on. */
static struct op_set next_set(const struct volume *const v[], size_t n, size_t done)
{
    struct op_set set = {0};
    while (set.n < WIRE_VOLUMES_MAX && done + set.n < n) {
        set.volume[set.n] = volume_ref_of(v[done + set.n]);
        set.n++;
    }
    return set;
}

int remote_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                struct error *e)
{
    int r = 0;
    for (size_t done = 0; r == 0 && done < n; done += WIRE_VOLUMES_MAX) {
        struct op_mark request = {.state = state, .set = next_set(v, n, done)};
        r = ask_MARK(remote_of(b), &request, NULL, e);
    }
    return r;
}

int remote_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    int r = 0;
    for (size_t done = 0; r == 0 && done < n; done += WIRE_VOLUMES_MAX) {
        struct op_set request = next_set(v, n, done);
        r = ask_REMOVE(remote_of(b), &request, NULL, e);
    }
    for (size_t i = 0; r == 0 && i < n; i++)
        remote_clean_served(remote_of(b), v[i]);
    return r;
}

/* ---------------------------------------------------------------------- maps */

int remote_open(struct broker *base, const struct volume *v, const struct secret *volume_key,
                enum map_use use, enum settle settle, struct opened *ret, struct error *e)
{
    struct remote *b = remote_of(base);
    if (volume_key && map_use_serves(use, v))
        return remote_open_served(b, v, volume_key, use, ret, e);
    struct op_open request = {.volume = volume_ref_of(v), .use = (uint8_t)use, .settle = (uint8_t)settle};
    struct op_volume plain = {.volume = volume_ref_of(v)};
    struct remote_reply reply;
    int r = volume_key ? ask_OPEN(b, &request, volume_key, &reply, e) : ask_OPEN_PLAIN(b, &plain, &reply, e);
    if (r == 0)
        *ret = (struct opened){.fd = reply.fd};
    return r;
}

int remote_settle(struct broker *b, const char *instance, struct error *e)
{
    struct op_settle request = {.instance = ""};
    if (instance && str_copy(request.instance, sizeof request.instance, instance) < 0)
        return error_set(e, -EINVAL, "settle: '%s' is not a uuid", instance);
    return ask_SETTLE(remote_of(b), &request, NULL, e);
}

int remote_tune(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_changed,
                struct error *e)
{
    struct op_volume request = {.volume = volume_ref_of(v)};
    struct remote_reply reply;
    int r = ask_TUNE(remote_of(b), &request, volume_key, &reply, e);
    if (r == 0)
        *ret_changed = reply.a.changed != 0;
    return r;
}

int remote_bench(struct broker *b, const struct volume *v, const struct secret *volume_key,
                 enum bench_table table, int *ret_fd, struct error *e)
{
    struct op_bench request = {.volume = volume_ref_of(v), .table = table};
    struct remote_reply reply;
    int r = ask_BENCH(remote_of(b), &request, volume_key, &reply, e);
    if (r == 0)
        *ret_fd = reply.fd;
    return r;
}

int remote_close_up_to(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
                       bool *ret_closed, struct error *e)
{
    struct op_close request = {
        .volume = volume_ref_of(v), .up_to = (uint8_t)up_to, .settle = (uint8_t)settle};
    struct remote_reply reply;
    bool served = false;
    int r = remote_close_served(remote_of(b), v, up_to, &served, ret_closed, e);
    if (r < 0 || served)
        return r;
    r = ask_CLOSE(remote_of(b), &request, &reply, e);
    if (r == 0)
        *ret_closed = reply.a.changed != 0;
    return r;
}

/* ------------------------------------------------------------------ adoption */

int remote_try(struct broker *b, const struct volume *v, const struct secret *volume_key, bool *ret_shows,
               struct error *e)
{
    struct op_create request = {.volume = *v};
    struct remote_reply reply;
    int r = ask_TRY(remote_of(b), &request, volume_key, &reply, e);
    if (r == 0)
        *ret_shows = reply.a.shows != 0;
    return r;
}

int remote_adopt(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    return ask_ADOPT(remote_of(b), &request, NULL, e);
}

int remote_release(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_volume request = {.volume = volume_ref_of(v)};
    return ask_RELEASE(remote_of(b), &request, NULL, e);
}

/* ------------------------------------------------------------- begin and end */

static void remote_disconnect(struct broker *base)
{
    struct remote *b = remote_of(base);
    fd_close(b->socket);
    remote_forget_keys(b);
    if (b->pid && !b->abandoned) /* an abandoned one ends by itself, when LVM has */
        process_await(b->pid, REMOTE_END_DEADLINE_MSEC);
    free(b);
}

static const struct broker_ops remote_ops = {
#define METHOD(name, parameters, arguments) .name = remote_##name,
#define NOTICE(name, parameters, arguments) .name = remote_##name,
#include "broker/methods.def"
#undef METHOD
#undef NOTICE
    .disconnect = remote_disconnect,
};

int remote_new(int *socket, pid_t pid, struct broker **ret, struct error *e)
{
    struct remote *b = malloc(sizeof *b);
    if (!b)
        return error_memory(e);
    *b = (struct remote){.base.ops = &remote_ops, .socket = TAKE_FD(*socket), .pid = pid};
    *ret = &b->base;
    return 0;
}
