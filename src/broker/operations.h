/* SPDX-License-Identifier: Apache-2.0 */
/* The acts of ops.def: do_LIST(), do_LOCK() and so on, in operations.c, sets.c, change.c, adopt.c, bench.c
 * and look.c. server.c has decoded and authorised the request; the acts judge what depends on the volume's
 * tags. */
#pragma once

#include "broker/session.h"

/* The answer to an act that succeeds. If the act fails, nothing of it is used. */
struct reply {
    int fd; /* given away with the answer; -1: none */
    bool shows, changed;
    bool was_open;                    /* for the acts alone: open_map() found the map open */
    bool untouched[WIRE_VOLUMES_MAX]; /* for the audit trail alone: which volumes of the request, in its
                                         order, were as requested before */
    uint32_t crypt_version;
    uint64_t size_bytes;
    char disks[WIRE_UUIDS][UUID_TEXT];
};

#define UNUSED(x) ((void)(x))

/* idle.c: checks that the volume may be removed or overwritten: no map is over it, nothing in LVM depends on
 * it, nobody holds it. Each returns 0 or the reason why not. */
int check_idle(struct session *s, const struct session_volume *k, struct error *e) _must_check_;

/* idle.c: checks the part that an open disk passes: its own map may be there, but nobody may hold the
 * volume. */
int check_released(const struct session_volume *k, struct error *e) _must_check_;

/* idle.c: checks the part that concerns LVM: nothing in it depends on the volume. */
int check_no_dependents(const struct session_volume *k, struct error *e) _must_check_;

/* idle.c: checks that no map is over the volume. */
int check_closed(const struct volume *v, struct error *e) _must_check_;

/* sets.c: overwrites a plain volume, if that is configured. */
int clear_plain(struct session *s, const struct volume *v, struct error *e) _must_check_;

/* operations.c: opens the volume's device, which must be held open until the map is there, and chooses the
 * options of the map. Refuses a volume that is suspended, and a ready one that somebody else has open. */
int prepare_map(struct session *s, const struct volume *v, enum map_use use, struct map_options *ret,
                int *ret_device, struct error *e) _must_check_;

/* operations.c: receives the key that came with the request as `fd`, and verifies that it is this
 * volume's. */
int receive_key(const struct volume *v, int fd, struct secret **ret, struct error *e) _must_check_;

/* operations.c: opens the map of `v` if it is not open, and then its device for the reply. */
int open_map(const struct volume *v, const struct secret *key, const struct map_options *o,
             struct reply *reply, struct error *e) _must_check_;

/* `fd` came with the request and stays the server's. */
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument)                                      \
    int do_##NAME(struct session *s, const struct request *q, int fd, struct reply *reply, struct error *e)  \
        _must_check_;
#include "broker/ops.def"
#undef OP
