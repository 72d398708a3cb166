/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that a process serves to their guests. The broker opens them, and an engine starts that process.
 *
 *     mayfly --OPEN_VOLUME--> broker --the volume--> mayfly --key, the volume--> keeper --socket--> QEMU
 *
 * This process reads and writes such a disk through a cipher of its own, as if it were a file of src/pool.
 */
#include "broker/client-call.h"

#include "base/fd.h"
#include "broker/format.h"
#include "storage/mkfs.h"

#include <fcntl.h>
#include <unistd.h>

/* ------------------------------------------------------------------ opening */

static int ask_for_volume(struct remote *b, const struct volume *v, const struct secret *key,
                          enum map_use use, int *ret_fd, uint64_t *ret_bytes, struct error *e)
{
    struct op_open request = {.volume = volume_ref_of(v), .use = (uint8_t)use};
    struct remote_reply reply;
    int r = ask_OPEN_VOLUME(b, &request, key, &reply, e);
    if (r < 0)
        return r;
    *ret_fd = reply.fd;
    *ret_bytes = reply.a.size_bytes;
    return 0;
}

/* Starts a keeper, which gets the volume past the page cache. Every block device has O_DIRECT. */
static int start_serving(const struct engine *g, const struct volume *v, int fd, const struct secret *key,
                         enum map_use use, struct error *e)
{
    (void)!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_DIRECT);
    return g->ops->open(g, v, fd, key, use, e);
}

/* Has the disk served, and opens it for this process. The flags of a descriptor are shared with all of its
 * duplicates, so this process gets one of its own. */
static int open_served(struct remote *b, const struct volume *v, const struct secret *key, enum map_use use,
                       struct opened *ret, struct error *e)
{
    const struct engine *g = b->base.engine;
    _cleanup_opened_ struct opened o = OPENED_NONE;
    struct error why = ERROR_NONE;
    struct volume now = *v;
    int r = ask_for_volume(b, v, key, use, &o.fd, &now.size_bytes, e);
    if (r < 0)
        return r;
    r = served_go_on(g, &now, use, &why);
    bool starts = r == -ENOENT;
    if (!starts && r < 0)
        return error_pass(e, r, &why);
    r = starts ? start_serving(g, &now, o.fd, key, use, e) : 0;
    if (starts && r == 0) {
        o.fd = fd_close(o.fd);
        r = ask_for_volume(b, v, key, use, &o.fd, &now.size_bytes, e);
    }
    if (r == 0)
        r = cipher_new(key, v->sector_bytes, &o.cipher, e);
    if (r == 0)
        *ret = TAKE(o, OPENED_NONE);
    return r;
}

static struct remote_key *find_key(struct remote *b, const char *lv)
{
    for (size_t i = 0; i < b->n_keys; i++)
        if (streq(b->keys[i].lv, lv))
            return &b->keys[i];
    return NULL;
}

static void forget_key(struct remote *b, const char *lv)
{
    struct remote_key *k = find_key(b, lv);
    if (!k)
        return;
    secret_free(k->key);
    *k = b->keys[--b->n_keys];
}

void remote_forget_keys(struct remote *b)
{
    while (b->n_keys)
        forget_key(b, b->keys[0].lv);
    free(b->keys);
}

/* Keeps the key of a disk that will get a file system until FORMAT. */
static int remember_key(struct remote *b, const struct volume *v, const struct secret *key, struct error *e)
{
    _cleanup_secret_ struct secret *copy = NULL;
    if (!volume_unfinished(v) || !v->fs[0] || find_key(b, v->lv))
        return 0;
    struct remote_key *more = reallocarray(b->keys, b->n_keys + 1, sizeof *more);
    if (!more)
        return error_memory(e);
    b->keys = more;
    int r = secret_new(secret_size(key), &copy, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(copy), secret_peek(key), secret_size(key));
    memcpy(more[b->n_keys].lv, v->lv, sizeof more->lv);
    more[b->n_keys++].key = TAKE_PTR(copy);
    return 0;
}

int remote_open_served(struct remote *b, const struct volume *v, const struct secret *key, enum map_use use,
                       struct opened *ret, struct error *e)
{
    if (!b->base.engine)
        return error_set(e, -EOPNOTSUPP, "disk %s: cannot be opened: nothing here serves disks", v->lv);
    int r = cipher_begin(e);
    if (r == 0)
        r = remember_key(b, v, key, e);
    return r < 0 ? r : open_served(b, v, key, use, ret, e);
}

/* -------------------------------------------------------- closing, looking */

int remote_close_served(struct remote *b, const struct volume *v, enum map_use up_to, bool *ret_served,
                        bool *ret_closed, struct error *e)
{
    const struct engine *g = b->base.engine;
    struct error why = ERROR_NONE;
    struct map map;
    *ret_served = *ret_closed = false;
    forget_key(b, v->lv);
    int r = g ? served_find(g, v, &map, &why) : -ENOENT;
    if (r < 0)
        return r == -ENOENT ? 0 : error_pass(e, r, &why);
    *ret_served = true;
    r = g->ops->close(g, v, up_to, ret_closed, e);
    return r < 0 || *ret_closed ? broker_audit(v, "close", r, e) : 0;
}

void remote_clean_served(struct remote *b, const struct volume *v)
{
    const struct engine *g = b->base.engine;
    bool closed = false;
    if (g && volume_served(v))
        (void)!g->ops->close(g, v, MAP_READ_ONLY, &closed, NULL);
}

int remote_add_served(struct remote *b, struct map **maps, size_t *n, struct error *e)
{
    const struct engine *g = b->base.engine;
    _cleanup_free_ struct map *served = NULL;
    size_t n_served = 0;
    int r = g ? g->ops->maps(g, &served, &n_served, e) : 0;
    if (r < 0 || n_served == 0)
        return r;
    struct map *more = reallocarray(*maps, *n + n_served, sizeof *more);
    if (!more)
        return error_memory(e);
    memcpy(more + *n, served, n_served * sizeof *more);
    *maps = more;
    *n += n_served;
    return 0;
}

/* --------------------------------------------------------------- file systems */

static int make_file_system(struct remote *b, const struct volume *v, const struct secret *key,
                            const char *fs, const char *label, struct error *e)
{
    _cleanup_opened_ struct opened disk = OPENED_NONE;
    uint64_t size_bytes = 0;
    int r = mkfs_check(fs, label, e);
    if (r == 0)
        r = ask_for_volume(b, v, key, MAP_FOR_DOMAIN, &disk.fd, &size_bytes, e);
    if (r == 0)
        r = cipher_new(key, v->sector_bytes, &disk.cipher, e);
    if (r < 0)
        return r;
    r = format_make(&disk, fs, label, e);
    if (r < 0)
        error_prefix(e, "disk %s: cannot be formatted as %s: ", v->lv, fs);
    return r;
}

int remote_format_served(struct remote *b, const struct volume *v, const char *fs, const char *label,
                         struct error *e)
{
    const struct remote_key *k = find_key(b, v->lv);
    int r = k && volume_unfinished(v)
                ? make_file_system(b, v, k->key, fs, label, e)
                : error_set(e, -EUNSAFE,
                            "disk %s: is formatted only by the mayfly that made and opened it, while it is "
                            "building",
                            v->lv);
    forget_key(b, v->lv);
    return broker_audit(v, "format", r, e);
}
