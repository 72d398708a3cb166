/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager of one host: a file for each key, sealed by one more.
 *
 *     local.c          the operations, and what is said when they fail
 *     local-folder.c   names and bytes: who owns the folder; adding and erasing whole files
 *     local-file.c     one key as the bytes of its file
 *     local-seal.c     the sealing key
 *
 * It never says that a key is gone for good where a folder or a sealing key may merely not be mounted, and
 * never makes a new sealing key beside keys that an older one has sealed.
 */
#include "base/fd.h"
#include "base/str.h"
#include "keys/keymgr.h"
#include "keys/local-file.h"
#include "keys/local-folder.h"
#include "keys/local-seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SEALING_NAME "seal.key"

struct local {
    struct keymgr base;
    char *folder;  /* absolute path */
    char *sealing; /* name in the folder, or absolute path */
};

static void local_close(struct keymgr *km)
{
    struct local *l = (struct local *)km;
    free(l->folder);
    free(l->sealing);
    free(l);
}

static int local_open(const struct keymgr_ops *self, const struct config *c, const struct key_context *who,
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
    *ret = &l->base;
    return 0;
}

static int check_id(const char *id, struct error *e)
{
    if (!uuid_valid(id)) /* it becomes a file's name */
        return error_set(e, -EINVAL, "key local:%.64s: is no name that this key manager gives", id);
    return 0;
}

/* Neither the key nor what would have sealed it is there. */
static int unreachable(const struct local *l, const char *id, struct error *e)
{
    return error_set(
        e, -EHOSTUNREACH,
        "key local:%s: nothing is known of it: in %s there is no sealing key (%s), so it is not the "
        "folder of this key; mount its file system, or see [local] directory",
        id, l->folder, l->sealing);
}

static int is_missing(const struct local *l, int folder_fd, const char *id, struct error *e)
{
    return faccessat(folder_fd, l->sealing, F_OK, 0) < 0 ? unreachable(l, id, e) : LOCAL_ABSENT;
}

/* The bytes of the key's file. LOCAL_ABSENT: there is surely none. */
static int read_file(const struct local *l, int folder_fd, const char *id, uint8_t file[LOCAL_FILE_MAX],
                     size_t *ret_size, struct error *e)
{
    _cleanup_close_ int fd = openat(folder_fd, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return is_missing(l, folder_fd, id, e);
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;
    int r = fd < 0 ? -errno : fd_read_text(fd, LOCAL_FILE_MAX, &bytes, &size);
    if (r == -EFBIG)
        return error_set(e, -EKEYREJECTED, "key local:%s: is damaged: its file is too long; restore it", id);
    if (r < 0)
        return error_set(e, r, "key local:%s: cannot be read: %s", id, strerror(-r));
    memcpy(file, bytes, size);
    *ret_size = size;
    return 0;
}

/* Reads and unseals one key; either output may be NULL. LOCAL_ABSENT. */
static int unseal(const struct local *l, int folder_fd, const char *id, struct key_info *ret_info,
                  struct secret **ret, struct error *e)
{
    uint8_t file[LOCAL_FILE_MAX];
    size_t size = 0;
    int r = read_file(l, folder_fd, id, file, &size, e);
    if (r != 0)
        return r;
    _cleanup_secret_ struct secret *sealing = NULL, *key = NULL;
    r = local_seal_read(folder_fd, l->sealing, &sealing, e);
    if (r == LOCAL_ABSENT)
        return error_set(
            e, -EKEYREJECTED,
            "key local:%s: cannot be unsealed: the sealing key %s is missing; restore it, or mount "
            "the file system that it is on",
            id, l->sealing);
    if (r < 0)
        return r;

    struct error why = ERROR_NONE;
    struct key_info info;
    r = local_file_unseal(file, size, sealing, &info, &key, &why);
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

static int add_key(const struct local *l, int folder_fd, const struct key_info *info,
                   const struct secret *key, struct error *e)
{
    _cleanup_secret_ struct secret *sealing = NULL;
    uint8_t file[LOCAL_FILE_MAX];
    size_t size = 0;
    int r = local_seal_ensure(folder_fd, l->sealing, &sealing, e);
    if (r < 0)
        return r;
    r = local_file_seal(info, key, sealing, file, &size, e);
    if (r < 0)
        return r;
    r = local_folder_add(folder_fd, info->id, file, size);
    if (r == -EOPNOTSUPP)
        return error_set(e, r,
                         "key folder %s: its file system cannot make files that are whole or not there "
                         "(O_TMPFILE); set [local] directory to one on ext4 or XFS",
                         l->folder);
    if (r < 0)
        return error_set(e, r, "key folder %s: cannot keep a new key: %s", l->folder, strerror(-r));
    return 0;
}

static int local_import(struct keymgr *km, const struct key_info *info, const struct secret *key,
                        struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    struct key_info now = *info;
    int r = check_id(info->id, e);
    if (r == 0)
        r = local_folder_open(l->folder, true, &folder_fd, e);
    if (r != 0)
        return r < 0 ? r : error_set(e, -ENOENT, "key folder %s: went while it was opened", l->folder);
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

/* The folder, for a key that should be in it. */
static int open_for(const struct local *l, const char *id, int *ret_fd, struct error *e)
{
    int r = check_id(id, e);
    if (r < 0)
        return r;
    r = local_folder_open(l->folder, false, ret_fd, e);
    return r == LOCAL_ABSENT ? unreachable(l, id, e) : r;
}

static int local_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    int r = open_for(l, id, &folder_fd, e);
    if (r < 0)
        return r;
    r = unseal(l, folder_fd, id, NULL, ret, e);
    if (r == LOCAL_ABSENT)
        return error_set(
            e, -ENOKEY,
            "key local:%s: is gone for good: it is not in %s; what it encrypted cannot be read any "
            "more; run mayfly delete",
            id, l->folder);
    return r;
}

static int local_destroy(struct keymgr *km, const char *id, struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    int r = open_for(l, id, &folder_fd, e);
    if (r < 0)
        return r;
    r = local_folder_erase(folder_fd, id, e);
    if (r == LOCAL_ABSENT)
        r = is_missing(l, folder_fd, id, e);
    return r < 0 ? r : 0;
}

/* A damaged file fails the whole list: recover, which acts on what is missing from it, must not act on doubt.
 */
static int local_list(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    _cleanup_free_ char(*ids)[UUID_TEXT] = NULL;
    size_t n = 0, listed = 0;
    int r = local_folder_open(l->folder, false, &folder_fd, e);
    if (r == 0)
        r = local_folder_list(folder_fd, &ids, &n, e);
    if (r < 0)
        return r;

    _cleanup_free_ struct key_info *keys = n ? calloc(n, sizeof *keys) : NULL;
    if (n && !keys)
        return error_memory(e);
    for (size_t i = 0; i < n; i++) {
        r = unseal(l, folder_fd, ids[i], &keys[listed], NULL, e);
        if (r < 0)
            return r;
        listed += r == 0; /* else destroyed since the folder was read */
    }
    *ret = TAKE_PTR(keys);
    *ret_n = listed;
    return 0;
}

/* `r` as the look at `path` gave it. */
static void note(struct key_finding *f, const char *what, const char *path, int r, const struct error *why)
{
    *f = (struct key_finding){.result = r < 0 ? r : 0};
    snprintf(f->what, sizeof f->what, "%s", what);
    if (r < 0)
        snprintf(f->text, sizeof f->text, "%s", why->text);
    else
        snprintf(f->text, sizeof f->text, "%.500s %s", path,
                 r == LOCAL_ABSENT ? "is not there yet; the first key makes it" : "is there, and ours alone");
}

/* Whether there are keys that an absent sealing key has sealed is seen when they are listed. */
static int local_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                          struct error *e)
{
    const struct local *l = (const struct local *)km;
    _cleanup_close_ int folder_fd = -1;
    _cleanup_secret_ struct secret *sealing = NULL;
    struct error why = ERROR_NONE;
    (void)e;
    *ret_n = 1;
    int r = local_folder_open(l->folder, false, &folder_fd, &why);
    note(&ret[0], "folder", l->folder, r, &why);
    if (r != 0)
        return 0;
    *ret_n = 2;
    r = local_seal_read(folder_fd, l->sealing, &sealing, &why);
    note(&ret[1], "sealing key", l->sealing, r, &why);
    return 0;
}

const struct keymgr_ops keymgr_local = {
    .name = "local",
    .durable = true,
    .lists_all = true,
    .open = local_open,
    .create = local_create,
    .import = local_import,
    .fetch = local_fetch,
    .destroy = local_destroy,
    .list = local_list,
    .diagnose = local_diagnose,
    .close = local_close,
};
