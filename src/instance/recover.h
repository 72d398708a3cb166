/* SPDX-License-Identifier: Apache-2.0 */
/* One run of recover; private to recover*.c. */
#pragma once

#include "instance/key-list.h"
#include "instance/operations.h"

struct recovery {
    struct context context; /* the caller's, without libvirt where that cannot be asked */
    bool dry_run;
    bool quick;
    struct model *model; /* as seen under the locks */

    /* At first nothing is held, and nothing done: what there would be to do is noted by the uuids that are
     * to be locked for it, of instances and of owners of keys. */
    bool noting;
    const char *about; /* the uuid that is looked at */
    char (*noted)[UUID_TEXT];
    size_t n_noted;

    struct suspended *suspended; /* volumes, as seen with the model */
    size_t n_suspended;

    char (*held)[UUID_TEXT]; /* locks */
    size_t n_held;
    struct key_list *keys; /* as listed before the locks were taken; not for its volumes, which were a model's
                              that is gone */

    struct recovered *done;
    size_t n_done;
    size_t n_remains;
    int reason; /* why all of it remains, if that is one (see recovery_remains()); else -ENEEDSRECOVER */
};

/* Is something to be done about this uuid now? Then that is what the next lines are about. */
bool recovery_takes(struct recovery *r, const char *uuid);

/* Adds a line to the result, of a kind other than RECOVER_REMAINS. */
int recovery_tell(struct recovery *r, enum recover_kind kind, const char *object, struct error *e,
                  const char *format, ...) _printf_(5, 6) _must_check_;

/* Adds a line about what could not be put in order. `errnum` counts where it says who has to come: nobody but
 * the same caller, later (-EHOSTUNREACH), or another caller (-EACCES). */
int recovery_remains(struct recovery *r, const char *object, int errnum, struct error *e, const char *format,
                     ...) _printf_(5, 6) _must_check_;

/* What is true of a thing that was to be put in order: done (errnum 0), or why not. Returns -errno only if
 * memory ran out. */
int recovery_settle(struct recovery *r, enum recover_kind kind, const char *object, const char *done_text,
                    int errnum, const struct error *why, struct error *e) _must_check_;

#define RECOVERED_OBJECT_MAX sizeof(((struct recovered *)0)->object)

/* Locks the uuid if something was noted of it; says in the result if another has it. */
int recovery_lock(struct recovery *r, const char *uuid, const char *object, struct error *e) _must_check_;

/* recover-suspended.c */
int recovery_lock_suspended(struct recovery *r, struct error *e) _must_check_;
int recovery_resume(struct recovery *r, struct error *e) _must_check_;

/* recover-keys.c */
int recovery_list_keys(struct recovery *r, const struct inventory *inventory, struct error *e) _must_check_;
int recovery_destroy_keys(struct recovery *r, struct error *e) _must_check_;
bool recovery_has_unnamed_key(const struct recovery *r,
                              const char *owner); /* to be destroyed, if that is sure */
int recovery_check_key(struct recovery *r, const struct instance *i, struct error *e) _must_check_;

/* Destroys the copy of the key that the adoption of this instance, which was cut off, has made; no other. */
int recovery_destroy_copy(struct recovery *r, const struct volume *lead, struct error *e) _must_check_;

/* recover-disks.c */
int recovery_instance(struct recovery *r, const struct instance *i, struct error *e) _must_check_;
int recovery_orphan_maps(struct recovery *r, struct error *e) _must_check_;

/* recover-adopt.c: gives all disks of the instance back; marks those ready that still are adopting. */
int recovery_release(struct recovery *r, const struct instance *i, struct error *e) _must_check_;
int recovery_adopt(struct recovery *r, const struct instance *i, struct error *e) _must_check_;

/* The instance that a map of ours belongs to, by its name; false: it is not of that form. */
bool map_instance(const struct map *map, char uuid[UUID_TEXT]);
