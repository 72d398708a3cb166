/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager that keeps nothing: a random secret lives in the kernel's map alone and ends with it, by
 * shutdown, power cut or delete. There is never anything to recover, nor to leak. */
#include "keys/keymgr.h"

static int ephemeral_open(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                          struct keymgr **ret, struct error *e)
{
    (void)self, (void)who;
    (void)c;
    struct keymgr *km = calloc(1, sizeof *km);
    if (!km)
        return error_memory(e);
    *ret = km;
    return 0;
}

static int ephemeral_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                            struct secret **ret, struct error *e)
{
    (void)km;
    int r = str_copy(ret_id, KEY_ID_MAX, want->owner); /* a name for people; no key can be found by it */
    return r < 0 ? r : secret_random(want->bits / 8, ret, e);
}

static int ephemeral_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    (void)km, (void)ret;
    return error_set(e, -ENOKEY,
                     "key ephemeral:%s: is gone for good: it was in the kernel alone and went when its disks "
                     "were closed; run mayfly delete, and launch a new instance",
                     id);
}

static int ephemeral_destroy(struct keymgr *km, const char *id, struct error *e)
{
    (void)km, (void)id, (void)e;
    return 0;
}

static int ephemeral_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    (void)km, (void)ret, (void)e;
    return 0;
}

static void ephemeral_close(struct keymgr *km)
{
    free(km);
}

const struct keymgr_ops keymgr_ephemeral = {
    .name = "ephemeral",
    .open = ephemeral_open,
    .create = ephemeral_create,
    .fetch = ephemeral_fetch,
    .destroy = ephemeral_destroy,
    .list = ephemeral_list,
    .close = ephemeral_close,
};
