/* SPDX-License-Identifier: Apache-2.0 */
/* A launch, and other verbs that make disks by the same steps: add-disks.c and add-disk.c, for an existing
 * domain, and rebuild.c. These fill in the parts of struct launch that the steps use. Private to all of them.
 *
 *     launch_check()   launch-check.c   looks, changes nothing; launch-names.c
 *     launch_design()  launch-design.c  names, uuids, sizes, XML of everything that is to be made
 *     launch_steps     launch-steps.c   makes and unmakes each
 */
#pragma once

#include "instance/operations.h"
#include "virt/domain-xml.h"

struct launch;

/* A secret in the key manager: of one instance, or of the whole batch. */
struct launch_key {
    struct key_info want;
    char id[KEY_ID_MAX];
    struct secret *secret; /* from its making until the last step that needs it */
    size_t n_uses;         /* steps that still need it */
};

struct launch_disk {
    struct launch *launch;
    struct launch_key *key; /* NULL: plain */
    struct volume v;
    char fs[8]; /* "": not formatted */
    char label[12];
    bool takes_image;
    bool takes_seed;
    bool made;
    struct opened disk; /* between opening it and writing the image or seed */
};

struct launch_instance {
    struct launch *launch;
    char name[DOMAIN_NAME_MAX];
    char uuid[UUID_TEXT];
    struct launch_disk *disks; /* into the launch's; first disk first */
    size_t n_disks;
    char *xml;
};

/* Instances whose keys are made at once, and whose disks follow, before the next chunk begins. */
#define LAUNCH_CHUNK_MAX 64

struct launch_chunk {
    struct launch *launch;
    struct launch_instance *instances; /* into the launch's */
    size_t n_instances;
    struct launch_key *keys; /* into the launch's; none if an earlier chunk makes the batch's key */
    size_t n_keys;
    bool keys_made;
};

struct launch {
    const struct context *context;
    const struct launch_request *request;
    const char *verb;            /* "launch": the object of sentences */
    const struct domain *domain; /* the model's, which gets the disks; NULL: domains are defined */
    bool live;                   /* its running guest gets them, too */
    bool apart;                  /* its definition is left to the program that writes it */
    bool closes;                 /* closes the disks after they are made, until a guest starts */
    struct domain absent;        /* `domain`, if there is none yet: its name and uuid */
    struct model *model;         /* the look before the launch */
    size_t first;                /* number of the first instance, if they are numbered */
    const struct group *group;
    struct image *image;    /* NULL: none */
    struct secret *seed;    /* from the old seed disk; NULL: made of the request */
    struct keymgr *km;      /* the context's; NULL: no encryption */
    char batch[UUID_TEXT];  /* set with --shared-key */
    uint64_t written_bytes; /* of all images */
    struct network network; /* network of its domains */
    enum domain_firmware firmware;
    uint64_t memory_bytes; /* of each domain, as in struct domain_spec */
    uint32_t vcpus;
    bool autostart;

    struct launch_instance *instances;
    size_t n_instances;
    struct launch_disk *disks;
    size_t n_disks;
    struct launch_key *keys;
    size_t n_keys;
    struct launch_chunk *chunks;
    size_t n_chunks;
    const struct volume **leads, **others; /* volumes that the two commits mark */
    size_t n_leads, n_others;
};

static inline size_t launch_disks_each(const struct launch_request *q)
{
    return (q->root_bytes ? 1 : 0) + q->n_ephemeral + (q->swap_bytes ? 1 : 0) +
           (q->seed_image || seed_wanted(&q->seed));
}

/* Checks that it can be the name of an instance; in launch-names.c. */
int launch_check_name(const struct launch_request *q, struct error *e) _must_check_;

/* Writes the name of the n-th instance: name, or name-4, name-5, ... */
void launch_name(const struct launch *l, size_t n, char field[INSTANCE_NAME_MAX]);

/* Takes the locks that are needed before the model is loaded, except in a dry run. -EBUSY: another launch is
 * taking the name. */
int launch_lock_name(const struct launch *l, struct error *e) _must_check_;

/* Fills in `first`. -EEXIST: a name is taken. */
int launch_choose_names(struct launch *l, struct error *e) _must_check_;

/* Locks the names that are not locked yet; may number the instances anew, after those of another launch.
 * launch_unlock_names() gives the first `n` back. */
int launch_lock_names(struct launch *l, struct error *e) _must_check_;
void launch_unlock_names(const struct launch *l, size_t n);

static inline bool launch_is_numbered(const struct launch_request *q)
{
    return q->numbered || q->count > 1;
}

/* Fills in model, first, group, image and km. */
int launch_check(struct launch *l, struct error *e) _must_check_;

/* Check parts of a launch: the requested disks; the key manager, which is opened; the room of the group,
 * which is found, and the image, which is opened. */
int launch_check_disks(const struct launch *l, struct error *e) _must_check_;
int launch_check_keys(struct launch *l, struct error *e) _must_check_;
int launch_check_room(struct launch *l, struct error *e) _must_check_;

int launch_design(struct launch *l, struct error *e) _must_check_;

/* Writes the definitions of all domains, after libvirt has judged the first; nothing else is made before. */
int launch_write_definitions(struct launch *l, struct error *e) _must_check_;

/* Allocate room for so many instances and disks, and add one disk: parts of launch_design(). */
int launch_allocate(struct launch *l, size_t n_instances, size_t n_disks, struct error *e) _must_check_;
struct launch_disk *launch_add_ephemeral(struct launch_instance *i, struct launch_key *key, unsigned number,
                                         const struct launch_ephemeral *asked);
struct launch_disk *launch_add_seed_disk(struct launch_instance *i, struct launch_key *key, uint64_t bytes);

/* Checks the request's seed, for an instance of this name. */
int launch_check_seed(const struct launch *l, const char *name, struct error *e) _must_check_;

/* Reads l->seed from an old disk. */
int launch_read_seed(const struct context *c, struct launch *l, const struct volume *old,
                     struct error *e) _must_check_;

/* Adds the steps that give the disks to an existing domain: all chunks, its definition, the commit. */
int launch_add_to_domain(struct steps *s, struct launch *l, struct error *e) _must_check_;

/* Adds the steps that open the disks of the chunk, and write image, seed and file systems. A disk that would
 * only be opened and closed is skipped. */
int launch_add_contents(struct steps *s, struct launch_chunk *k, struct error *e) _must_check_;

/* Adds the steps that close all disks, or wait for their device nodes, before anybody else uses them. */
int launch_add_settling(struct steps *s, struct launch *l, struct error *e) _must_check_;

/* Finds the disks of the chunk that take the image: at most one of each instance. Returns how many. */
size_t launch_image_disks(const struct launch_chunk *k, struct launch_disk *disks[LAUNCH_CHUNK_MAX]);

/* Warns of plain disks, and runs it unless it is a dry run. */
int launch_run(const struct launch *l, struct steps *plan, struct error *e) _must_check_;

/* Lists names and uuids of the instances; the caller frees *ret. */
int launch_tell(const struct launch *l, struct launched **ret, struct error *e) _must_check_;

/* Frees the contents, not the struct. */
struct launch *launch_free(struct launch *l);
DEFINE_CLEANUP(struct launch *, launch_free)

/* Sets the tags that depend on the key: its reference and the check value. This is one of the key's n_uses.
 */
int launch_set_key_tags(struct launch_disk *d, struct error *e) _must_check_;

/* Steps; the comment behind each names its object. */
step_fn launch_lock_instance;                                            /* launch_instance */
step_fn launch_lock_batch;                                               /* launch */
step_fn launch_create_keys, launch_create_keys_undo, launch_write_image; /* launch_chunk */
step_fn launch_create_volume, launch_create_volume_undo, launch_open, launch_open_undo, launch_write_seed,
    launch_format, launch_attach, launch_attach_undo;                           /* disk */
step_fn launch_define, launch_define_undo, launch_autostart, launch_close_maps; /* launch_instance */
step_fn launch_settle, launch_settle_disks;                                     /* launch */
step_fn launch_others_ready, launch_others_doomed, launch_leads_ready, launch_leads_doomed; /* launch */
steps_fn launch_start; /* launch_instance */
step_fn launch_start_undo;

/* Gives back the locks of the instances, after a launch that went well. */
void launch_let_go(const struct launch *l);

/* Gives back the lock of the instance, after disks were added to its domain. Warns if somebody has started
 * the guest meanwhile from the old definition. libvirt is asked after the lock is given back: the hook of
 * such a start waits for the lock. */
void launch_let_domain_go(const struct launch *l);
