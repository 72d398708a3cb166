/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the real broker, and one request over it with its answer; private to client*.c.
 *
 * ops.def gives each operation a function that takes its own struct, and a key if a descriptor goes along:
 *
 *     int ask_LOCK(b, &request, &reply, e)
 *     int ask_OPEN(b, &request, volume_key, &reply, e)
 *
 * `reply` may be NULL where no descriptor comes back.
 */
#pragma once

#include "broker/client.h"
#include "broker/wire.h"

#include <sys/types.h>

/* How long we wait for a broker that we forked to end after its connection is closed. It is never killed: it
 * may be at work, and has locks until it is done. */
#define REMOTE_END_DEADLINE_MSEC 60000

struct remote {
    struct broker base; /* first: a struct broker * is one of these */
    int socket;
    pid_t pid;            /* of the broker if we forked it, else 0 */
    uint64_t last_msec;   /* when we sent the last request */
    struct error closing; /* why the broker closed the connection, if it said so in an answer to ALIVE */
    bool abandoned;       /* we stopped waiting for an answer, so no other one can come */
    char disks[WIRE_UUIDS][UUID_TEXT]; /* from DISK_UUIDS, not given to a disk yet: the first n_disks */
    size_t n_disks;
    struct remote_key { /* of a served disk that is to be formatted */
        char lv[LV_NAME_MAX];
        struct secret *key;
    } * keys;
    size_t n_keys;
};

static inline struct remote *remote_of(struct broker *b)
{
    return (struct remote *)b;
}

struct remote_reply {
    struct answer a;
    int fd; /* the caller's; -1: none came */
};

/* Makes one request and receives its answer, with a descriptor only if ops.def says so. */
int remote_ask(struct remote *b, enum op op, const void *request, const struct secret *key,
               struct remote_reply *ret, struct error *e) _must_check_;

#define ASK_0(NAME, request)                                                                                 \
    _must_check_ static inline int ask_##NAME(struct remote *b, const struct request *q,                     \
                                              struct remote_reply *ret, struct error *e)                     \
    {                                                                                                        \
        return remote_ask(b, OP_##NAME, q, NULL, ret, e);                                                    \
    }
#define ASK_1(NAME, request)                                                                                 \
    _must_check_ static inline int ask_##NAME(struct remote *b, const struct request *q,                     \
                                              const struct secret *key, struct remote_reply *ret,            \
                                              struct error *e)                                               \
    {                                                                                                        \
        return remote_ask(b, OP_##NAME, q, key, ret, e);                                                     \
    }
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) ASK_##fds_in(NAME, request)
#include "broker/ops.def"
#undef OP
#undef ASK_0
#undef ASK_1

/* remote_list(), remote_lock() and so on. */
#define METHOD(name, parameters, arguments) int remote_##name parameters;
#define NOTICE(name, parameters, arguments) void remote_##name parameters;
#include "broker/methods.def"
#undef METHOD
#undef NOTICE

/* client-served.c: opens a disk that a process serves to its guest. */
int remote_open_served(struct remote *b, const struct volume *v, const struct secret *key, enum map_use use,
                       struct opened *ret, struct error *e) _must_check_;

/* Closes the disk if a process serves it; *ret_served: one does, or did. */
int remote_close_served(struct remote *b, const struct volume *v, enum map_use up_to, bool *ret_served,
                        bool *ret_closed, struct error *e) _must_check_;

/* Removes what such a process has left of a volume that is gone. */
void remote_clean_served(struct remote *b, const struct volume *v);

/* Adds the disks that are served to an array of maps. */
int remote_add_served(struct remote *b, struct map **maps, size_t *n, struct error *e) _must_check_;
int remote_format_served(struct remote *b, const struct volume *v, const char *fs, const char *label,
                         struct error *e) _must_check_;
void remote_forget_keys(struct remote *b);

/* Makes a broker of the program at the other end of *socket, which it takes over. `pid`: the program's if we
 * forked it, else 0. */
int remote_new(int *socket, pid_t pid, struct broker **ret, struct error *e) _must_check_;
