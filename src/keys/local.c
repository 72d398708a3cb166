/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager of one host: a file for each key, sealed by the key in one more file.
 *
 *     local.c           the operations, and their errors
 *     local-folder.c    names and bytes: who owns the folder; adding and erasing whole files
 *     local-identity.c  which folder it is
 *     local-file.c      one key as the bytes of its file
 *     local-seal.c      the sealing key
 *
 * Each user has a folder. A key that is absent from one may be in another, or in one that is not mounted: so
 * references name the identity of the folder as their place.
 */
#include "base/fd.h"
#include "base/str.h"
#include "keys/keymgr.h"
#include "keys/local-folder.h"
#include "keys/local-identity.h"
#include "keys/local-seal.h"

#include <stdio.h>
#include <time.h>

#define SEALING_NAME "seal.key"

struct local {
    struct keymgr base;
    char *folder;               /* absolute path */
    char *sealing;              /* name in the folder, or absolute path */
    struct secret *sealing_key; /* NULL: not read yet */
};

static void local_close(struct keymgr *km)
{
    struct local *l = (struct local *)km;
    secret_free(l->sealing_key);
    free(l->folder);
    free(l->sealing);
    free(l);
}

static int local_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                      struct keymgr **ret, struct error *e)
{
    (void)self, (void)who;
    _cleanup_free_ char *folder = NULL;
    int r = local_folder_path(c, &folder, e);
    if (r < 0)
        return r;
    const char *file = c->local_sealing_key_file;
    _cleanup_free_ char *sealing = strdup(*file ? file : SEALING_NAME);
    struct local *l = sealing ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return error_memory(e);
    l->folder = TAKE_PTR(folder);
    l->sealing = TAKE_PTR(sealing);
    l->base.durable = l->base.lists_all = true;
    *ret = &l->base;
    return 0;
}

static int check_id(const char *id, struct error *e)
{
    if (!uuid_valid(id)) /* the id becomes a file's name */
        return error_set(e, -EINVAL, "key local:%.64s: is not an id of this key manager", id);
    return 0;
}

/* Opens the folder, and makes it if it is missing. */
static int open_made(const struct local *l, int *ret_fd, struct error *e)
{
    int r = local_folder_open(l->folder, true, ret_fd, e);
    return r == 0 && *ret_fd < 0
               ? error_set(e, -ENOENT, "key folder %s: disappeared while it was opened", l->folder)
               : r;
}

static int local_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    int r = make ? open_made(l, &folder_fd, e) : local_folder_open(l->folder, false, &folder_fd, e);
    if (r < 0)
        return r;
    if (folder_fd < 0) {
        ret[0] = '\0';
        return 0;
    }
    return make ? local_identity_ensure(folder_fd, l->folder, ret, e)
                : local_identity_read(folder_fd, l->folder, ret, e);
}

static int local_elsewhere(struct keymgr *km, const char *id, const char *place, struct error *e)
{
    const struct local *l = (const struct local *)km;
    char owner[64];
    if (local_identity_foreign(place, owner))
        return error_set(e, -EACCES,
                         "key local:%s: is kept by the key manager of user %s; nobody else can fetch or "
                         "destroy it",
                         id, owner);
    return error_set(
        e, -EHOSTUNREACH,
        "key local:%s: nothing is known of it: %s is not the folder that it is kept in%s%s; mount "
        "the file system of that folder, run this as its user, or see [local] directory",
        id, l->folder, *place ? ", " : "", place);
}

/* Reads the bytes of the key's file. */
static int read_file(int folder_fd, const char *id, uint8_t file[LOCAL_FILE_MAX], size_t *ret_size,
                     bool *ret_there, struct error *e)
{
    int r = local_folder_read(folder_fd, id, file, LOCAL_FILE_MAX, ret_size);
    *ret_there = r != -ENOENT;
    if (r == -ENOENT)
        return 0;
    if (r == -EFBIG)
        return error_set(e, -EKEYREJECTED, "key local:%s: is damaged: its file is too long; restore it", id);
    return r < 0 ? error_set(e, local_errno(r), "key local:%s: cannot be read: %s", id, strerror(-r)) : 0;
}

/* Makes sure that l->sealing_key is read, to unseal the key `id`. */
static int need_sealing_key(struct local *l, int folder_fd, const char *id, struct error *e)
{
    int r = l->sealing_key ? 0 : local_seal_read(folder_fd, l->sealing, &l->sealing_key, e);
    if (r == 0 && !l->sealing_key)
        return error_set(
            e, -EKEYREJECTED,
            "key local:%s: cannot be unsealed: the sealing key %s is missing; restore it, or mount "
            "the file system that it is on",
            id, l->sealing);
    return r;
}

/* Reads and unseals one key; ret_info or ret may be NULL. *ret_there is false, and nothing else is set, if
 * the folder has no such key. */
static int unseal(struct local *l, int folder_fd, const char *id, bool *ret_there, struct key_info *ret_info,
                  struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct error why = ERROR_NONE;
    uint8_t file[LOCAL_FILE_MAX];
    struct key_info info;
    size_t size = 0;
    int r = read_file(folder_fd, id, file, &size, ret_there, e);
    if (r < 0 || !*ret_there)
        return r;
    r = need_sealing_key(l, folder_fd, id, e);
    if (r < 0)
        return r;
    r = local_file_unseal(file, size, l->sealing_key, &info, &key, &why);
    if (r == 0 && !streq(info.id, id))
        r = error_set(&why, -EKEYREJECTED, "holds another key, %s", info.id);
    if (r < 0)
        return error_set(e, r, "key local:%s: its file in %s %s; restore it, or the sealing key", id,
                         l->folder, why.text);
    if (ret_info)
        *ret_info = info;
    if (ret)
        *ret = TAKE_PTR(key);
    return 0;
}

static int add_key(struct local *l, int folder_fd, const struct key_info *info, const struct secret *key,
                   struct error *e)
{
    char identity[KEY_PLACE_MAX];
    uint8_t file[LOCAL_FILE_MAX];
    size_t size = 0;
    int r = local_identity_ensure(folder_fd, l->folder, identity, e);
    if (r == 0 && !l->sealing_key)
        r = local_seal_ensure(folder_fd, l->sealing, &l->sealing_key, e);
    if (r == 0)
        r = local_file_seal(info, identity, key, l->sealing_key, file, &size, e);
    if (r < 0)
        return r;
    r = fd_add_file(folder_fd, info->id, file, size);
    return r < 0 ? error_set(e, local_errno(r), "key folder %s: cannot keep a new key: %s", l->folder,
                             strerror(-r))
                 : 0;
}

static int local_import(struct keymgr *km, const struct key_info *info, const struct secret *key,
                        struct error *e)
{
    struct local *l = (struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    struct key_info now = *info;
    int r = check_id(info->id, e);
    if (r == 0)
        r = open_made(l, &folder_fd, e);
    if (r < 0)
        return r;
    now.created_sec = (uint64_t)time(NULL);
    return add_key(l, folder_fd, &now, key, e);
}

static int local_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                        struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct key_info info = *want;
    uuid_make(info.id);
    int r = secret_random(want->bits / 8, &key, e);
    if (r == 0)
        r = local_import(km, &info, key, e);
    if (r < 0)
        return r;
    memcpy(ret_id, info.id, UUID_TEXT);
    *ret = TAKE_PTR(key);
    return 0;
}

static int error_absent(const struct local *l, const char *id, struct error *e)
{
    return error_set(e, -ENOKEY,
                     "key local:%s: is gone for good: it is not in %s; what it encrypted cannot be read any "
                     "more; run mayfly delete",
                     id, l->folder);
}

/* Opens the folder, for a key that should be in it. */
static int open_for_key(const struct local *l, const char *id, int *ret_fd, struct error *e)
{
    int r = check_id(id, e);
    if (r < 0)
        return r;
    r = local_folder_open(l->folder, false, ret_fd, e);
    return r == 0 && *ret_fd < 0 ? error_absent(l, id, e) : r;
}

static int local_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct local *l = (struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    bool there = false;
    int r = open_for_key(l, id, &folder_fd, e);
    if (r == 0)
        r = unseal(l, folder_fd, id, &there, NULL, ret, e);
    return r == 0 && !there ? error_absent(l, id, e) : r;
}

static int local_may_destroy(struct keymgr *km, const char *id, struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    int r = open_for_key(l, id, &folder_fd, e);
    return r == 0 && !local_folder_has(folder_fd, id) ? error_absent(l, id, e) : r;
}

static int local_destroy(struct keymgr *km, const char *id, struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    bool was_there = false;
    int r = open_for_key(l, id, &folder_fd, e);
    if (r == 0)
        r = local_folder_erase(folder_fd, id, &was_there, e);
    return r == 0 && !was_there ? error_absent(l, id, e) : r;
}

/* Adds a key to the list; of a damaged one only its id. */
static int list_one(struct local *l, int folder_fd, const char *id, struct key_listing *to, struct error *e)
{
    struct error why = ERROR_NONE;
    struct key_info *info = &to->keys[to->n];
    bool there = false;
    int r = unseal(l, folder_fd, id, &there, info, NULL, &why);
    if (r == 0 && !there) /* destroyed since the folder was read */
        return 0;
    if (r == -EKEYREJECTED && l->sealing_key) {
        *info = (struct key_info){.damaged = true};
        memcpy(info->id, id, UUID_TEXT);
        error_pass(&to->incomplete, r, &why);
    } else if (r < 0)
        return error_pass(e, r, &why);
    to->n++;
    return 0;
}

static int local_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct local *l = (struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    _cleanup_free_ char(*ids)[UUID_TEXT] = NULL;
    size_t n = 0;
    int r = local_folder_open(l->folder, false, &folder_fd, e);
    if (r < 0 || folder_fd < 0)
        return r;
    r = local_folder_list(folder_fd, &ids, &n, e);
    if (r < 0)
        return r;
    ret->keys = calloc(n + 1, sizeof *ret->keys);
    if (!ret->keys)
        return error_memory(e);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = list_one(l, folder_fd, ids[i], ret, e);
    return r;
}

/* Notes what a look at `path` has found: `r` is its result, `why` its error. */
static void note_finding(struct key_finding *f, const char *what, const char *path, bool there, int r,
                         const struct error *why)
{
    *f = (struct key_finding){.result = r < 0 ? r : 0};
    snprintf(f->what, sizeof f->what, "%s", what);
    if (r < 0)
        snprintf(f->text, sizeof f->text, "%s", why->text);
    else
        snprintf(f->text, sizeof f->text, "%.500s %s", path,
                 there ? "is there, and ours alone" : "is not there yet; the first key makes it");
}

/* Checks the folder and its files. An absent sealing key is a fault only if there are keys; the listing finds
 * that. */
static int local_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                          struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    _cleanup_secret_ struct secret *sealing = NULL;
    struct error why = ERROR_NONE;
    char identity[KEY_PLACE_MAX];
    (void)e;
    *ret_n = 1;
    int r = local_folder_open(l->folder, false, &folder_fd, &why);
    note_finding(&ret[0], "folder", l->folder, folder_fd >= 0, r, &why);
    if (r < 0 || folder_fd < 0)
        return 0;
    *ret_n = 2;
    r = local_seal_read(folder_fd, l->sealing, &sealing, &why);
    note_finding(&ret[1], "sealing key", l->sealing, sealing != NULL, r, &why);
    if (r < 0)
        return 0;
    *ret_n = 3;
    r = local_identity_read(folder_fd, l->folder, identity, &why);
    note_finding(&ret[2], "identity", identity, r == 0 && identity[0], r, &why);
    return 0;
}

const struct keymgr_ops keymgr_local = {
    .name = "local",
    .open = local_open,
    .place = local_place,
    .elsewhere = local_elsewhere,
    .create = local_create,
    .import = local_import,
    .fetch = local_fetch,
    .may_destroy = local_may_destroy,
    .destroy = local_destroy,
    .list = local_list,
    .diagnose = local_diagnose,
    .close = local_close,
};
