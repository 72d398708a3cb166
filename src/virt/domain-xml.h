/* SPDX-License-Identifier: Apache-2.0 */
/* The libvirt XML of an instance: a template (built in, or the operator's own) with name, uuid, memory,
 * vcpus, our metadata and our disks put in. Disks are vda, vdb, ... in the order given, behind those that the
 * template has itself (whose target names are kept). */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define DOMAIN_XML_NAMESPACE "urn:mayfly:domain:1"

struct domain_disk {
    const char *device_path;
    const char *serial;    /* shown in the guest below /dev/disk/by-id */
    uint32_t sector_bytes; /* 4096: <blockio logical_block_size='512' physical_block_size='4096'/> */
};

struct domain_spec {
    const char *name, *uuid;
    uint64_t memory_bytes; /* 0: what the template says */
    uint32_t vcpus;        /* 0: what the template says */
    const struct domain_disk *disks;
    size_t n_disks;
};

/* `template_xml` NULL: the built-in one. The caller frees *ret_xml. -EINVAL: the template is not well-formed,
 * or not a <domain>. */
int domain_xml(const struct domain_spec *spec, const char *template_xml, char **ret_xml,
               struct error *e) _must_check_;
