/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: one entry in the journal for each change of an instance, a key or a volume, with fields
 * that journalctl(1) selects (see mayfly-security(7)). Never a secret: an event has no member for one.
 *
 *     audit_open("mayfly");
 *     audit_set_verb("delete");
 *     ...
 *     audit_write(&(struct audit_event){.kind = AUDIT_KEY, .action = "destroy", .key = ref, .result = r});
 *
 * An entry is a datagram of journald's native protocol; without journald it is a line for syslog, and without
 * that nothing. Writing never fails an operation and never blocks. Before audit_open() nothing is written, so
 * tests, and programs that act for another program, leave no trail.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

enum audit_kind { AUDIT_INSTANCE, AUDIT_KEY, AUDIT_VOLUME };

/* Who asked. `user` and `project` come from a Keystone token; NULL or "": none. */
struct audit_who {
    uid_t uid;
    pid_t pid; /* 0: the process that writes the entry, which the journal knows */
    const char *user;
    const char *project;
};

/* What was done, or tried. Texts may be NULL or "": the entry has no such field then. */
struct audit_event {
    enum audit_kind kind;
    const char *action;          /* "start", "fetch", "remove": an infinitive, lower case */
    const char *instance;        /* its uuid */
    const char *name;            /* of the instance, for people */
    const char *volume;          /* VG/LV */
    const char *key;             /* MANAGER:... */
    const char *grantee;         /* who may, or may no more, fetch the key from now on */
    int result;                  /* 0, or the negative errno of what failed */
    const char *reason;          /* of the failure: a sentence */
    const struct audit_who *who; /* NULL: who started this process */
};

/* Opens the socket, and notes who started the process: to be called before root is given up, and before a
 * sandbox is entered. `identifier` (not copied) is what journalctl -t selects. */
void audit_open(const char *identifier);

/* As audit_open(), with other sockets, for tests. The paths are not copied. */
void audit_open_at(const char *identifier, const char *journal_path, const char *syslog_path);

/* Returns the user who started the process. */
uid_t audit_caller(void);

/* Names the command that this process runs; `verb` is not copied. */
void audit_set_verb(const char *verb);

void audit_write(const struct audit_event *event);

/* Writes an entry for an operation on an instance. Returns `result`, so that it can wrap a call:
 *
 *     r = audit_instance("start", i->uuid, i->name, steps_run(s, c, e), e);
 */
int audit_instance(const char *action, const char *uuid, const char *name, int result, const struct error *e);

/* Ends the trail: nothing is written from here on. */
void audit_close(void);
