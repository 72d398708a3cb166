/* SPDX-License-Identifier: Apache-2.0 */
/* Packets over a socket of AF_UNIX and SOCK_SEQPACKET, which may bring descriptors (rights.h). */
#pragma once

#include "base/macro.h"
#include "base/rights.h"

#include <sys/uio.h>

/* Sends one packet, with `fd` unless it is -1. -ECONNRESET: the other end is gone. */
int packet_send(int socket, const void *packet, size_t size, int fd) _must_check_;

/* As packet_send(), for a packet of `n` parts. */
int packet_send_parts(int socket, struct iovec parts[], size_t n, int fd) _must_check_;

/* As packet_send(), for a packet with `n` descriptors, RIGHTS_MAX at most. */
int packet_send_fds(int socket, const void *packet, size_t size, const int fds[], unsigned n) _must_check_;

/* Receives one packet of at most `size` bytes and at most one descriptor (-1: none came).
 * -ECONNRESET: the other end is gone. -EPROTO: too long, or more descriptors. */
int packet_receive(int socket, void *packet, size_t size, size_t *ret_size, int *ret_fd) _must_check_;

/* As packet_receive(), for a packet with at most RIGHTS_MAX descriptors. */
int packet_receive_fds(int socket, void *packet, size_t size, size_t *ret_size, int ret_fds[],
                       unsigned *ret_n) _must_check_;
