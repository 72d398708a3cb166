/* SPDX-License-Identifier: Apache-2.0 */
/* What one run of recover has noted, locked and done; private to recover*.c. */
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
