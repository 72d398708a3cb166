/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at all domains of the host, for running ones that have a disk of another instance. libvirt asks no
 * hook when a disk is attached to a running guest, so listings look here.
 *
 *     libvirt: XML of all --> paths --stat--> numbers --lineage_of--> whose?
 */
#pragma once

#include "instance/context.h"
#include "storage/lineage.h"

/* A running domain has this. */
struct disk_use {
    const struct domain_sides *domain;
    const struct disk_view *disk;
    const struct domain_source *source;
    struct reached reached; /* a map of another instance; or a volume that has the name of an instance's */
};

struct survey {
    struct virt_views views; /* none without libvirt */
    struct disk_use *uses;
    size_t n_uses;
    struct error why; /* it is not whole, for this reason; errnum 0: it is */
};

/* The caller ends *ret. */
void survey_make(const struct context *c, struct survey *ret);
void survey_end(struct survey *s);
#define _cleanup_survey_ _cleanup_(survey_end)

/* What Nova says of the domain of this uuid; empty where it says nothing. */
const struct nova_server *survey_nova(const struct survey *s, const char *uuid);

/* NULL: there was none of this uuid. */
const struct domain_sides *survey_domain(const struct survey *s, const char *uuid);
