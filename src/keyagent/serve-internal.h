/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files serve*.c. */
#pragma once

#include "keys/agent-wire.h"

struct connection {
    int socket;
    int (*hide_files)(struct error *e);
    struct config config;
    struct key_context who;
    char manager[AGENT_NAME_MAX];
    struct keymgr *km;
    struct secret_handover *handover; /* until the next packet */
};

/* Sends an answer, with `why` if a->errnum or a->incomplete is set; `fd` -1: without a file. A negative
 * result of this and the following functions means that the connection cannot go on. */
int send_answer(const struct connection *c, struct agent_answer *a, const struct error *why,
                int fd) _must_check_;
int answer_plain(const struct connection *c, int r, const struct error *why) _must_check_;

/* Answers with a file of `n` records. */
int answer_records(const struct connection *c, const void *records, size_t n, size_t size) _must_check_;

/* serve-keys.c */
typedef void many_fn(struct keymgr *km, struct key_asked k[], size_t n);
int serve_create(struct connection *c, const struct agent_request *q, int fd) _must_check_;
int serve_many(struct connection *c, const struct agent_request *q, int fd, many_fn *ask) _must_check_;
