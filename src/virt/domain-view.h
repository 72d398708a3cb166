/* SPDX-License-Identifier: Apache-2.0 */
/* What the XML of a domain says that Mayfly looks at: its identity, our mark, and where each of its disks
 * leads, through overlays and block jobs too. It is read from libvirt and from the standard input of its hook
 * alike. */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* How a disk has come by a source. */
enum source_use {
    SOURCE_TOP,     /* the guest writes there */
    SOURCE_BACKING, /* below that, in its backing chain: read, and written by a block commit */
    SOURCE_MIRROR,  /* a block job copies what the guest writes there (blockcopy, an active blockcommit) */
    SOURCE_DATA     /* an external data file of one of these */
};

struct domain_source {
    enum source_use use;
    bool volume; /* path is POOL/VOLUME, of a storage pool of libvirt's that does not say where it is */
    char *path;  /* of a device or file; what libvirt calls the name of what is on a network */
};

struct disk_view {
    char *target; /* vda */
    char *serial; /* NULL: none */
    struct domain_source *sources;
    size_t n_sources;
};

/* What OpenStack Nova has written of its server into the metadata of the domain. NULL: it is not there. */
struct nova_server {
    char *name;
    char *project, *project_id;
};

struct domain_view {
    bool found;   /* false: nothing was there to be looked at */
    bool running; /* it is the XML of what runs, not a definition */
    bool ours;    /* our mark is in its metadata */
    bool save_refused;
    char *name, *uuid; /* as they are written there; NULL: not at all */
    char *nvram;       /* file with its UEFI variables; NULL: none named */
    bool nvram_own;    /* its name is made of the uuid (domain-nvram.h) */
    struct nova_server nova;
    struct disk_view *disks;
    size_t n_disks;
};

/* *ret is to be ended, also after an error. -EINVAL: it is no definition of a domain. */
int domain_view_read(const char *xml, struct domain_view *ret, struct error *e) _must_check_;
void domain_view_end(struct domain_view *v);
#define _cleanup_domain_view_ _cleanup_(domain_view_end)

/* The source that the guest reads and writes through; NULL: an empty drive. */
const struct domain_source *disk_view_top(const struct disk_view *d);
