/* SPDX-License-Identifier: Apache-2.0 */
/* The acts of ops.def: do_LIST(), do_LOCK() and so on. server.c has decoded and authorised the request;
 * what depends on the volume's tags is judged here. */
#pragma once

#include "broker/session.h"

/* What goes back, where the act succeeds; nothing of it is used where it fails. */
struct reply {
    int fd; /* given away with the answer; -1: none */
    bool existing, shows, changed;
    bool untouched[WIRE_VOLUMES_MAX]; /* of the volumes that the request names, in its order: each was as it
                                         was to be; for the audit trail alone */
    uint32_t crypt_version;
    uint64_t size_bytes;
    char disks[WIRE_UUIDS][UUID_TEXT];
};

#define UNUSED(x) ((void)(x))

/* idle.c: may the volume be removed or overwritten: no map is over it, nothing of LVM's depends on it, nobody
 * holds it? Each returns 0 or the reason why not. */
int check_idle(struct session *s, const struct known *k, struct error *e) _must_check_;

/* idle.c: the part of it that an open disk passes: its own map may be there, but nobody may hold the
 * volume. */
int check_released(const struct known *k, struct error *e) _must_check_;

/* idle.c: the part of it that concerns LVM. */
int check_no_dependents(const struct known *k, struct error *e) _must_check_;

/* sets.c: overwrites a plain volume, if that is configured. */
int clear_plain(struct session *s, const struct volume *v, struct error *e) _must_check_;

/* operations.c: the table that the configuration wants for `v`, and its device, which is to be held open
 * until the map is there. */
int map_options(struct session *s, const struct volume *v, enum map_use use, struct map_options *ret,
                int *ret_device, struct error *e) _must_check_;

/* operations.c: the key that came with the request as `fd`, if it is that of the encrypted volume. */
int receive_key(const struct volume *v, int fd, struct secret **ret, struct error *e) _must_check_;

/* operations.c: makes sure that there is a map of `v` under its key, and opens its device. */
int open_map(const struct volume *v, const struct secret *key, const struct map_options *o,
             struct reply *reply, struct error *e) _must_check_;

/* `fd` came with the request and stays the server's. */
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument)                                      \
    int do_##NAME(struct session *s, const struct request *q, int fd, struct reply *reply, struct error *e)  \
        _must_check_;
#include "broker/ops.def"
#undef OP
