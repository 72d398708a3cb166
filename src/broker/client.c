/* SPDX-License-Identifier: Apache-2.0 */
/* The real broker, at the other end of a socket. See client.h and wire.h.
 *
 * It checks what comes back as to its form, although the other end is root: a broker of another version, or
 * one that died, must end in a sentence. The key crosses in memory that is wiped when the answer is there.
 */
#include "broker/client-internal.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/process.h"
#include "broker/wire.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#define JSON_LIMIT         (256U << 20) /* bytes of LVM's report that are read */
#define MAPS_LIMIT         (16U << 20)
#define STRANGERS_LIMIT    (1U << 20)
#define SUSPENDED_LIMIT    (1U << 20)
#define GONE_DEADLINE_MSEC 1000 /* for one that has closed it by itself */
#define ALIVE_MSEC         60000

static const char *const names[OP_COUNT] = {
#define OP(NAME, request, fds, needs_lock, argument) [OP_##NAME] = #NAME,
#include "broker/ops.def"
#undef OP
};

struct remote {
    struct broker base; /* first: a struct broker * is one of these */
    int socket;
    pid_t pid;          /* of the broker if we forked it, else 0 */
    uint64_t last_msec; /* when it was asked last */
    struct error end;   /* why it ended the connection, as it said when nobody was to be told */
    bool left;          /* while it was at work: it answers no more */
    char disks[WIRE_UUIDS][UUID_TEXT]; /* that it has made, and nobody has asked for yet: the first n_disks */
    size_t n_disks;
};

static struct remote *remote_of(struct broker *b)
{
    return (struct remote *)b;
}

/* The connection broke: says why, as far as that can be known. */
static int error_gone(struct remote *b, struct error *e)
{
    if (b->end.errnum)
        return error_pass(e, b->end.errnum, &b->end);
    if (b->pid == 0)
        return error_set(e, -ECONNRESET,
                         "mayfly-broker: ended in the middle of a request; see journalctl -t "
                         "mayfly-broker");
    char text[64] = "did not end";
    int status = process_wait(b->pid, GONE_DEADLINE_MSEC);
    b->pid = 0;
    if (status >= 0)
        process_status_text(status, text, sizeof text);
    return error_set(e, -ECONNRESET, "mayfly-broker: %s in the middle of a request", text);
}

/* Until there is something to receive, or an end. LVM takes as long as its disks do, so we ask every second
 * whether to go on. */
static int wait_for_answer(struct remote *b, enum op op, struct error *e)
{
    struct pollfd p = {.fd = b->socket, .events = POLLIN};
    uint64_t begin = clock_msec();
    for (int r = 0; (r = poll(&p, 1, 1000)) <= 0;) {
        unsigned waited_sec = (unsigned)((clock_msec() - begin) / 1000);
        if (r < 0 && errno != EINTR)
            return error_set(e, errno, "mayfly-broker: cannot be waited for: %m");
        r = b->base.patience ? b->base.patience(b->base.patience_data, names[op], waited_sec) : 0;
        if (r == 0)
            continue;
        b->left = true;
        b->socket = fd_close(b->socket);
        return error_set(
            e, r,
            "mayfly-broker: %s has not ended after %u seconds, and is not waited for any longer; it goes "
            "on to its end, and what it works on stays locked until then; is a disk slow or stuck? see "
            "dmesg, then run mayfly recover",
            names[op], waited_sec);
    }
    return 0;
}

static int receive_answer(struct remote *b, enum op op, struct answer *a, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    int r = wait_for_answer(b, op, e);
    if (r < 0)
        return r;
    r = packet_receive(b->socket, a, sizeof *a, &size, &fd);
    if (r == -ECONNRESET)
        return error_gone(b, e);
    if (r < 0)
        return error_set(e, r, "mayfly-broker: its answer cannot be read: %s", strerror(-r));
    if (size != sizeof *a || a->version != wire_version || a->errnum > 0)
        return error_set(e, -EPROTO,
                         "mayfly-broker: is of another version; install both programs of one version "
                         "of Mayfly");
    a->text[sizeof a->text - 1] = '\0';
    if (a->errnum < 0)
        return error_receive(e, a->errnum, a->text, &a->parts);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* One request and its answer. `ret_fd` NULL: none is expected, else one must come. */
static int call(struct remote *b, enum op op, const void *request, size_t size, int fd, struct answer *a,
                int *ret_fd, struct error *e)
{
    _cleanup_close_ int got = -1;
    if (b->left)
        return error_set(e, -ECONNRESET,
                         "mayfly-broker: is still at work on an earlier request; run mayfly recover later");
    b->last_msec = clock_msec();
    int r = wire_send_request(b->socket, op, request, size, fd);
    if (r == -ECONNRESET) { /* it may have said why before it went */
        r = receive_answer(b, op, a, &got, e);
        return r < 0 ? r : error_gone(b, e);
    }
    if (r < 0)
        return error_set(e, r, "mayfly-broker: cannot be asked: %s", strerror(-r));
    r = receive_answer(b, op, a, &got, e);
    if (r < 0)
        return r;
    if ((got >= 0) != (ret_fd != NULL))
        return error_set(e, -EPROTO, "mayfly-broker: answered with%s a descriptor", ret_fd ? "out" : "");
    if (ret_fd)
        *ret_fd = TAKE_FD(got);
    return 0;
}

/* The same, and hands over a key. */
static int call_with_key(struct remote *b, enum op op, const void *request, size_t size,
                         const struct secret *volume_key, struct answer *a, int *ret_fd, struct error *e)
{
    _cleanup_handover_ struct secret_handover *key = NULL;
    int r = secret_handover(volume_key, &key, e);
    return r < 0 ? r : call(b, op, request, size, secret_handover_fd(key), a, ret_fd, e);
}

static struct volume_ref ref_of(const struct volume *v)
{
    struct volume_ref ref;
    memcpy(ref.vg, v->vg, sizeof ref.vg);
    memcpy(ref.lv, v->lv, sizeof ref.lv);
    return ref;
}

/* ------------------------------------------------------------------ methods */

/* Asks for a file; the caller frees what was in it. */
static int call_for_file(struct remote *b, enum op op, const void *request, size_t size, size_t limit,
                         struct answer *a, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = call(b, op, request, size, -1, a, &fd, e);
    if (r < 0)
        return r;
    r = fd_read_text(fd, limit, ret, ret_size);
    return r < 0 ? error_set(e, r, "mayfly-broker: its answer cannot be read: %s", strerror(-r)) : 0;
}

/* Is `text` a whole number of maps, with ends to their names? */
static int check_maps(const char *text, size_t size, struct error *e)
{
    bool good = size % sizeof(struct map) == 0;
    const struct map *maps = (const struct map *)(const void *)text;
    for (size_t i = 0; good && i < size / sizeof *maps; i++)
        good = memchr(maps[i].name, '\0', sizeof maps[i].name) &&
               memchr(maps[i].uuid, '\0', sizeof maps[i].uuid);
    return good ? 0 : error_set(e, -EPROTO, "mayfly-broker: its list of maps is malformed");
}

static int remote_maps(struct remote *b, struct map **ret, size_t *ret_n, uint32_t *ret_crypt_version,
                       struct error *e)
{
    static const struct op_none none;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    struct answer a;
    int r = call_for_file(b, OP_MAPS, &none, sizeof none, MAPS_LIMIT, &a, &text, &size, e);
    if (r == 0)
        r = check_maps(text, size, e);
    if (r < 0)
        return r;
    *ret_n = size / sizeof **ret;
    *ret = (struct map *)(void *)TAKE_PTR(text);
    *ret_crypt_version = a.crypt_version;
    return 0;
}

static int remote_list_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e)
{
    uint32_t crypt_version = 0;
    return remote_maps(remote_of(b), ret, ret_n, &crypt_version, e);
}

static int remote_list(struct broker *base, struct inventory **ret, struct error *e)
{
    static const struct op_none none;
    struct remote *b = remote_of(base);
    _cleanup_free_ char *json = NULL;
    _cleanup_free_ struct map *maps = NULL;
    size_t json_size = 0, n_maps = 0;
    uint32_t crypt_version = 0;
    struct answer a;

    int r = call_for_file(b, OP_LIST, &none, sizeof none, JSON_LIMIT, &a, &json, &json_size, e);
    if (r == 0)
        r = remote_maps(b, &maps, &n_maps, &crypt_version, e);
    if (r == 0)
        r = inventory_parse(json, json_size, maps, n_maps, ret, e);
    if (r == 0)
        (*ret)->crypt_version = crypt_version;
    return r;
}

static int remote_lock(struct broker *b, const char *uuid, struct error *e)
{
    struct op_lock request = {0};
    struct answer a;
    int r = str_copy(request.uuid, sizeof request.uuid, uuid);
    if (r < 0)
        return error_set(e, -EINVAL, "lock: '%s' is no uuid", uuid);
    (void)!str_copy(request.verb, sizeof request.verb, b->verb ? b->verb : "");
    return call(remote_of(b), OP_LOCK, &request, sizeof request, -1, &a, NULL, e);
}

static int remote_sync_domains(struct broker *b, struct error *e)
{
    static const struct op_none none;
    struct answer a;
    return call(remote_of(b), OP_SYNC_DOMAINS, &none, sizeof none, -1, &a, NULL, e);
}

static void remote_unlock(struct broker *b, const char *uuid)
{
    struct op_unlock request = {0};
    struct answer a;
    if (str_copy(request.uuid, sizeof request.uuid, uuid) == 0)
        (void)!call(remote_of(b), OP_UNLOCK, &request, sizeof request, -1, &a, NULL, NULL);
}

static void remote_alive(struct broker *base)
{
    static const struct op_none none;
    struct remote *b = remote_of(base);
    struct answer a;
    struct error why = ERROR_NONE;
    if (clock_msec() - b->last_msec < ALIVE_MSEC ||
        call(b, OP_ALIVE, &none, sizeof none, -1, &a, NULL, &why) == 0)
        return;
    if (!b->end.errnum)
        b->end = why;
}

static void ask_for_uuids(struct remote *b)
{
    static const struct op_none none;
    struct answer a;
    if (call(b, OP_DISK_UUIDS, &none, sizeof none, -1, &a, NULL, NULL) < 0)
        return;
    for (size_t i = 0; i < WIRE_UUIDS; i++)
        if (memchr(a.disks[i], '\0', UUID_TEXT) && uuid_valid(a.disks[i]))
            memcpy(b->disks[b->n_disks++], a.disks[i], UUID_TEXT);
}

static void remote_disk_uuid(struct broker *base, char ret_uuid[UUID_TEXT])
{
    struct remote *b = remote_of(base);
    if (b->n_disks == 0)
        ask_for_uuids(b);
    if (b->n_disks)
        memcpy(ret_uuid, b->disks[--b->n_disks], UUID_TEXT);
    else
        uuid_make(ret_uuid);
}

static int remote_create(struct broker *b, struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    struct answer a;
    int r = call(remote_of(b), OP_CREATE, &request, sizeof request, -1, &a, NULL, e);
    if (r < 0)
        return r;
    v->size_bytes = a.size_bytes;
    return 0;
}

static int remote_snapshot(struct broker *b, const struct volume *origin, const struct secret *volume_key,
                           const char *disk, uint64_t room_bytes, struct error *e)
{
    struct op_snapshot request = {.origin = ref_of(origin), .room_bytes = room_bytes};
    struct answer a;
    int r = str_copy(request.disk, sizeof request.disk, disk);
    if (r < 0)
        return error_set(e, -EINVAL, "snapshot: '%s' is no uuid", disk);
    return call_with_key(remote_of(b), OP_SNAPSHOT, &request, sizeof request, volume_key, &a, NULL, e);
}

static int open_plain(struct remote *b, const struct volume *v, int *ret_fd, struct error *e)
{
    struct op_volume request = {.volume = ref_of(v)};
    struct answer a;
    return call(b, OP_OPEN_PLAIN, &request, sizeof request, -1, &a, ret_fd, e);
}

static int remote_open(struct broker *base, const struct volume *v, const struct secret *volume_key,
                       enum map_use use, enum settle settle, struct opened *ret, struct error *e)
{
    struct remote *b = remote_of(base);
    struct op_open request = {.volume = ref_of(v), .use = (uint8_t)use, .settle = (uint8_t)settle};
    struct answer a;
    int fd = -1;

    int r = volume_key ? call_with_key(b, OP_OPEN, &request, sizeof request, volume_key, &a, &fd, e)
                       : open_plain(b, v, &fd, e);
    if (r == 0)
        *ret = (struct opened){.fd = fd};
    return r;
}

static int remote_settle(struct broker *b, const char *instance, struct error *e)
{
    struct op_settle request = {.instance = ""};
    struct answer a;
    if (instance && str_copy(request.instance, sizeof request.instance, instance) < 0)
        return error_set(e, -EINVAL, "settle: '%s' is no uuid", instance);
    return call(remote_of(b), OP_SETTLE, &request, sizeof request, -1, &a, NULL, e);
}

static int remote_tune(struct broker *b, const struct volume *v, const struct secret *volume_key,
                       bool *ret_changed, struct error *e)
{
    struct op_volume request = {.volume = ref_of(v)};
    struct answer a;
    int r = call_with_key(remote_of(b), OP_TUNE, &request, sizeof request, volume_key, &a, NULL, e);
    if (r == 0)
        *ret_changed = a.changed != 0;
    return r;
}

static int remote_bench(struct broker *b, const struct volume *v, const struct secret *volume_key,
                        enum bench_table table, int *ret_fd, struct error *e)
{
    struct op_bench request = {.volume = ref_of(v), .table = table};
    struct answer a;
    return call_with_key(remote_of(b), OP_BENCH, &request, sizeof request, volume_key, &a, ret_fd, e);
}

static int remote_remake(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    struct answer a;
    return call(remote_of(b), OP_REMAKE, &request, sizeof request, -1, &a, NULL, e);
}

static int remote_resize(struct broker *b, const struct volume *v, uint64_t size_bytes, struct error *e)
{
    struct op_resize request = {.volume = ref_of(v), .size_bytes = size_bytes};
    struct answer a;
    return call(remote_of(b), OP_RESIZE, &request, sizeof request, -1, &a, NULL, e);
}

/* Is `text` a whole number of volumes, with ends to their names? */
static int check_suspended(const char *text, size_t size, struct error *e)
{
    bool good = size % sizeof(struct suspended) == 0;
    const struct suspended *v = (const struct suspended *)(const void *)text;
    for (size_t i = 0; good && i < size / sizeof *v; i++)
        good = memchr(v[i].vg, '\0', sizeof v[i].vg) && memchr(v[i].lv, '\0', sizeof v[i].lv);
    return good ? 0 : error_set(e, -EPROTO, "mayfly-broker: its list of suspended volumes is malformed");
}

static int remote_suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e)
{
    static const struct op_none none;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    struct answer a;
    int r =
        call_for_file(remote_of(b), OP_SUSPENDED, &none, sizeof none, SUSPENDED_LIMIT, &a, &text, &size, e);
    if (r == 0)
        r = check_suspended(text, size, e);
    if (r < 0)
        return r;
    *ret_n = size / sizeof **ret;
    *ret = (struct suspended *)(void *)TAKE_PTR(text);
    return 0;
}

static int remote_resume(struct broker *b, const struct suspended *v, struct error *e)
{
    struct op_volume request = {0};
    struct answer a;
    memcpy(request.volume.vg, v->vg, sizeof request.volume.vg);
    memcpy(request.volume.lv, v->lv, sizeof request.volume.lv);
    return call(remote_of(b), OP_RESUME, &request, sizeof request, -1, &a, NULL, e);
}

static int remote_close(struct broker *b, const struct volume *v, enum map_use up_to, enum settle settle,
                        bool *ret_closed, struct error *e)
{
    struct op_close request = {.volume = ref_of(v), .up_to = (uint8_t)up_to, .settle = (uint8_t)settle};
    struct answer a;
    int r = call(remote_of(b), OP_CLOSE, &request, sizeof request, -1, &a, NULL, e);
    if (r == 0)
        *ret_closed = a.changed != 0;
    return r;
}

static int remote_format(struct broker *b, const struct volume *v, const char *fs, const char *label,
                         struct error *e)
{
    struct op_format request = {.volume = ref_of(v)};
    struct answer a;
    if (str_copy(request.fs, sizeof request.fs, fs) < 0)
        return error_set(e, -EINVAL, "file system: there is no '%s'", fs);
    if (str_copy(request.label, sizeof request.label, label) < 0)
        return error_set(e, -EINVAL, "label '%s': is too long; %zu characters at most", label,
                         sizeof request.label - 1);
    return call(remote_of(b), OP_FORMAT, &request, sizeof request, -1, &a, NULL, e);
}

/* The next packetful of the `n` volumes from `done` on. */
static struct op_set next_set(const struct volume *const v[], size_t n, size_t done)
{
    struct op_set set = {0};
    while (set.n < WIRE_VOLUMES_MAX && done + set.n < n) {
        set.volume[set.n] = ref_of(v[done + set.n]);
        set.n++;
    }
    return set;
}

static int remote_mark(struct broker *b, const struct volume *const v[], size_t n, enum volume_state state,
                       struct error *e)
{
    struct answer a;
    int r = 0;
    for (size_t done = 0; r == 0 && done < n; done += WIRE_VOLUMES_MAX) {
        struct op_mark request = {.state = state, .set = next_set(v, n, done)};
        r = call(remote_of(b), OP_MARK, &request, sizeof request, -1, &a, NULL, e);
    }
    return r;
}

static int remote_remove(struct broker *b, const struct volume *const v[], size_t n, struct error *e)
{
    struct answer a;
    int r = 0;
    for (size_t done = 0; r == 0 && done < n; done += WIRE_VOLUMES_MAX) {
        struct op_set request = next_set(v, n, done);
        r = call(remote_of(b), OP_REMOVE, &request, sizeof request, -1, &a, NULL, e);
    }
    return r;
}

/* Is `text` a whole number of volumes, with ends to their names? */
static int check_strangers(const char *text, size_t size, struct error *e)
{
    bool good = size % sizeof(struct volume) == 0;
    const struct volume *v = (const struct volume *)(const void *)text;
    for (size_t i = 0; good && i < size / sizeof *v; i++)
        good = memchr(v[i].vg, '\0', sizeof v[i].vg) && memchr(v[i].lv, '\0', sizeof v[i].lv);
    return good ? 0 : error_set(e, -EPROTO, "mayfly-broker: its list of volumes is malformed");
}

static int remote_strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret,
                            size_t *ret_n, struct error *e)
{
    struct op_volume request = {0};
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    struct answer a;
    snprintf(request.volume.vg, sizeof request.volume.vg, "%.63s", vg);
    snprintf(request.volume.lv, sizeof request.volume.lv, "%.36s_disk", uuid);
    int r = call_for_file(remote_of(b), OP_STRANGERS, &request, sizeof request, STRANGERS_LIMIT, &a, &text,
                          &size, e);
    if (r == 0)
        r = check_strangers(text, size, e);
    if (r < 0)
        return r;
    *ret_n = size / sizeof **ret;
    *ret = (struct volume *)(void *)TAKE_PTR(text);
    return 0;
}

static int remote_try(struct broker *b, const struct volume *v, const struct secret *volume_key,
                      bool *ret_shows, struct error *e)
{
    struct op_create request = {.volume = *v};
    struct answer a;
    int r = call_with_key(remote_of(b), OP_TRY, &request, sizeof request, volume_key, &a, NULL, e);
    if (r == 0)
        *ret_shows = a.shows != 0;
    return r;
}

static int remote_adopt(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_create request = {.volume = *v};
    struct answer a;
    return call(remote_of(b), OP_ADOPT, &request, sizeof request, -1, &a, NULL, e);
}

static int remote_release(struct broker *b, const struct volume *v, struct error *e)
{
    struct op_volume request = {.volume = ref_of(v)};
    struct answer a;
    return call(remote_of(b), OP_RELEASE, &request, sizeof request, -1, &a, NULL, e);
}

static void remote_disconnect(struct broker *base)
{
    struct remote *b = remote_of(base);
    fd_close(b->socket);
    if (b->pid && !b->left) /* else it ends by itself, when LVM has */
        process_await(b->pid, CLIENT_END_DEADLINE_MSEC);
    free(b);
}

static const struct broker_ops remote_ops = {
    .list = remote_list,
    .maps = remote_list_maps,
    .lock = remote_lock,
    .sync_domains = remote_sync_domains,
    .unlock = remote_unlock,
    .alive = remote_alive,
    .disk_uuid = remote_disk_uuid,
    .create = remote_create,
    .snapshot = remote_snapshot,
    .open = remote_open,
    .settle = remote_settle,
    .tune = remote_tune,
    .bench = remote_bench,
    .remake = remote_remake,
    .resize = remote_resize,
    .suspended = remote_suspended,
    .resume = remote_resume,
    .close = remote_close,
    .format = remote_format,
    .mark = remote_mark,
    .remove = remote_remove,
    .strangers = remote_strangers,
    .try = remote_try,
    .adopt = remote_adopt,
    .release = remote_release,
    .disconnect = remote_disconnect,
};

int client_new(int *socket, pid_t pid, struct broker **ret, struct error *e)
{
    struct remote *b = malloc(sizeof *b);
    if (!b)
        return error_memory(e);
    *b = (struct remote){.base.ops = &remote_ops, .socket = TAKE_FD(*socket), .pid = pid};
    *ret = &b->base;
    return 0;
}
