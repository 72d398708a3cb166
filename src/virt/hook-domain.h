/* SPDX-License-Identifier: Apache-2.0 */
/* A domain as libvirt hands it to its hooks: XML on their standard input (libvirt.org/hooks.html). */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

struct guard;

struct hook_domain {
    char uuid[UUID_TEXT];
    char *name;
    bool ours;      /* has our mark in its metadata */
    char **devices; /* paths of host devices that its disks name */
    size_t n_devices;
    const struct guard *guard; /* what its devices lead to (instance/guard.h); NULL: not examined */
};

/* True if this XML could be that of an instance, or name a volume of one. Looks at bytes and parses nothing,
 * so that root may call it: most domains of others need no more. */
bool hook_concerns_us(const char *xml);

/* Reads the XML. The caller ends *ret by hook_domain_end(), also after an error. -EINVAL: not the definition
 * of a domain. */
int hook_domain_read(const char *xml, struct hook_domain *ret, struct error *e) _must_check_;
void hook_domain_end(struct hook_domain *d);
#define _cleanup_hook_domain_ _cleanup_(hook_domain_end)
