/* SPDX-License-Identifier: Apache-2.0 */
/* See engine.h. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/fd.h"
#include "engine/engine-internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LET_GO_MSEC 5000 /* limit for the worker to notice that QEMU has ended */
#define POLL_MSEC   20
#define BACKLOG     4

static void name_file(const struct volume *v, const char *suffix, char file[KEEPER_NAME_MAX])
{
    snprintf(file, KEEPER_NAME_MAX, "%.63s%s", v->lv, suffix);
}

static void remove_files(int folder, const struct volume *v)
{
    static const char *const suffixes[] = {"", KEEPER_SUFFIX, LOG_SUFFIX};
    char file[KEEPER_NAME_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        name_file(v, suffixes[i], file);
        unlinkat(folder, file, 0);
    }
}

/* Looks for the keeper of a disk. No other mayfly starts or ends it until *ret_lock is closed. */
static int look_locked(const struct sockets *sockets, const struct volume *v, int *ret_folder, int *ret_lock,
                       struct keeper_seen *ret, struct error *e)
{
    char file[KEEPER_NAME_MAX];
    name_file(v, KEEPER_SUFFIX, file);
    int r = engine_folder_locked(sockets, v->instance, ret_folder, ret_lock, e);
    return r < 0 ? r : keeper_look(*ret_folder, file, O_RDWR, ret, e);
}

/* ------------------------------------------------------------------- opening */

/* True if the guest only reads the disk. libvirt takes no <readonly/> for a disk on a socket, so the keeper
 * makes a seed read-only. */
static bool guest_reads_only(const struct volume *v, enum map_use use)
{
    return map_use_reads_only(use, v) || volume_is_seed(v);
}

/* Finds the size of a file or a device. */
static uint64_t size_of(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    return end < 0 ? 0 : (uint64_t)end;
}

static void describe_state(const struct volume *v, int disk_fd, enum map_use use, struct state *ret)
{
    *ret = (struct state){.magic = STATE_MAGIC,
                          .size_bytes = size_of(disk_fd),
                          .gone_msec = ENGINE_GONE_MSEC,
                          .read_only = map_use_reads_only(use, v)};
    map_uuid_make(v->disk, use, ret->map);
    if (use == MAP_FOR_START)
        ret->until_msec = clock_msec() + (uint64_t)START_WITHIN_SEC * 1000;
    else if (use >= MAP_TO_STAY)
        ret->until_msec = STATE_FOREVER;
}

static int listen_on(const char path[ENGINE_PATH_MAX], const struct volume *v, int *ret, struct error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, sizeof a.sun_path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, BACKLOG) < 0)
        return error_set(e, errno, "disk %s: its socket %s cannot be made: %m", v->lv, path);
    *ret = TAKE_FD(fd);
    return 0;
}

static int new_file(int folder, const struct volume *v, const char *suffix, int flags)
{
    char file[KEEPER_NAME_MAX];
    name_file(v, suffix, file);
    int fd = openat(folder, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
    return fd < 0 ? -errno : fd;
}

static int open_log(int folder, const struct volume *v, int *ret, struct error *e)
{
    *ret = new_file(folder, v, LOG_SUFFIX, O_APPEND);
    return *ret < 0 ? error_set(e, *ret, "disk %s: the log of its keeper cannot be made: %s", v->lv,
                                strerror(-*ret))
                    : 0;
}

static int write_new_state(int folder, const struct volume *v, int disk_fd, enum map_use use, int *ret,
                           struct error *e)
{
    struct state s;
    describe_state(v, disk_fd, use, &s);
    _cleanup_close_ int fd = new_file(folder, v, KEEPER_SUFFIX, 0);
    int r = fd < 0 ? fd : state_write(fd, &s);
    if (r == 0)
        r = state_set_connections(fd, 0);
    if (r == 0 && ftruncate(fd, sizeof s) < 0)
        r = -errno;
    if (r < 0)
        return error_set(e, r, "disk %s: the state of its keeper cannot be written: %s", v->lv, strerror(-r));
    *ret = TAKE_FD(fd);
    return 0;
}

/* Lets QEMU's group, which the folder has, connect to the socket, and everybody read the state. The keeper
 * has locked it by now, which a reader's lock would have hindered. */
static int share_files(int folder, const struct volume *v, struct error *e)
{
    char socket_name[KEEPER_NAME_MAX], state_name[KEEPER_NAME_MAX];
    name_file(v, "", socket_name);
    name_file(v, KEEPER_SUFFIX, state_name);
    return fchmodat(folder, socket_name, 0660, 0) < 0 || fchmodat(folder, state_name, 0644, 0) < 0
               ? error_set(e, -errno, "disk %s: its socket cannot be opened to QEMU: %m", v->lv)
               : 0;
}

static int open_new(const struct engine *g, int folder, const struct volume *v, int disk_fd,
                    const struct secret *volume_key, enum map_use use, struct error *e)
{
    _cleanup_close_ int socket_fd = -1, state_fd = -1, log_fd = -1;
    char path[ENGINE_PATH_MAX];
    remove_files(folder, v);
    int r = engine_socket_path(&g->sockets, v, path, e);
    if (r == 0)
        r = write_new_state(folder, v, disk_fd, use, &state_fd, e);
    if (r == 0)
        r = listen_on(path, v, &socket_fd, e);
    if (r == 0)
        r = open_log(folder, v, &log_fd, e);
    const struct keeper_files files = {disk_fd, socket_fd, state_fd, log_fd};
    const struct keeper_limits limits = {.read_only = guest_reads_only(v, use), .discard = g->discard};
    if (r == 0)
        r = keeper_start(v, &files, volume_key, limits, e);
    if (r < 0)
        remove_files(folder, v);
    return r < 0 || !g->sockets.of_host ? r : share_files(folder, v, e);
}

int engine_open(const struct engine *g, const struct volume *v, int fd, const struct secret *volume_key,
                enum map_use use, struct error *e)
{
    _cleanup_close_ int folder = -1, lock = -1;
    _cleanup_keeper_ struct keeper_seen k = {.state_fd = -1};
    int r = look_locked(&g->sockets, v, &folder, &lock, &k, e);
    if (r < 0)
        return r;
    return k.pid
               ? error_set(e, -EEXIST, "disk %s: is open already; run mayfly close, or stop its guest", v->lv)
               : open_new(g, folder, v, fd, volume_key, use, e);
}

int engine_grow(const struct engine *g, const struct volume *v, struct error *e)
{
    _cleanup_close_ int folder = -1, lock = -1;
    _cleanup_keeper_ struct keeper_seen k = {.state_fd = -1};
    int r = look_locked(&g->sockets, v, &folder, &lock, &k, e);
    if (r < 0)
        return r;
    k.state.size_bytes = v->size_bytes;
    r = k.pid ? state_write(k.state_fd, &k.state) : -ESRCH;
    if (r == 0)
        r = keeper_signal(&k, SIGHUP, NULL);
    if (r == -ESRCH)
        return error_set(e, -ENOENT, "disk %s: is not open", v->lv);
    return r < 0
               ? error_set(e, r, "disk %s: cannot notify the guest of its new size: %s", v->lv, strerror(-r))
               : 0;
}

/* ------------------------------------------------------------------- looking */

static int by_uuid(const void *a, const void *b)
{
    return strcmp(((const struct map *)a)->uuid, ((const struct map *)b)->uuid);
}

static void fill_map(const struct keeper_seen *k, const char *file, struct map *ret)
{
    struct volume named = {.vg = ""};
    snprintf(named.lv, sizeof named.lv, "%.*s", (int)(strlen(file) - strlen(KEEPER_SUFFIX)), file);
    *ret = (struct map){.size_bytes = k->state.size_bytes,
                        .open_count = (int32_t)k->state.connections,
                        .read_only = k->state.read_only,
                        .served = 1};
    volume_map_name(&named, ret->name);
    snprintf(ret->uuid, sizeof ret->uuid, "%s", k->state.map);
}

/* Leaves out the state that a mayfly which was killed has shown to nobody yet: the disk is held all the same,
 * so that nobody else opens or removes it. */
static int add_map(const struct sockets *s, int folder, const char *file, struct map **maps, size_t *n,
                   struct error *e)
{
    _cleanup_keeper_ struct keeper_seen k = {.state_fd = -1};
    struct error why = ERROR_NONE;
    if (!str_ends(file, KEEPER_SUFFIX) || strlen(file) >= KEEPER_NAME_MAX)
        return 0;
    int r = keeper_look(folder, file, O_RDONLY, &k, &why);
    if (r < 0)
        return r == -EACCES && s->of_host ? 0 : error_pass(e, r, &why);
    if (!k.pid)
        return 0;
    struct map *bigger = reallocarray(*maps, *n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    *maps = bigger;
    fill_map(&k, file, &bigger[(*n)++]);
    return 0;
}

int engine_maps(const struct engine *g, struct map **ret, size_t *ret_n, struct error *e)
{
    _cleanup_free_ struct map *maps = NULL;
    struct error why = ERROR_NONE;
    size_t n = 0;
    int folder = -1;
    *ret = NULL;
    *ret_n = 0;
    int r = engine_folder(&g->sockets, &folder, &why);
    if (r < 0) /* none: nobody has served a disk on this host yet */
        return r == -ENOENT && g->sockets.of_host ? 0 : error_pass(e, r, &why);
    _cleanup_closedir_ DIR *d = fdopendir(folder);
    if (!d) {
        fd_close(folder);
        return error_memory(e);
    }
    for (struct dirent *entry; r == 0 && (entry = readdir(d));)
        r = add_map(&g->sockets, dirfd(d), entry->d_name, &maps, &n, e);
    if (r < 0)
        return r;
    if (n)
        qsort(maps, n, sizeof *maps, by_uuid);
    *ret = TAKE_PTR(maps);
    *ret_n = n;
    return 0;
}

/* ------------------------------------------------------------------- closing */

static int error_has_guest(const struct volume *v, struct error *e)
{
    return error_set(
        e, -EBUSY,
        "disk %s: cannot be closed: a guest has it; shut the guest down, see virsh list and ss -xp", v->lv);
}

/* Waits for the end of a guest. QEMU may have ended a moment ago, which the worker notices soon. */
static int wait_for_guest(struct keeper_seen *k, const struct volume *v, struct error *e)
{
    uint64_t end = clock_msec() + LET_GO_MSEC;
    int r = 0;
    while (r == 0 && k->state.connections && clock_msec() < end) {
        clock_sleep_msec(POLL_MSEC);
        r = state_read(k->state_fd, &k->state);
    }
    if (r == 0 && k->state.connections)
        return error_has_guest(v, e);
    return r < 0 ? error_set(e, r, "disk %s: cannot be closed: the state of its keeper cannot be read: %s",
                             v->lv, strerror(-r))
                 : 0;
}

/* Waits until a keeper of another user ends by itself, as it does after its guest. */
static int await_end(const struct sockets *sockets, const struct volume *v, enum map_use up_to,
                     const struct error *denied, bool *ret_closed, struct error *e)
{
    uint64_t begin = clock_msec();
    _cleanup_close_ int folder = -1;
    char file[KEEPER_NAME_MAX];
    name_file(v, KEEPER_SUFFIX, file);
    *ret_closed = false;
    int r = engine_folder(sockets, &folder, e);
    while (r == 0) {
        _cleanup_keeper_ struct keeper_seen k = {.state_fd = -1};
        r = keeper_look(folder, file, O_RDONLY, &k, e);
        if (r < 0 || !k.pid || map_uuid_use(k.state.map) > up_to)
            break;
        uint64_t waited_msec = clock_msec() - begin;
        if (k.state.connections && waited_msec >= LET_GO_MSEC)
            return error_has_guest(v, e);
        if (waited_msec >= ENGINE_GONE_MSEC + LET_GO_MSEC)
            return error_pass(e, -EACCES, denied);
        *ret_closed = true;
        clock_sleep_msec(POLL_MSEC);
    }
    return r;
}

int engine_close(const struct engine *g, const struct volume *v, enum map_use up_to, bool *ret_closed,
                 struct error *e)
{
    _cleanup_close_ int folder = -1, lock = -1;
    _cleanup_keeper_ struct keeper_seen k = {.state_fd = -1};
    struct error why = ERROR_NONE;
    int r = look_locked(&g->sockets, v, &folder, &lock, &k, &why);
    if (r == -EACCES && g->sockets.of_host)
        return await_end(&g->sockets, v, up_to, &why, ret_closed, e);
    if (r < 0)
        return error_pass(e, r, &why);
    *ret_closed = false;
    if (k.pid && map_uuid_use(k.state.map) > up_to)
        return 0;
    if (k.pid)
        r = wait_for_guest(&k, v, e);
    if (r == 0 && k.pid)
        r = keeper_stop(&k, v->lv, e);
    if (r < 0)
        return r;
    *ret_closed = k.pid != 0;
    remove_files(folder, v);
    return 0;
}
