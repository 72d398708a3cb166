/* SPDX-License-Identifier: Apache-2.0 */
/* Key managers: who keeps the secret of each instance.
 *
 *     r = keymgr_open(config, who, "local", &km, e);
 *     r = keymgr_create(km, &want, id, &secret, e);   // `id` goes into the tag mayfly.key as "local:<id>"
 *     ...
 *     r = keymgr_fetch(km, id, &secret, e);
 *     r = keymgr_destroy(km, id, e);
 *
 * Errors that callers act on:
 *   -ENOKEY        the key is gone for good        (exit 7)
 *   -EACCES        this caller may not have it     (exit 2)
 *   -EKEYREJECTED  it is there, but damaged or not to be unsealed (exit 2): nothing is removed for that
 *   -EHOSTUNREACH  the manager cannot be reached   (exit 6): nothing is known, try again
 *
 * Only -ENOKEY says that data is lost; a manager that is not sure returns another.
 *
 * A new manager that works in this process is one file, keys/NAME.c. One that talks to a network (Vault, say)
 * is one file too, vault/vault.c, which runs in the program mayfly-keyagent alone: unprivileged, under
 * seccomp, with a heap that is wiped; mayfly itself only sees keys/agent.c, which stands in for it. Elsewhere
 * there are three lines: its ops declared and listed (keymgr.c, and for a network keyagent/managers.c), its
 * name in the option `backend` of options.def, with a group of its own options there.
 * A durable one passes the suite of tests/keymgr-suite.h, which says how it joins. The file has
 *
 *     struct vault { struct keymgr base; ... };              // private; `base` first
 *     const struct keymgr_ops vault_manager = {.name = "vault", .durable = true, .open = ...};
 *
 * and keeps secrets in `struct secret` only, also on their way through HTTP, JSON and base64.
 */
#pragma once

#include "config/config.h"
#include "keys/context.h"
#include "secret/secret.h"
#include "storage/volume.h"

#define KEY_ID_MAX   160
#define KEY_USER_MAX 65
#define KEY_BITS_MIN 128
#define KEY_BITS_MAX 512

/* What a manager notes beside a secret, so that recover can tell whose it is without any volume. */
struct key_info {
    char id[KEY_ID_MAX];   /* unset in a request */
    char owner[UUID_TEXT]; /* uuid of the instance, or of the batch that shares the key */
    char vg[VG_NAME_MAX];  /* group that the volumes are made in */
    enum key_scope scope;
    uint32_t bits;
    uint64_t created_sec; /* since 1970; unset in a request */
};

/* A key that was made; whoever gets it owns the secret. */
struct key_made {
    char id[KEY_ID_MAX];
    struct secret *secret;
};

/* One thing that a manager looked at in itself, for mayfly doctor. */
#define KEY_FINDINGS_MAX 16
struct key_finding {
    char what[32];  /* "credentials", "clock", "catalog", ... */
    int result;     /* 0, or the -errno of what is wrong */
    char text[600]; /* what was found, or what is wrong and the way out */
};

struct keymgr;
struct keymgr_ops {
    const char *name; /* as in mayfly.key and in [key_manager] backend; no ':' */

    /* Does a key outlive the map that it opened? False for `ephemeral` alone. */
    bool durable;

    /* Does list() see every key of this host, whoever asks? False where a caller sees but those of his own
     * project: then a key that is not listed need not be gone. */
    bool lists_all;

    /* Sets `*ret` up from the options and the caller's context. Asks nothing of the manager, touches no file;
     * `c` and `who` are not kept, but what is in `who` may be taken out of it. */
    int (*open)(const struct keymgr_ops *self, const struct config *c, const struct key_context *who,
                struct keymgr **ret, struct error *e);

    /* Makes a random secret of want->bits and keeps it durably before it returns: after a power cut in the
     * next moment it can be fetched, and is listed. An interrupted create leaves a whole key or none. `id` is
     * chosen by the manager, has LVM's alphabet for tags, never that of another key, and tells nothing of the
     * secret. `want` was checked by keymgr_create(). NULL where there is create_many. */
    int (*create)(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e);

    /* The same for `n` at once, all or none: what was made before an error is destroyed again as far as that
     * can be done, and what cannot be is still listed. May be NULL: then they are made one by one. */
    int (*create_many)(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e);

    /* Keeps a secret that was made elsewhere, under `info->id`, which is new. May be NULL: then only what the
     * manager made is kept. */
    int (*import)(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e);

    /* The same secret, as often as it is asked for. `id` may come from a tag that someone else wrote: it is
     * checked before it becomes a part of a path or URL (-EINVAL). */
    int (*fetch)(struct keymgr *km, const char *id, struct secret **ret, struct error *e);

    /* Would destroy() be allowed? 0 also when the key is gone. Changes nothing. -EACCES, -EHOSTUNREACH. May
     * be NULL: whoever can open the manager can destroy. */
    int (*may_destroy)(struct keymgr *km, const char *id, struct error *e);

    /* Destroys it, and looks that it is gone. 0 also when it was gone before. After an error the key may or
     * may not be there; to call it again finishes the job. */
    int (*destroy)(struct keymgr *km, const char *id, struct error *e);

    /* The keys that this host made, that this caller may see, and that were not destroyed, in any order;
     * whose they are is as certain as the manager can make it, since recover destroys what has no owner. An
     * interrupted destroy is finished on the way. The caller frees *ret (NULL where *ret_n is 0). */
    int (*list)(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e);

    /* Lets `user` (an id of the manager's; NULL: the host's own service user) fetch the key, or ends that.
     * *ret_changed: it was not so before. May be NULL: the manager knows no users. */
    int (*grant)(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e);

    /* Looks at credentials, clock, way to the server, ... and says of each what it found: *ret_n entries of
     * `ret`, the first failure last. Changes nothing. An error only where it could not look at all. May be
     * NULL. */
    int (*diagnose)(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e);

    /* Frees `km` itself. */
    void (*close)(struct keymgr *km);
};

/* The first member of each manager's own struct. */
struct keymgr {
    const struct keymgr_ops *ops;
};

/* What is true of a manager of this name, without opening it; NULL: there is none. */
const struct keymgr_ops *keymgr_find(const char *name);

/* -EINVAL: no such manager. Nothing is asked of it yet. */
int keymgr_open(const struct config *c, const struct key_context *who, const char *name, struct keymgr **ret,
                struct error *e) _must_check_;
struct keymgr *keymgr_close(struct keymgr *km);
DEFINE_CLEANUP(struct keymgr *, keymgr_close)
#define _cleanup_keymgr_ _cleanup_(keymgr_closep)

/* As the members of keymgr_ops say; `want` is checked here for all managers (-EINVAL). -EOPNOTSUPP: the
 * manager has no such operation. */
int keymgr_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e) _must_check_;
int keymgr_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e) _must_check_;
int keymgr_import(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e) _must_check_;
int keymgr_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e) _must_check_;
int keymgr_may_destroy(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_destroy(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_list(struct keymgr *km, struct key_info **ret, size_t *ret_n, struct error *e) _must_check_;
int keymgr_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e) _must_check_;
int keymgr_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e) _must_check_;

/* Splits "local:5c0e..." (a tag's value) at the first colon. -EINVAL: not of that form, or with characters
 * that LVM takes in no tag. Whether there is such a manager is for keymgr_open() to say. */
int key_ref_parse(const char *ref, char manager[KEY_ID_MAX], char id[KEY_ID_MAX],
                  struct error *e) _must_check_;

extern const struct keymgr_ops keymgr_local;
extern const struct keymgr_ops keymgr_ephemeral;
extern const struct keymgr_ops keymgr_barbican; /* agent.c: stands in for the one in mayfly-keyagent */
