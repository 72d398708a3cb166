/* SPDX-License-Identifier: Apache-2.0 */
/* The one connection to mayfly-keyagent: starting it, giving it the caller's context, asking, ending. */
#pragma once

#include "keys/agent-wire.h"

#include <sys/types.h>

struct agent_link {
    int socket; /* -1: not started */
    pid_t pid;
    uint64_t deadline_sec; /* for one answer */
    bool lists_all;        /* as the opened manager says */
    bool (*stopped)(void); /* as in struct key_context */
};
#define AGENT_LINK_NONE ((struct agent_link){.socket = -1})

/* Starts the program of `who`, and has it open the manager `name`. Each of the functions below ends the link
 * at once if it breaks. */
int agent_link_start(struct agent_link *l, const char *name, const struct config *c, struct key_context *who,
                     struct error *e) _must_check_;

/* Returns how long an answer may take if `n_new` keys are to be made. */
uint64_t agent_link_patience_sec(const struct config *c, size_t n_new);

/* Sends a request; `fd` -1: without a descriptor. */
int agent_link_send(struct agent_link *l, const struct agent_request *q, int fd,
                    struct error *e) _must_check_;

/* Receives the answer; ret_fd is -1 if no descriptor came. An error in the answer becomes the error. */
int agent_link_receive(struct agent_link *l, struct agent_answer *ret, int *ret_fd,
                       struct error *e) _must_check_;

/* Ends the link after an answer that makes no sense. Returns -EPROTO. */
int agent_link_refuse(struct agent_link *l, struct error *e);

/* Waits a while for the program to end by itself. */
void agent_link_end(struct agent_link *l);

/* agent-start.c: runs `program` with the other end of a socket as its standard input. */
int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e) _must_check_;
