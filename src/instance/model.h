/* SPDX-License-Identifier: Apache-2.0 */
/* Instances as people see them, put together from volumes, maps and libvirt's domains. */
#pragma once

#include "instance/context.h"

enum instance_state {
    INSTANCE_RUNNING,    /* its domain is active: running, paused, ... */
    INSTANCE_SHUT_OFF,   /* its domain is not active, and its disks are closed */
    INSTANCE_OPEN,       /* its domain is not active, but a disk is open */
    INSTANCE_BUILDING,   /* a launch is at work, or was cut off: recover removes it */
    INSTANCE_ADOPTING,   /* an adoption is at work, or was cut off: recover gives its disks back */
    INSTANCE_REBUILDING, /* a rebuild is at work, or was cut off: only another, or a delete, ends that */
    INSTANCE_DOOMED,     /* a delete is at work, or was cut off: recover finishes it */
    INSTANCE_NO_DOMAIN,  /* its volumes are ready, but libvirt knows no such domain */
    INSTANCE_UNKNOWN     /* its volumes are ready, but libvirt could not be asked for its domain */
};

struct instance {
    char uuid[UUID_TEXT];
    char name[DOMAIN_NAME_MAX]; /* libvirt's name, else the one in the tags */
    enum instance_state state;
    enum domain_state domain_state; /* if the state is INSTANCE_RUNNING */
    bool domain_known;              /* false: libvirt could not be asked */
    const struct volume **volumes;  /* into the model's inventory, first disk first */
    size_t n_volumes;
    const struct volume
        *snapshot; /* not one of its disks: the snapshot of an export, at work or cut off; NULL: none */
};

/* Returns "shut off", "building", ...; if its domain is active, libvirt's word: "running", "paused", ... */
const char *instance_state_name(const struct instance *i);

struct model {
    struct inventory *inventory;
    struct domain *domains; /* sorted by uuid */
    size_t n_domains;
    struct instance *instances; /* sorted by name */
    size_t n_instances;

    /* Locks, by uuid, that model_free() gives back; see lock.h. */
    char (*locked)[UUID_TEXT];
    size_t n_locked;
    const struct context *locked_by; /* outlives the model */
    void (*unlock)(struct model *m); /* model_unlock() once there is a lock */
};

/* Asks the broker, and libvirt if c->virt is not NULL: few questions, however many instances there are.
 * model_load() does not ask whether domains are `ours` or `rescued`; model_load_whole() asks that for each
 * domain. model_ask_domain() asks libvirt again for all about the domain of this uuid. */
int model_load(const struct context *c, struct model **ret, struct error *e) _must_check_;
int model_load_whole(const struct context *c, struct model **ret, struct error *e) _must_check_;
int model_ask_domain(const struct context *c, struct model *m, const char *uuid,
                     struct error *e) _must_check_;

/* Load a model in two parts; after the first it has only domains. */
int model_load_domains(const struct context *c, struct model **ret, struct error *e) _must_check_;
int model_load_volumes(const struct context *c, struct model *m, struct error *e) _must_check_;

/* Does the rest of model_load(), if inventory and domains are there. */
int model_put_together(struct model *m, bool domains_known, struct error *e) _must_check_;

/* Gives back the model's locks, and closes the disks of guests that ended meanwhile. */
struct model *model_free(struct model *m);
DEFINE_CLEANUP(struct model *, model_free)
#define _cleanup_model_ _cleanup_(model_freep)

/* Finds an instance by name or uuid. -ENOENT; -EINVAL: several have the name. */
int model_find(const struct model *m, const char *name_or_uuid, const struct instance **ret,
               struct error *e) _must_check_;

/* Returns the map of the volume, which belongs to the model; NULL: there is none. */
const struct map *model_map_of(const struct model *m, const struct volume *v);

/* True if one of its encrypted disks is open. */
bool model_is_open(const struct model *m, const struct instance *i);
const struct domain *model_domain_of(const struct model *m, const char *uuid);

/* True if a process serves one of its disks to the guest, or will. */
bool instance_is_served(const struct instance *i);

/* Returns the disk of this role, or with this alias; NULL: none. */
const struct volume *instance_disk(const struct instance *i, const char *role_or_alias);

/* Returns the rescue disk, in whatever state; NULL: none. */
const struct volume *instance_rescue_disk(const struct instance *i);

/* True if the instance starts from its rescue disk. */
bool instance_in_rescue(const struct instance *i);

/* Checks that nothing depends on the volumes, such as a snapshot that others have made, which LVM would
 * remove or change with them: -EUNSAFE. To be called before anything is changed; the broker checks again. */
int model_check_no_dependents(const struct model *m, const struct volume *const volumes[], size_t n,
                              struct error *e) _must_check_;

/* True if one of its volumes has damaged tags. */
bool model_damaged(const struct model *m, const char *uuid);

/* Checks that the instance is not in rescue (-EBUSY), in which its disks and definition must not be
 * changed. */
int model_check_not_in_rescue(const struct instance *i, struct error *e) _must_check_;

/* Checks that all of its volumes are ready. -ENEEDSRECOVER; -EUNSAFE: damaged tags. */
int model_check_ready(const struct model *m, const struct instance *i, struct error *e) _must_check_;
