/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the libvirt XML of an instance: puts name, uuid, memory, vcpus, our metadata and our disks into a
 * template (built in, or the operator's own). Our disks are vda, vdb, ... in the order given, after the disks
 * of the template, which keep their targets. They share one I/O thread, or those of the template. */
#pragma once

#include "base/error.h"
#include "virt/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOMAIN_XML_NAMESPACE "urn:mayfly:domain:1"
#define TRIAL_XML_NAMESPACE  "urn:mayfly:trial:1" /* the mark of a definition that libvirt only judges */
#define TRIAL_NAME           "mayfly-trial-"      /* the name of a trial: this and the uuid */
#define DOMAIN_XML_MAX_BYTES (1 << 20)            /* a longer template is refused */

struct domain_disk {
    const char *device_path;
    bool vhost_user;       /* device_path is a socket; the other fields do not count */
    const char *serial;    /* the guest sees its first 20 characters in /dev/disk/by-id; NULL: none */
    uint32_t sector_bytes; /* 4096: <blockio logical_block_size='512' physical_block_size='4096'/> */
    bool discard;          /* the guest's discards go down to the device */
    bool io_uring;         /* instead of Linux AIO */
    bool read_only;
};

enum domain_firmware {
    FIRMWARE_TEMPLATE, /* as the template says */
    FIRMWARE_BIOS,
    FIRMWARE_UEFI /* chosen by libvirt */
};

struct domain_spec {
    const char *name, *uuid;
    const char *nvram;     /* from virt_try() of the same template; NULL: no UEFI variables */
    bool trial;            /* for virt_try(): has another name, and not our mark */
    uint64_t memory_bytes; /* 0: what the template says */
    uint32_t vcpus;        /* 0: what the template says */
    bool kvm;              /* virt_offers(); for the built-in template only */
    enum domain_firmware firmware;
    struct network network; /* for one more interface than the template has */
    const struct domain_disk *disks;
    size_t n_disks;
};

/* Makes the XML; `template_xml` NULL: of the built-in template. The caller frees *ret_xml. The first disk
 * boots, unless the template says otherwise. -EINVAL: the template is not well-formed, has a DTD, is too
 * long, is not a <domain>, or is the definition of an instance (whose disks it would share). */
int domain_xml(const struct domain_spec *spec, const char *template_xml, char **ret_xml,
               struct error *e) _must_check_;

/* Returns the name and uuid of a definition; the caller frees both. -EINVAL as above, or one is missing. */
int domain_xml_identity(const char *xml, char **ret_name, char **ret_uuid, struct error *e) _must_check_;
