/* SPDX-License-Identifier: Apache-2.0 */
/* One run of recover: its looks, its locks and its lines; private to recover*.c. */
#pragma once

#include "instance/key-list.h"
#include "instance/operations.h"

#define RECOVERED_OBJECT_MAX sizeof(((struct recovered *)0)->object)

struct recovery {
    struct context context; /* the caller's, without libvirt if that cannot be reached */
    bool dry_run;
    bool quick;
    bool planning;               /* see recover.c; then dry_run, too */
    struct model *model;         /* the first look; after planning, the look under the locks */
    struct suspended *suspended; /* volumes, as seen with the model */
    size_t n_suspended;
    struct key_list *keys; /* of the first look. Its volumes must not be used: they belong to a freed model */

    char (*planned)[UUID_TEXT]; /* of instances, and of owners of keys, that something is to be done about */
    size_t n_planned;
    char (*locked)[UUID_TEXT];
    size_t n_locked;

    struct recovered *done; /* lines of the result */
    size_t n_done;
    size_t n_remains; /* lines that are RECOVER_REMAINS */
    int reason;       /* of RECOVER_REMAINS, if all agree (recovery_remains()); else -ENEEDSRECOVER */
};

/* What a line is about. */
struct subject {
    const char *uuid; /* of the instance, or of the key's owner; NULL: of none */
    char object[RECOVERED_OBJECT_MAX];
};
struct subject subject_instance(const struct instance *i);
struct subject subject_volume(const char *instance, const char *vg, const char *lv);
struct subject subject_map(const char *instance, const struct map *map);
struct subject subject_key(const char *owner, const char *ref);
struct subject subject_manager(const char *name);

/* True if this run may act on the uuid. While planning: on all; then on what it has locked. */
bool recovery_may_act(const struct recovery *r, const char *uuid);

/* Adds a line of a kind other than RECOVER_REMAINS. */
int recovery_tell(struct recovery *r, enum recover_kind kind, const struct subject *about, struct error *e,
                  const char *format, ...) _printf_(5, 6) _must_check_;

/* Adds a line about something that was not put in order. Two values of `errnum` say who can do it: the same
 * caller, later (-EHOSTUNREACH); another caller (-EACCES). */
int recovery_remains(struct recovery *r, const struct subject *about, int errnum, struct error *e,
                     const char *format, ...) _printf_(5, 6) _must_check_;

/* Adds the line of an act: done (`errnum` 0), or why not. Returns -errno only if memory ran out, or the user
 * stops recover. */
int recovery_settle(struct recovery *r, enum recover_kind kind, const struct subject *about,
                    const char *done_text, int errnum, const struct error *why, struct error *e) _must_check_;

/* Notes the uuids of the lines as planned. */
int recovery_plan_lines(struct recovery *r, const struct recovered lines[], size_t n,
                        struct error *e) _must_check_;

/* Locks the uuid of the subject if it is planned. Adds a line if another mayfly has it. */
int recovery_lock(struct recovery *r, const struct subject *about, struct error *e) _must_check_;
