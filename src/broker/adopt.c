/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over volumes that Nova made, and gives them back.
 *
 *     STRANGERS   which are there            TRY   does this key show something on one?
 *     ADOPT       sets our tags, adopting    MARK  (sets.c) adopting to ready
 *     RELEASE     takes the tags off again, of a volume that is still adopting
 *
 * Nothing here writes to a volume. Until it is ready, an adopted volume differs from before in its tags
 * alone. An adopting one is never opened, doomed or removed (operations.c, sets.c).
 *
 * A volume without tags is not Mayfly's, and adopting it gives it to the adopter: so only root may. The
 * client must not read a volume that is not ours: TRY decrypts the data in this process, without a map, and
 * answers only yes or no. A volume that is not active is activated.
 */
#include "broker/device.h"
#include "broker/operations.h"

#include "base/fd.h"
#include "base/signature.h"
#include "storage/check.h"
#include "storage/xts.h"

#include <fcntl.h>

static int check_root(const struct session *s, struct error *e)
{
    if (s->root)
        return 0;
    return error_set(
        e, -EPERM,
        "adoption: refused: only root may adopt, because adoption gives somebody else's volume to "
        "the caller; run mayfly adopt as root");
}

/* Loads all volumes of that group that have the name of the instance: ours and strangers. */
static int load_named(struct session *s, const char *vg, const char *lv, struct lvm_volume **ret,
                      size_t *ret_n, struct error *e)
{
    struct volume_ref ref = {0};
    char instance[1][UUID_TEXT];
    struct lvm *lvm = NULL;
    memcpy(ref.lv, lv, sizeof ref.lv);
    volume_ref_instance(&ref, instance[0]);
    int r = session_lvm(s, &lvm, e);
    return r < 0 ? r : lvm_volumes_named(lvm, vg, (const char(*)[UUID_TEXT])instance, 1, ret, ret_n, e);
}

int do_STRANGERS(struct session *s, const struct op_volume *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_free_ struct lvm_volume *all = NULL;
    _cleanup_free_ struct volume *strangers = NULL;
    size_t n_all = 0, n = 0;

    UNUSED(fd);
    int r = check_root(s, e);
    if (r == 0)
        r = load_named(s, q->volume.vg, q->volume.lv, &all, &n_all, e);
    if (r < 0)
        return r;
    strangers = calloc(n_all + 1, sizeof *strangers);
    if (!strangers)
        return error_memory(e);
    for (size_t i = 0; i < n_all; i++)
        if (volume_stranger(&all[i].v))
            strangers[n++] = all[i].v;
    r = fd_memfd("mayfly-strangers", strangers, n * sizeof *strangers, &reply->fd);
    if (r < 0)
        return error_set(e, r, "answer: cannot be put into a memory file: %s", strerror(-r));
    reply->size_bytes = n * sizeof *strangers;
    return 0;
}

/* Finds the volume of this name. -ENOENT if there is none. */
static int find_named(struct session *s, const char *vg, const char *lv, struct volume *ret, struct error *e)
{
    _cleanup_free_ struct lvm_volume *all = NULL;
    size_t n = 0;
    int r = load_named(s, vg, lv, &all, &n, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (streq(all[i].v.lv, lv)) {
            *ret = all[i].v;
            return 0;
        }
    return error_set(e, -ENOENT, "volume %s/%s: not found; see lvs", vg, lv);
}

/* Checks that the tags would describe a disk that Nova made. */
static int check_form(const struct volume *v, struct error *e)
{
    if (v->state != VOLUME_ADOPTING || !volume_novas(v) || volume_is_snapshot(v) || volume_is_rescue(v) ||
        !streq(v->cipher, XTS_CIPHER))
        return error_set(e, -EINVAL,
                         "volume %s: only a disk that Nova made is adopted: in state adopting, with one of "
                         "Nova's key derivations, and " XTS_CIPHER,
                         v->lv);
    return 0;
}

/* Opens the volume, if no map is over it and nobody else has it open. */
static int open_idle(struct session *s, const struct volume *v, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct error why = ERROR_NONE;
    struct map map;
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    if (dmcrypt_find(name, &map, NULL) != -ENOENT)
        return error_set(
            e, -EBUSY,
            "volume %s/%s: is not adopted while it is open as /dev/mapper/%s; shut its instance down, "
            "then run cryptsetup close %s",
            v->vg, v->lv, name, name);
    int r = session_open_volume(s, v, O_RDONLY, &fd, e);
    if (r < 0)
        return r;
    r = device_check_unused(fd, 1, &why);
    if (r < 0)
        return error_set(e, r, "volume %s/%s: is not adopted: %s", v->vg, v->lv, why.text);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* Opens the stranger that has the name of `v`, if nobody uses it. */
static int open_stranger(struct session *s, const struct volume *v, int *ret_fd, struct error *e)
{
    struct volume found;
    int r = check_root(s, e);
    if (r == 0)
        r = check_form(v, e);
    if (r == 0)
        r = find_named(s, v->vg, v->lv, &found, e);
    if (r == 0 && !volume_stranger(&found))
        r = error_set(e, -EEXIST, "volume %s/%s: is Mayfly's already; see mayfly list", v->vg, v->lv);
    return r < 0 ? r : open_idle(s, v, ret_fd, e);
}

static int read_head(int fd, const struct volume *v, struct secret **ret, struct error *e)
{
    uint64_t size_bytes = 0;
    _cleanup_secret_ struct secret *head = NULL;
    int r = device_size(fd, &size_bytes, e);
    if (r < 0)
        return r;
    size_t n = size_bytes < SIGNATURE_HEAD_BYTES ? size_bytes : SIGNATURE_HEAD_BYTES;
    r = secret_new(n - n % XTS_SECTOR_BYTES, &head, e); /* it will hold plaintext */
    if (r < 0)
        return r;
    r = fd_pread_all(fd, secret_bytes(head), secret_size(head), 0);
    if (r < 0)
        return error_set(e, r, "volume %s/%s: cannot be read: %s", v->vg, v->lv, strerror(-r));
    *ret = TAKE_PTR(head);
    return 0;
}

int do_TRY(struct session *s, const struct op_create *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL, *head = NULL;
    _cleanup_close_ int device = -1;
    const struct volume *v = &q->volume;

    int r = open_stranger(s, v, &device, e);
    if (r == 0)
        r = secret_receive(fd, v->key_bits / 8, &key, e);
    if (r == 0)
        r = volume_verify_key(v, key, e);
    if (r == 0)
        r = read_head(device, v, &head, e);
    if (r == 0 && signature_shows(secret_peek(head), secret_size(head)))
        r = error_set(e, -EUNSAFE, "volume %s/%s: is not adopted: it is not encrypted at all", v->vg, v->lv);
    if (r == 0)
        r = xts_decrypt(key, head, e);
    if (r < 0)
        return r;
    reply->shows = signature_shows(secret_peek(head), secret_size(head));
    return 0;
}

int do_ADOPT(struct session *s, const struct op_create *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_close_ int device = -1;
    struct lvm *lvm = NULL;

    UNUSED(fd), UNUSED(reply);
    int r = open_stranger(s, &q->volume, &device, e);
    if (r == 0)
        r = session_check_disk_new(s, q->volume.disk, e);
    if (r == 0)
        r = session_lvm(s, &lvm, e);
    return r < 0 ? r : lvm_tag(lvm, &q->volume, e);
}

int do_RELEASE(struct session *s, const struct op_volume *q, int fd, struct reply *reply, struct error *e)
{
    struct volume found;
    struct lvm *lvm = NULL;

    UNUSED(fd);
    int r = find_named(s, q->volume.vg, q->volume.lv, &found, e);
    reply->untouched[0] = r == 0 && volume_stranger(&found);
    if (r < 0 || reply->untouched[0])
        return r;
    if (found.state != VOLUME_ADOPTING)
        return error_set(e, -EUNSAFE, "volume %s: is %s, and its tags are not taken off", found.lv,
                         volume_state_name(found.state));
    r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = lvm_untag(lvm, &found, e);
    session_forget(s, &q->volume);
    return r;
}
