/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that a verb needs: configuration, broker, libvirt, and a way to report. */
#pragma once

#include "cli/globals.h"
#include "cli/progress.h"
#include "image/keeper.h"
#include "instance/context.h"
#include "storage/served.h"

struct session {
    struct config config;
    char sockets[SOCKETS_PATH_MAX]; /* used for a user's own pool */
    struct engine engine;
    struct key_context who;
    struct broker *broker;
    struct virt *virt;
    struct progress progress;
    unsigned tell_again_sec; /* seconds of a wait for the broker after which it is reported again */
    struct key_managers managers;
    struct context context;
};

enum session_virt {
    SESSION_VIRT_NEEDED,
    SESSION_VIRT_WANTED, /* without libvirt the verb says less, and context.virt is NULL */
    SESSION_VIRT_NONE,   /* libvirt is not asked, since it waits for this run */
};

/* Opens a session, in this order: reads the configuration; takes (opens, but does not parse) the caller's
 * credentials; root forks the broker and gives up root (other users connect to the socket, or open a pool of
 * their own); connects to libvirt. */
int session_open(const struct globals *g, enum session_virt virt, struct session **ret,
                 struct error *e) _must_check_;

/* Does the same for mayfly doctor: notes a part that fails, and goes on without it. Fails only if root cannot
 * be given up, or memory ran out. */
int session_open_despite(const struct globals *g, struct session **ret, struct lacks *ret_lacks,
                         struct error *e) _must_check_;
/* Starts a process that may write a file for root where the user that mayfly becomes may not. To be called
 * before session_open(). *ret is NULL if the caller is not root, and writes by itself. */
int session_start_keeper(struct image_keeper **ret, struct error *e) _must_check_;

struct session *session_close(struct session *s);
DEFINE_CLEANUP(struct session *, session_close)
#define _cleanup_session_ _cleanup_(session_closep)
