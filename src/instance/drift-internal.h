/* SPDX-License-Identifier: Apache-2.0 */
/* Private to drift*.c. */
#pragma once

#include "instance/drift.h"

/* One look at one instance. */
struct drift_search {
    const struct context *context;
    const struct model *model;
    const struct instance *instance;
    const struct domain *domain; /* NULL: there is none, or libvirt cannot be asked */
    const struct survey *survey; /* NULL: libvirt is asked about this domain alone */
    unsigned kinds;
    const struct volume *only;
    bool idle; /* no guest uses its disks: any user is somebody else */
    struct drift *result;
    bool out_of_memory;
};

static inline bool drift_wanted(const struct drift_search *s, enum drift_kind kind)
{
    return s->kinds & (1U << kind);
}

/* Adds a finding, if the caller looks for that kind. */
void drift_add(struct drift_search *s, enum drift_kind kind, const struct volume *disk, int errnum,
               const char *format, ...) _printf_(5, 6);

/* Compares the disks of definition and guest with those of the instance; in drift-disks.c. */
int drift_compare_disks(struct drift_search *s, struct error *e) _must_check_;

/* Finds by the survey what the instance shares with other domains; in drift-shared.c. */
void drift_find_shared(struct drift_search *s);
