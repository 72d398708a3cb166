/* SPDX-License-Identifier: Apache-2.0 */
/* New disks with their keys, and the steps that make them: what launch, add-disks, add-disk and rebuild have
 * in common. Private to these.
 *
 *     struct new_disks      all that one run makes, and what it is made from
 *       struct recipient    an instance that gets disks: it is launched now, or was there before
 *         struct new_disk   a volume, its key, and what is written to it
 *       struct new_key      a secret, of one recipient or of all
 *       struct new_chunk    recipients whose keys are made at once
 *
 * The verb fills in the structs, and adds the steps to its list. It frees what it lends.
 */
#pragma once

#include "instance/operations.h"

#define NEW_DISKS_EACH_MAX (WANTED_EPHEMERALS_MAX + 3) /* plus root, swap, seed */

struct new_disks;

/* A secret in the key manager. */
struct new_key {
    struct key_info want;
    char id[KEY_ID_MAX];
    struct secret *secret; /* from its making until the last step that needs it */
    size_t n_uses;         /* steps that still need it */
};

struct new_disk {
    const struct recipient *recipient;
    struct new_key *key; /* NULL: plain */
    struct volume v;
    char fs[FS_MAX]; /* "": not formatted */
    char label[12];
    bool takes_image;
    bool takes_seed;
    bool made;
    struct opened disk; /* between opening it and writing the image or seed */
};

struct recipient {
    struct new_disks *all;
    char name[DOMAIN_NAME_MAX];
    char uuid[UUID_TEXT];
    unsigned number;        /* in the name; 0: it has none */
    struct new_disk *disks; /* into all->disks; first disk first */
    size_t n_disks;
};

/* Recipients whose keys are made at once, and whose disks follow, before the next chunk begins. */
#define NEW_CHUNK_MAX 64

struct new_chunk {
    struct new_disks *all;
    struct recipient *recipients; /* into all->recipients */
    size_t n_recipients;
    struct new_key *keys; /* into all->keys */
    size_t n_keys;        /* 0: none is made for this chunk */
    bool keys_made;
};

struct new_disks {
    const struct context *context;
    const struct inventory *before;        /* the look before: a key that it names is not of this run */
    const struct group *group;             /* of new volumes; NULL: no volume is new */
    struct keymgr *km;                     /* the context's; NULL: no encryption */
    struct image *image;                   /* NULL: none */
    const char *image_path;                /* its name in sentences */
    const struct wanted_seed *wanted_seed; /* what seeds are made of; NULL: none is made */
    const struct secret *seed;             /* the contents of the seed disk; NULL: made of wanted_seed */
    enum volume_engine engine;             /* of those that are encrypted */
    bool closes;                           /* disks are closed after they are made, until a guest starts */
    uint64_t written_bytes;                /* of all images */

    /* What was asked for; not in a rebuild, whose disks are as the old ones. */
    const char *verb;                  /* "launch": in sentences, and in the audit trail */
    const char *name;                  /* of the instances, in sentences */
    const struct wanted_disks *wanted; /* of each recipient */
    bool dry_run;                      /* no step is run */

    struct recipient *recipients;
    size_t n_recipients;
    struct new_disk *disks;
    size_t n_disks;
    struct new_key *keys;
    size_t n_keys;
    struct new_chunk *chunks;
    size_t n_chunks;
    const struct volume **leads, **others; /* volumes that the two commits mark */
    size_t n_leads, n_others;
};

/* ---- new-disks-check.c: what was asked for. */

/* Checks the wanted disks. */
int new_disks_check(const struct new_disks *n, struct error *e) _must_check_;

/* Finds the group, checks its room for so many recipients, and opens the image. `before` is set. */
int new_disks_check_room(struct new_disks *n, size_t n_recipients, struct error *e) _must_check_;

/* ---- new-disks.c: the design. */

/* Returns the size of the seed disk of each recipient; 0: they have none. */
uint64_t new_disks_seed_bytes(const struct new_disks *n);

/* Returns how many disks each recipient gets. */
size_t new_disks_each(const struct new_disks *n);

/* Allocates room for so many recipients and disks. */
int new_disks_allocate(struct new_disks *n, size_t n_recipients, size_t n_disks,
                       struct error *e) _must_check_;

/* Allocates room for one recipient of this name and uuid, and its disks. */
int new_disks_allocate_one(struct new_disks *n, size_t n_disks, const char *name, const char *uuid,
                           struct error *e) _must_check_;

/* Makes one chunk of the only recipient. `n_keys`: 1 if its key is made, too. */
void new_disks_add_chunk(struct new_disks *n, size_t n_keys);

/* Describes the next key. It belongs to `owner`, and is for disks of the group `vg`. */
struct new_key *new_disks_add_key(struct new_disks *n, const char *owner, const char *vg,
                                  enum key_scope scope);

/* Adds all wanted disks; or one. The key may be NULL. */
void recipient_add_disks(struct recipient *i, struct new_key *key);
struct new_disk *recipient_add_ephemeral(struct recipient *i, struct new_key *key, unsigned number,
                                         const struct wanted_ephemeral *wanted);
struct new_disk *recipient_add_seed(struct recipient *i, struct new_key *key);

/* Notes its disks for the two commits. For a recipient without disks of before: its first disk is new, too.
 */
void recipient_note_commits(struct recipient *i);

/* Frees the contents, not the struct. */
struct new_disks *new_disks_free(struct new_disks *n);

/* ---- new-disks-plan.c: the list of steps. */

/* Adds the steps that make all chunks: keys, volumes, contents. */
int new_disks_add_steps(struct steps *s, struct new_disks *n, struct error *e) _must_check_;

/* Adds the step that makes the keys of the chunk, if any is to be made. */
int new_disks_add_keys(struct steps *s, struct new_chunk *k, struct error *e) _must_check_;

/* Adds the steps that open the disks of the chunk, and write image, seed and file systems. A disk that would
 * only be opened and closed is skipped. */
int new_disks_add_contents(struct steps *s, struct new_chunk *k, struct error *e) _must_check_;

/* Adds the steps that close all disks, or wait for their device nodes, before anybody else uses them. */
int new_disks_add_settling(struct steps *s, struct new_disks *n, struct error *e) _must_check_;

/* Adds the two commits. Their undo dooms the disks. */
int new_disks_add_commits(struct steps *s, struct new_disks *n, struct error *e) _must_check_;

/* Warns of plain disks, and runs the steps unless it is a dry run. */
int new_disks_run(const struct new_disks *n, struct steps *plan, struct error *e) _must_check_;

/* ---- new-disks-steps.c */

/* Finds the disks of the chunk that take the image: at most one of each recipient. Returns how many. */
size_t new_chunk_image_disks(const struct new_chunk *k, struct new_disk *disks[NEW_CHUNK_MAX]);

/* Sets the tags that depend on the key: its reference and the check value. This is one of the key's n_uses.
 */
int new_disk_set_key_tags(struct new_disk *d, struct error *e) _must_check_;

/* Steps; the comment behind each names its object. */
step_fn new_keys_create, new_keys_create_undo, new_chunk_write_image; /* new_chunk */
step_fn new_disk_create_volume, new_disk_create_volume_undo, new_disk_open, new_disk_open_undo,
    new_disk_write_seed, new_disk_format; /* new_disk */
step_fn recipient_close_maps;             /* recipient */
step_fn new_disks_settle, new_disks_others_ready, new_disks_others_doomed, new_disks_leads_ready,
    new_disks_leads_doomed; /* new_disks */
