/* SPDX-License-Identifier: Apache-2.0 */
/* Key managers: who keeps the secret of each instance.
 *
 *     r = keymgr_open(config, who, "local", &km, e);
 *     r = keymgr_create(km, &want, id, &secret, e);   // `id` goes into the tag mayfly.key as "local:<id>"
 *     ...
 *     r = keymgr_fetch(km, id, &secret, e);
 *     r = keymgr_destroy(km, id, e);
 *
 * A reference is MANAGER:PLACE/ID. The place is an identity of where the key is kept: of a key folder, of a
 * service. A manager that does not have a key proves only that the key is not in its own place. So keymgr.c
 * believes "there is no such key" only where the reference names the place that has answered. References of
 * before places (MANAGER:ID) still open what is found, and absence proves nothing for them.
 *
 * The ids of keymgr_*() are PLACE/ID; the operations of a manager see ID alone.
 *
 * Errors that callers act on:
 *   -ENOKEY        the key is gone for good        (exit 7)
 *   -EACCES        this caller may not have it     (exit 2)
 *   -EKEYREJECTED  the key is there, but damaged or cannot be unsealed (exit 2): nothing is removed for that
 *   -EHOSTUNREACH  the manager cannot be reached, or the key is kept in another place (exit 6): nothing is
 *                  known of it
 *
 * Only -ENOKEY says that data is lost; a manager that is not sure returns another.
 *
 * A new manager that works in this process is one file, keys/NAME.c. One that talks to a network (Vault, say)
 * is one file too, vault/vault.c, which runs in the program mayfly-keyagent alone: unprivileged, under
 * seccomp, with a heap that is wiped; mayfly itself only sees keys/agent.c, which stands in for it. Elsewhere
 * there are three lines: its ops declared and listed (keymgr.c, and for a network keyagent/managers.c, where
 * it has all that is done to several keys at once: create_many, fetch_many, ...), its name in the option
 * `backend` of options.def, with a group of its own options there. A durable one passes the suite of
 * tests/keymgr-suite.h, which says how it joins. The file has
 *
 *     struct vault { struct keymgr base; ... };              // private; `base` first
 *     const struct keymgr_ops vault_manager = {.name = "vault", .open = ..., .place = ...};
 *
 * and keeps secrets in `struct secret` only, also on their way through HTTP, JSON and base64.
 */
#pragma once

#include "config/config.h"
#include "keys/context.h"
#include "secret/secret.h"
#include "storage/volume.h"

#define KEY_ID_MAX    160 /* PLACE/ID */
#define KEY_PLACE_MAX 96
#define KEY_USER_MAX  65
#define KEY_HOST_MAX  64
#define KEY_BITS_MIN  128
#define KEY_BITS_MAX  512

/* The size of each new secret. Volume keys of any size are derived from it (keys/derive.h), so it need not be
 * as long as they are. Every key manager and HSM makes AES keys of this size. */
#define KEY_SECRET_BITS 256

/* What a manager keeps beside a secret, so that recover knows whose the secret is even without a volume. */
struct key_info {
    char id[KEY_ID_MAX];   /* unset in a request */
    char owner[UUID_TEXT]; /* uuid of the instance, or of the batch that shares the key */
    char vg[VG_NAME_MAX];  /* group that the volumes are made in */
    enum key_scope scope;
    uint32_t bits;
    uint64_t created_sec; /* since 1970; unset in a request */
    bool damaged;         /* of a listed key: it is there, but cannot be read, and only `id` is set besides */
    char host[KEY_HOST_MAX]; /* of a listed key: the name of the host that made it, if that has this host's id
                                under another name (a copy of this host, or its former name); "": this host
                                made it */
};

/* What a manager listed. */
struct key_listing {
    struct key_info *keys; /* in any order */
    size_t n;
    struct error incomplete; /* why some keys may be missing in the list, or listed without their owners;
                                errnum 0: the list is complete */
};
void key_listing_end(struct key_listing *l);
#define _cleanup_key_listing_ _cleanup_(key_listing_end)

/* A key that was made; the caller owns the secret. */
struct key_made {
    char id[KEY_ID_MAX];
    struct secret *secret;
};

/* One of several keys that a manager is asked about at once. */
struct key_asked {
    const char *id;        /* in the form that the operation takes; not kept */
    struct secret *secret; /* of a fetch: the caller owns it; NULL before, and after an error */
    struct error error;    /* of this key alone; errnum 0: none */
};

/* One thing that a manager has checked, for mayfly doctor. */
#define KEY_FINDINGS_MAX 16
struct key_finding {
    char what[32];  /* "credentials", "clock", "catalog", ... */
    int result;     /* 0, or the -errno of what is wrong */
    bool doubtful;  /* with result 0: it works, but somebody should look at it */
    char text[600]; /* what was found, or what is wrong and the way out */
};

/* Who asks, by the manager's own ids, as its login has told. "": none, or not known yet. */
struct key_asker {
    char user[KEY_USER_MAX];
    char project[KEY_USER_MAX];
};

struct keymgr;
struct keymgr_ops {
    const char *name; /* as in mayfly.key and in [key_manager] backend; no ':' */
    bool network;     /* the manager is asked over a network, which costs others something too */

    /* Sets `*ret` up from the options and the caller's context, `durable` and `lists_all` included. Sends no
     * request, touches no file. `c` is not kept; `who` outlives the manager. */
    int (*open)(const struct keymgr_ops *self, const struct config *c, struct key_context *who,
                struct keymgr **ret, struct error *e);

    /* Gets the identity of the place that answers: it never changes, no other place has it, and it has LVM's
     * alphabet without '/' and ':'. "": it has none, so an absent key proves nothing. `make`: gives an
     * identity to a place without keys that has none. NULL for a manager that keeps nothing: its ids have no
     * place, and its answers are believed. */
    int (*place)(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e);

    /* Sets the error for a key `id` that is kept in another place: `place` ("": not known). -EHOSTUNREACH;
     * -EACCES, with the user's name, if it is known to be another user's. NULL: the common code uses general
     * words. */
    int (*elsewhere)(struct keymgr *km, const char *id, const char *place, struct error *e);

    /* Makes a random secret of want->bits and keeps it durably before it returns: after a power cut it can be
     * fetched, and is listed. An interrupted create leaves a whole key or none. `id` is chosen by the
     * manager, has LVM's alphabet for tags without '/', at most 63 characters, is never that of another key,
     * and tells nothing of the secret. `want` was checked by keymgr_create(). NULL where there is
     * create_many. */
    int (*create)(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e);

    /* As create(), for `n` keys at once, all or none: what was made before an error is destroyed again as far
     * as that can be done, and what cannot be is still listed. May be NULL: then they are made one by one. */
    int (*create_many)(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e);

    /* Keeps a secret that was made elsewhere, under `info->id`, which is new. May be NULL: the manager keeps
     * only what it made. */
    int (*import)(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e);

    /* Returns the same secret each time. `id` may come from a tag that someone else wrote: it is
     * checked before it becomes a part of a path or URL (-EINVAL). -ENOKEY: this place has no such key. NULL
     * where there is fetch_many. */
    int (*fetch)(struct keymgr *km, const char *id, struct secret **ret, struct error *e);

    /* Tells whether destroy() would be allowed. Changes nothing. -EACCES, -EHOSTUNREACH; -ENOKEY: this place
     * has no such key. May be NULL: there is may_destroy_many(), or every caller who can open the manager can
     * destroy. */
    int (*may_destroy)(struct keymgr *km, const char *id, struct error *e);

    /* Destroys the key, and makes sure that it is gone. -ENOKEY: this place had no such key. After another
     * error the key may or may not be there, and another call finishes the job. NULL where there is
     * destroy_many. */
    int (*destroy)(struct keymgr *km, const char *id, struct error *e);

    /* As the functions for one key, for `n` keys at once. The failure of one key does not keep the others
     * from being done. k[i].error, which is empty before, gets what the function for one key would return.
     * May be NULL: then keys are done one by one. */
    void (*fetch_many)(struct keymgr *km, struct key_asked k[], size_t n);
    void (*may_destroy_many)(struct keymgr *km, struct key_asked k[], size_t n);
    void (*destroy_many)(struct keymgr *km, struct key_asked k[], size_t n);

    /* Lists the keys that this host made and this caller may see. The manager must be sure that this host
     * made them: recover destroys listed keys that no volume names (except those with `host`). Finishes
     * interrupted destroys on the way. *ret is empty before. */
    int (*list)(struct keymgr *km, struct key_listing *ret, struct error *e);

    /* Lets `user` (an id of the manager's; NULL: the host's own service user) fetch the key, or ends that.
     * *ret_changed is false if it was so before. May be NULL: the manager knows no users. */
    int (*grant)(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e);

    /* Checks credentials, clock, way to the server, ... and reports each: *ret_n entries of `ret`, the first
     * failure last. Changes nothing. Returns an error only if nothing could be checked. May be NULL. */
    int (*diagnose)(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e);

    /* Tells who asks, for the audit trail, without a request. May be NULL: the manager knows no users. */
    void (*asker)(const struct keymgr *km, struct key_asker *ret);

    /* Frees `km` itself. */
    void (*close)(struct keymgr *km);
};

/* The first member of each manager's own struct. */
struct keymgr {
    const struct keymgr_ops *ops;
    bool durable;   /* a key outlives the map that it opened; false for `ephemeral` alone */
    bool lists_all; /* a complete list has every key of the place, for any caller; false if a caller sees only
                       those of his own project. Certain only after list(). */
    char place[KEY_PLACE_MAX]; /* for keymgr_place() alone; "": not known yet */
    struct error *no_place;    /* for keymgr_place() alone: why the place could not be asked, during one
                                  operation on several keys; NULL at other times */
};

/* Opens a manager, without a request yet. -EINVAL: no such manager. */
int keymgr_open(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                struct error *e) _must_check_;
struct keymgr *keymgr_close(struct keymgr *km);
DEFINE_CLEANUP(struct keymgr *, keymgr_close)
#define _cleanup_keymgr_ _cleanup_(keymgr_closep)

/* Gets the place; "": the manager has none now. */
int keymgr_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e) _must_check_;

/* Makes the id that a key imported as `own` will have. */
int keymgr_new_id(struct keymgr *km, bool make_place, const char *own, char ret_id[KEY_ID_MAX],
                  struct error *e) _must_check_;

/* Checks a request for a key (-EINVAL); `manager` is for the sentence. */
int key_want_check(const char *manager, const struct key_info *want, struct error *e) _must_check_;

/* Do as the members of keymgr_ops say, with ids that have places; `want` is checked here for all managers
 * (-EINVAL). -EOPNOTSUPP: the manager has no such operation. The functions for several keys do each of them,
 * and return the first of the errors in k[i].error.
 *
 *     fetch        -ENOKEY only if the key is gone for good
 *     may_destroy  0 also for a key that is gone. -EACCES, or -EHOSTUNREACH where it is certain that this
 *                  place cannot destroy it; -EAGAIN where the manager cannot be reached now
 *     check_gone   0 if the key is gone for good, -EEXIST if it can be fetched; no entry in the audit trail
 *     destroy      0 also if the key is certainly gone. Destroys nothing where the id names another place
 */
int keymgr_create(struct keymgr *km, const struct key_info *want, char ret_id[KEY_ID_MAX],
                  struct secret **ret, struct error *e) _must_check_;
int keymgr_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                       struct error *e) _must_check_;
int keymgr_import(struct keymgr *km, const struct key_info *info, const struct secret *secret,
                  struct error *e) _must_check_;
int keymgr_fetch(struct keymgr *km, const char *id, struct secret **ret, struct error *e) _must_check_;
int keymgr_check_gone(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_may_destroy(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_destroy(struct keymgr *km, const char *id, struct error *e) _must_check_;
int keymgr_fetch_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e) _must_check_;
int keymgr_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e) _must_check_;
int keymgr_destroy_many(struct keymgr *km, struct key_asked k[], size_t n, struct error *e) _must_check_;
int keymgr_list(struct keymgr *km, struct key_listing *ret, struct error *e) _must_check_;
int keymgr_grant(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                 struct error *e) _must_check_;
int keymgr_diagnose(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                    struct error *e) _must_check_;

/* Splits "local:PLACE/5c0e..." (a tag's value) at the first colon. -EINVAL: not of that form, or with
 * characters that LVM takes in no tag. Does not check whether there is such a manager; keymgr_open() does. */
int key_ref_parse(const char *ref, char manager[KEY_ID_MAX], char id[KEY_ID_MAX],
                  struct error *e) _must_check_;

/* Splits PLACE/ID; *ret_own points into `id`. The place of an old id is "". */
int key_id_split(const char *id, char place[KEY_PLACE_MAX], const char **ret_own,
                 struct error *e) _must_check_;

/* key_ref_same(): whether both references may be of one key. Places do not count, since one reference may
 * lack its place; ids are random, so the same id means the same key. key_ref_order() sorts references
 * accordingly. */
int key_ref_order(const char *a, const char *b);
bool key_ref_same(const char *a, const char *b);

/* Whether the text begins like a reference, with the name of a known key manager. A domain may have any name,
 * also one with a colon in it. */
bool key_ref_looks(const char *text);

extern const struct keymgr_ops keymgr_local;
extern const struct keymgr_ops keymgr_ephemeral;
extern const struct keymgr_ops keymgr_barbican; /* agent.c: stands in for the one in mayfly-keyagent */
