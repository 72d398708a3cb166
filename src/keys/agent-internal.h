/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the stand-in for network key managers share. */
#pragma once

#include "keys/agent-connect.h"

struct agent {
    struct keymgr base;
    const char *name;
    struct config config;
    struct key_context *who; /* the session's, which outlives the manager */
    struct agent_link link;
    struct key_asker asker; /* as the last answer says */
};

/* Makes one request; starts mayfly-keyagent if it does not run. */
int agent_call(struct agent *a, const struct agent_request *q, int fd, struct agent_answer *answer,
               int *ret_fd, struct error *e) _must_check_;

/* Reads `n` records of `size` bytes out of a file that the other end made; the caller frees. */
int agent_read_records(struct agent *a, int fd, size_t n, size_t size, void **ret,
                       struct error *e) _must_check_;

bool agent_id_valid(const char id[KEY_ID_MAX]);

/* agent-keys.c: these members of struct keymgr_ops. */
int agent_create_many(struct keymgr *km, const struct key_info want[], size_t n, struct key_made ret[],
                      struct error *e) _must_check_;
void agent_fetch_many(struct keymgr *km, struct key_asked k[], size_t n);
void agent_may_destroy_many(struct keymgr *km, struct key_asked k[], size_t n);
void agent_destroy_many(struct keymgr *km, struct key_asked k[], size_t n);
