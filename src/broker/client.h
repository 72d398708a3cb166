/* SPDX-License-Identifier: Apache-2.0 */
/* The broker as its callers see it. methods.def says what each method does: broker_list(), broker_lock() and
 * so on.
 *
 *     methods.def --> struct broker_ops --> client.c     the real broker, at the other end of a socket
 *                                           src/pool/    disks that are files
 *                                           tests/fake/  volumes in memory
 *
 * A connection keeps its locks until broker_disconnect().
 */
#pragma once

#include "broker/inventory.h"
#include "crypt/opened.h"
#include "secret/secret.h"
#include "storage/served.h"
#include "storage/suspended.h"

struct broker;
struct broker_ops {
#define METHOD(name, parameters, arguments) int(*name) parameters;
#define NOTICE(name, parameters, arguments) void(*name) parameters;
#include "broker/methods.def"
#undef METHOD
#undef NOTICE
    void (*disconnect)(struct broker *b);
};

/* Called about once a second while an answer is awaited, with the operation's name and the time so far. A
 * negative value gives up: the broker finishes its work, keeps its locks until then, and this connection
 * cannot be used any more. */
typedef int broker_patience(void *data, const char *operation, unsigned waited_sec);

/* The first member of each implementation's own struct. */
struct broker {
    const struct broker_ops *ops;
    const char *verb;          /* the verb that we run, shown to others who find a lock taken; or NULL */
    broker_patience *patience; /* NULL: waits for ever */
    void *patience_data;
    const struct engine *engine; /* what serves disks to guests; NULL: nothing here does */
};

/* Connects to the socket that systemd listens on. -EACCES, -ENOENT with the way out in the sentence. */
int broker_connect(const char *socket_path, struct broker **ret, struct error *e) _must_check_;

/* Starts `program` (mayfly-broker), for root, with one end of a socket pair as its standard input, and this
 * configuration file (NULL: the installed ones). */
int broker_fork(const char *program, const char *config_path, struct broker **ret,
                struct error *e) _must_check_;

struct broker *broker_disconnect(struct broker *b);
DEFINE_CLEANUP(struct broker *, broker_disconnect)
#define _cleanup_broker_ _cleanup_(broker_disconnectp)

#define METHOD(name, parameters, arguments) int broker_##name parameters _must_check_;
#define NOTICE(name, parameters, arguments) void broker_##name parameters;
#include "broker/methods.def"
#undef METHOD
#undef NOTICE

/* Writes an entry into the audit trail of what this process has done to a volume, and returns r. */
int broker_audit(const struct volume *v, const char *action, int r, const struct error *e);

/* Closes the map, whatever it was opened for. */
int broker_close(struct broker *b, const struct volume *v, enum settle settle, struct error *e) _must_check_;
