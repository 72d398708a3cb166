/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a domain's XML that Mayfly looks at: its identity, our mark, and where each of its disks
 * leads, through overlays and block jobs too. The XML comes from libvirt, or from the standard input of its
 * hook. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* How a disk uses a source. */
enum source_use {
    SOURCE_TOP,     /* the guest writes there */
    SOURCE_BACKING, /* below the top, in the backing chain: read, and written by a block commit */
    SOURCE_MIRROR,  /* a block job (blockcopy, active blockcommit) copies the guest's writes there */
    SOURCE_DATA     /* an external data file of one of the others */
};

struct domain_source {
    enum source_use use;
    bool volume; /* path is POOL/VOLUME, of a libvirt storage pool whose folder is not in the XML */
    char *path;  /* of a device or file; of a network disk, libvirt's name for it */
};

struct disk_view {
    char *target; /* vda */
    char *serial; /* NULL: none */
    struct domain_source *sources;
    size_t n_sources;
};

/* OpenStack Nova's notes about its server in the metadata of the domain. NULL: absent. */
struct nova_server {
    char *name;
    char *project, *project_id;
};

struct domain_view {
    bool found;   /* false: there was nothing to look at */
    bool running; /* this is the XML of the running guest, not the definition */
    bool ours;    /* our mark is in its metadata */
    bool save_refused;
    char *name, *uuid; /* as written in the XML; NULL: missing */
    char *nvram;       /* file with its UEFI variables; NULL: none named */
    bool nvram_own;    /* named by the uuid (domain-nvram.h) */
    struct nova_server nova;
    struct disk_view *disks;
    size_t n_disks;
};

/* Reads the XML of a domain. `nvram_folder`: see domain-nvram.h. The caller ends *ret, also after an error.
 * -EINVAL: not the definition of a domain. */
int domain_view_read(const char *xml, const char *nvram_folder, struct domain_view *ret,
                     struct error *e) _must_check_;
void domain_view_end(struct domain_view *v);
#define _cleanup_domain_view_ _cleanup_(domain_view_end)

/* Returns the source that the guest reads and writes; NULL: an empty drive. */
const struct domain_source *disk_view_top(const struct disk_view *d);
