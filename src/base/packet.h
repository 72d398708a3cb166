/* SPDX-License-Identifier: Apache-2.0 */
/* Packets over a socket of AF_UNIX and SOCK_SEQPACKET, each with at most one descriptor (SCM_RIGHTS). */
#pragma once

#include "base/macro.h"

#include <sys/uio.h>

/* Sends one packet, with `fd` unless it is -1. -ECONNRESET: the other end is gone. */
int packet_send(int socket, const void *packet, size_t size, int fd) _must_check_;

/* As packet_send(), for a packet of `n` parts. */
int packet_send_parts(int socket, struct iovec parts[], size_t n, int fd) _must_check_;

/* Receives one packet of at most `size` bytes and at most one descriptor (-1: none came).
 * -ECONNRESET: the other end is gone. -EPROTO: too long, or more descriptors. */
int packet_receive(int socket, void *packet, size_t size, size_t *ret_size, int *ret_fd) _must_check_;
