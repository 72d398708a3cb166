/* SPDX-License-Identifier: Apache-2.0 */
/* The network that a new domain is connected to. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum network_kind {
    NETWORK_NONE,  /* there is no interface */
    NETWORK_NAMED, /* a network of libvirt */
    NETWORK_BRIDGE /* a bridge of the host */
};

struct network {
    enum network_kind kind;
    const char *name; /* into the text that was parsed */
};

/* Parses "none", "bridge=BRIDGE", or the name of a network. -EINVAL: empty, or characters that no name has.
 */
int network_parse(const char *text, struct network *ret, struct error *e) _must_check_;

/* Checks that there is such a bridge on this host. -ENOENT; -EINVAL: it is an interface of another kind. */
int network_check_bridge(const char *name, struct error *e) _must_check_;
