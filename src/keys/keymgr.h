/* SPDX-License-Identifier: Apache-2.0 */
/* Key managers: who keeps the secret of each instance. A new one is one file that fills in struct
 * keymgr_ops, and one line in keymgr.c; tests/unit/test_keymgr.c runs the same suite over each.
 *
 *     r = keymgr_open(config, "local", &km, e);
 *     r = keymgr_create(km, &want, id, &secret, e);   // `id` goes into the tag mayfly.key as "local:<id>"
 *     ...
 *     r = keymgr_fetch(km, id, &secret, e);
 *     r = keymgr_destroy(km, id, e);
 *
 * Errors that callers act on:
 *   -ENOKEY        the key is gone for good        (exit 7)
 *   -EACCES        this caller may not have it     (exit 2)
 *   -EHOSTUNREACH  the manager cannot be reached   (exit 6): nothing is known, try again
 */
#pragma once

#include "config/config.h"
#include "secret/secret.h"
#include "storage/volume.h"

#define KEY_ID_MAX 160

/* What a manager notes beside a secret, so that recover can tell whose it is without any volume. */
struct key_info {
    char id[KEY_ID_MAX];   /* unset in a request */
    char owner[UUID_TEXT]; /* uuid of the instance, or of the batch that shares the key */
    char vg[VG_NAME_MAX];  /* group that the volumes are made in */
    enum key_scope scope;
    uint32_t bits;
    uint64_t created_sec; /* since 1970; unset in a request */
};

struct keymgr;
struct keymgr_ops {
    const char *name; /* as in mayfly.key and in [key_manager] backend */

    /* Does a key outlive the map that it opened? False for `ephemeral` alone. */
    bool durable;

    /* Makes a random secret of want->bits and keeps it durably before it returns. */
    int (*create)(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e);
    int (*fetch)(struct keymgr *km, const char *id, struct secret **ret, struct error *e);

    /* Destroys it, and looks that it is gone. 0 also when it was gone before. */
    int (*destroy)(struct keymgr *km, const char *id, struct error *e);

    /* The keys that this host made. The caller frees *ret. */
    int (*list)(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e);
    void (*close)(struct keymgr *km);
};

/* The first member of each manager's own struct. */
struct keymgr {
    const struct keymgr_ops *ops;
};

/* -EINVAL: no such manager. Nothing is asked of it yet. */
int keymgr_open(const struct config *c, const char *name, struct keymgr **ret, struct error *e) _must_check_;
struct keymgr *keymgr_close(struct keymgr *km);
DEFINE_CLEANUP(struct keymgr *, keymgr_close)
#define _cleanup_keymgr_ _cleanup_(keymgr_closep)

int keymgr_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e) _must_check_;
int keymgr_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e) _must_check_;
int keymgr_destroy(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_list(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e) _must_check_;

/* Splits "local:5c0e..." (a tag's value). -EINVAL. */
int key_ref_parse(const char *ref, char manager[KEY_ID_MAX], char id[KEY_ID_MAX],
                  struct error *e) _must_check_;
