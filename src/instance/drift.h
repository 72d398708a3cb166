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
    DRIFT_UNKNOWN,    /* libvirt cannot be asked, so nothing below but DRIFT_HELD is known */
    DRIFT_UNDEFINED,  /* libvirt has no domain of its uuid */
    DRIFT_TRANSIENT,  /* its domain was undefined while it runs: libvirt forgets it when it ends */
    DRIFT_HALTED,     /* its domain is paused, crashed or pmsuspended: the guest answers nothing */
    DRIFT_ENDING,     /* its domain is in shutdown */
    DRIFT_SAVED,      /* a managed save: the next start resumes the memory in it */
    DRIFT_HELD,       /* something on the host uses a disk: a mount, swap, another map, a process */
    DRIFT_OVERLAY,    /* a disk-only snapshot: the guest writes to another file, unencrypted */
    DRIFT_BLOCK_COPY, /* a block job copies what the guest writes to another file, unencrypted */
    DRIFT_REPLACED,   /* the domain has something else under the serial number of the disk */
    DRIFT_BARE,       /* the domain names the volume below the encrypted disk */
    DRIFT_SHARED,     /* another running domain has a disk of it, or its guest has one of another instance */
    DRIFT_MISSING,    /* the definition does not name the disk */
    DRIFT_NOT_IN_GUEST, /* the running guest does not have the disk, though the definition names it */
    DRIFT_NVRAM,        /* the file of its UEFI variables is another domain's too, or was not made for it */
    DRIFT_MARK_LOST,    /* Mayfly made the definition, but the mark is gone */
    DRIFT_RENAMED,      /* libvirt's name is not the one in the tags */
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
