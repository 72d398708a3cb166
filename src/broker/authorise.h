/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what a request of the right form says: its texts end, its names are valid, its volume group is
 * configured, and this connection has the lock of the instance. */
#pragma once

#include "broker/session.h"

/* Any request. The body is at an offset that suits every struct of the union. */
struct packet {
    struct wire_header header;
    union {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) struct request NAME;
#include "broker/ops.def"
#undef OP
    } body;
};
_Static_assert(offsetof(struct packet, body) == sizeof(struct wire_header), "the body follows the header");

/* -EPROTO, -EINVAL: the request is malformed. -EPERM: this connection may not ask for it. */
int authorise(const struct session *s, const struct packet *p, struct error *e) _must_check_;
