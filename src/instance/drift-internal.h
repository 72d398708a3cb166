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
    bool idle; /* no guest uses its disks: who does is somebody else */
    struct drift *result;
    bool out_of_memory;
};

static inline bool drift_wanted(const struct drift_search *s, enum drift_kind kind)
{
    return s->kinds & (1U << kind);
}

/* Adds a finding, if that kind is looked for. */
void drift_add(struct drift_search *s, enum drift_kind kind, const struct volume *disk, int errnum,
               const char *format, ...) _printf_(5, 6);

/* drift-disks.c: what the definition and the guest say of its disks. */
int drift_compare_disks(struct drift_search *s, struct error *e) _must_check_;

/* drift-shared.c: what it has in common with other domains, by the survey. */
void drift_find_shared(struct drift_search *s);
