/* SPDX-License-Identifier: Apache-2.0 */
/* Inside src/engine. */
#pragma once

#include "disks/state.h"
#include "engine/engine.h"

#define KEEPER_SUFFIX   ".keeper"
#define KEEPER_NAME_MAX (LV_NAME_MAX + sizeof KEEPER_SUFFIX)

/* A keeper, as it was found. */
struct keeper_seen {
    pid_t pid;    /* 0: there is none */
    int state_fd; /* of its file, for reading and writing; -1: there is none */
    struct state state;
};

void keeper_seen_end(struct keeper_seen *k);
#define _cleanup_keeper_ _cleanup_(keeper_seen_end)

/* The folder of sockets, made if it is not there; nobody else may enter it. The descriptor is the caller's.
 */
int engine_folder(const char *runtime_dir, int *ret_fd, struct error *e) _must_check_;

/* The same, and no other mayfly starts or ends a keeper until *ret_lock is closed. */
int engine_folder_locked(const char *runtime_dir, int *ret_fd, int *ret_lock, struct error *e) _must_check_;

/* Looks at a file of the folder. -EPROTO: a keeper is there, and its file is not understood. */
int keeper_look(int folder, const char *file, struct keeper_seen *ret, struct error *e) _must_check_;

/* Starts a keeper that listens on `socket`, and waits until it serves. */
int keeper_start(const struct volume *v, int file_fd, const struct secret *volume_key, int socket,
                 int state_fd, bool read_only, struct error *e) _must_check_;

/* Ends the one that was seen, and waits for its end. */
int keeper_stop(const struct keeper_seen *k, const char *lv, struct error *e) _must_check_;

/* Sends it a signal, but no other process that has its number now. -ESRCH: it is gone. */
int keeper_signal(const struct keeper_seen *k, int signal, int *ret_pidfd) _must_check_;
