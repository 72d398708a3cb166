/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at all domains of the host, for running ones that have a disk of another instance. libvirt asks no
 * hook when a disk is attached to a running guest, so listings look here.
 *
 *     libvirt: XML of all --> paths --stat--> numbers --lineage_of--> whose?
 */
#pragma once

#include "instance/context.h"
#include "storage/lineage.h"

/* A disk that a running domain has. */
struct disk_use {
    const struct domain_sides *domain;
    const struct disk_view *disk;
    const struct domain_source *source;
    struct reached reached; /* a map of another instance; or a volume with the name of an instance's volume */
};

struct survey {
    struct virt_views views; /* empty without libvirt */
    struct disk_use *uses;
    size_t n_uses;
    struct error why; /* why the survey is incomplete; errnum 0: it is complete */
};

/* Makes the survey, which the caller ends. */
void survey_make(const struct context *c, struct survey *ret);
void survey_end(struct survey *s);
#define _cleanup_survey_ _cleanup_(survey_end)

/* Returns Nova's notes about the domain of this uuid; empty: none. */
const struct nova_server *survey_nova(const struct survey *s, const char *uuid);

/* Returns the domain of this uuid; NULL: there was none. */
const struct domain_sides *survey_domain(const struct survey *s, const char *uuid);
