/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what people have done to an instance without Mayfly, by virsh, mount or another tool, for all verbs:
 *
 *     verb: which of it stops me, of which do I warn?  --> drift_check() --> refused, with the way out
 *     list, show, doctor: what is there?               --> drift_look()  --> findings
 */
#pragma once

#include "instance/model.h"
#include "instance/survey.h"

enum drift_kind {
#define DRIFT_KIND(kind, name, meaning) DRIFT_##kind,
#include "instance/drift.def"
#undef DRIFT_KIND
    DRIFT_KINDS
};

#define HOLDER_WAIT_MSEC 5000 /* see struct context */

#define DRIFT(kind) (1U << DRIFT_##kind)
#define DRIFT_ALL   ((1U << DRIFT_KINDS) - 1)

/* The guest does not write to the volume, or not only to the volume. */
#define DRIFT_ELSEWHERE (DRIFT(OVERLAY) | DRIFT(BLOCK_COPY) | DRIFT(REPLACED))

const char *drift_name(enum drift_kind kind); /* for programs: "managed-save", "held", ... */

struct drift_finding {
    enum drift_kind kind;
    const struct volume *disk; /* NULL: it concerns all of the instance */
    int errnum;                /* error of a verb that it stops; 0: it stops none */
    char text[400];            /* the fact and the way out; begins with a small letter */
};

struct drift {
    struct drift_finding *found; /* in the order of the kinds */
    size_t n;
};

/* Looks for these kinds, with the answers of `survey` in place of questions to libvirt. The caller ends *ret.
 */
int drift_look(const struct context *c, const struct model *m, const struct survey *survey,
               const struct instance *i, unsigned kinds, struct drift *ret, struct error *e) _must_check_;
void drift_end(struct drift *d);
#define _cleanup_drift_ _cleanup_(drift_end)

/* What a verb needs. SHARED and NVRAM need all domains, and are not looked for. libvirt is asked for the XML
 * if a kind depends on it: all but UNKNOWN to HELD, and RENAMED. */
struct drift_need {
    const char *cannot;        /* "cannot be started" */
    unsigned refused;          /* kinds that stop the verb */
    unsigned told;             /* kinds that it only warns of */
    const struct volume *disk; /* only this disk counts; NULL: all that are ready */
    bool idle;                 /* no guest has the disks, as the caller knows */
};

/* Returns 0, or the first finding that stops the verb, as an error: "instance web: cannot be started: ...".
 * An instance without volumes is a domain that is about to become an instance. */
int drift_check(const struct context *c, const struct model *m, const struct instance *i,
                const struct drift_need *need, struct error *e) _must_check_;

/* Checks again as drift_check() does, by a new look, just before a point of no return, for an instance whose
 * guest has been ended. -EBUSY also if somebody has started it since. */
int drift_check_ended(const struct context *c, const char *uuid, const struct drift_need *need,
                      struct error *e) _must_check_;
