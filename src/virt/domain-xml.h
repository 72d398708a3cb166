/* SPDX-License-Identifier: Apache-2.0 */
/* The libvirt XML of an instance: a template (built in, or the operator's own) with name, uuid, memory,
 * vcpus, our metadata and our disks put in. Disks are vda, vdb, ... in the order given, behind those that the
 * template has itself (whose target names are kept). They share an I/O thread, or those of the template. */
#pragma once

#include "base/error.h"
#include "virt/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMAIN_XML_NAMESPACE "urn:mayfly:domain:1"
#define TRIAL_XML_NAMESPACE                                                                                  \
    "urn:mayfly:trial:1" /* in place of that, in what is defined for libvirt's verdict alone */
#define TRIAL_NAME           "mayfly-trial-" /* and the uuid: its name */
#define DOMAIN_XML_MAX_BYTES (1 << 20)       /* a longer template is refused */

struct domain_disk {
    const char *device_path;
    bool vhost_user;       /* device_path is a socket, and of the rest nothing counts */
    const char *serial;    /* the guest finds its first 20 characters below /dev/disk/by-id; NULL: none */
    uint32_t sector_bytes; /* 4096: <blockio logical_block_size='512' physical_block_size='4096'/> */
    bool discard;          /* the guest's discards go down to the device */
    bool io_uring;         /* in place of Linux AIO */
    bool read_only;
};

enum domain_firmware {
    FIRMWARE_TEMPLATE, /* what that says */
    FIRMWARE_BIOS,
    FIRMWARE_UEFI /* of libvirt's choice */
};

struct domain_spec {
    const char *name, *uuid;
    const char *nvram;     /* what virt_try() said of the same template: NULL: it has no UEFI variables */
    bool trial;            /* for virt_try(): its name is another, and it has no mark of ours */
    uint64_t memory_bytes; /* 0: what the template says */
    uint32_t vcpus;        /* 0: what the template says */
    bool kvm;              /* virt_offers(); looked at for the built-in template alone */
    enum domain_firmware firmware;
    struct network network; /* of an interface beside those that the template has */
    const struct domain_disk *disks;
    size_t n_disks;
};

/* `template_xml` NULL: the built-in one. The caller frees *ret_xml. The first disk is the one that boots,
 * unless the template says what boots. -EINVAL: the template is not well-formed, has a DTD, is too long, is
 * no <domain>, or is the definition of an instance (whose disks it would share). */
int domain_xml(const struct domain_spec *spec, const char *template_xml, char **ret_xml,
               struct error *e) _must_check_;

/* Name and uuid that a definition carries; the caller frees both. -EINVAL as above, or one is missing. */
int domain_xml_identity(const char *xml, char **ret_name, char **ret_uuid, struct error *e) _must_check_;
