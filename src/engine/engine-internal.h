/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/engine share. */
#pragma once

#include "disks/state.h"
#include "engine/engine.h"

#define LOG_SUFFIX      ".log"
#define KEEPER_NAME_MAX (LV_NAME_MAX + sizeof KEEPER_SUFFIX)

/* A keeper that was looked for. */
struct keeper_seen {
    pid_t pid;    /* 0: no keeper lives */
    int state_fd; /* its state file; -1: there is no such file */
    struct state state;
};

void keeper_seen_end(struct keeper_seen *k);
#define _cleanup_keeper_ _cleanup_(keeper_seen_end)

/* Opens the folder of sockets. That of a user is made first if it is missing. -EACCES: others may enter it,
 * or write to that of the host. -ENOENT: the host has none yet. */
int engine_folder(const struct sockets *sockets, int *ret_fd, struct error *e) _must_check_;

/* Does the same, and takes the lock: no other mayfly starts or ends a keeper of this instance until *ret_lock
 * is closed. */
int engine_folder_locked(const struct sockets *sockets, const char *instance, int *ret_fd, int *ret_lock,
                         struct error *e) _must_check_;

/* Looks at the state file of a keeper, which is opened for `access`: O_RDONLY, or O_RDWR to change it.
 * -EPROTO: the keeper lives, and its file is malformed. */
int keeper_look(int folder, const char *file, int access, struct keeper_seen *ret,
                struct error *e) _must_check_;

/* What a keeper works with besides its key: the disk, and files of the folder. */
struct keeper_files {
    int disk, socket, state, log;
};

/* What the guest may do to the disk besides reading. */
struct keeper_limits {
    bool read_only;
    bool discard; /* unless it is read-only */
};

/* Starts a keeper, and waits until it serves. */
int keeper_start(const struct volume *v, const struct keeper_files *files, const struct secret *volume_key,
                 struct keeper_limits limits, struct error *e) _must_check_;

/* Ends a keeper, and waits for its end. */
int keeper_stop(const struct keeper_seen *k, const char *lv, struct error *e) _must_check_;

/* Sends a signal to a keeper, and never to another process that has its number now. -ESRCH: it is gone. */
int keeper_signal(const struct keeper_seen *k, int signal, int *ret_pidfd) _must_check_;
