/* SPDX-License-Identifier: Apache-2.0 */
/* All that a verb needs to work: configuration, broker, libvirt, and how it reports. */
#pragma once

#include "base/user.h"
#include "cli/globals.h"
#include "cli/progress.h"
#include "image/keeper.h"
#include "instance/context.h"

struct session {
    struct config config;
    char runtime_folder[RUNTIME_FOLDER_MAX]; /* of a user's own pool */
    struct key_context who;
    struct broker *broker;
    struct virt *virt;
    struct progress progress;
    unsigned tell_again_sec; /* when a wait for the broker is told of next, in seconds of that wait */
    struct key_managers managers;
    struct context context;
};

enum session_virt {
    SESSION_VIRT_NEEDED,
    SESSION_VIRT_WANTED, /* without libvirt the verb says less; context.virt is NULL then */
    SESSION_VIRT_NONE,   /* libvirt is not asked: it waits for us */
};

/* In this order: the configuration is read and what says who asks is taken (and opened, but not parsed), root
 * forks the broker and gives up being root (others connect to the socket, or open a pool of their own), then
 * libvirt is asked. */
int session_open(const struct globals *g, enum session_virt virt, struct session **ret,
                 struct error *e) _must_check_;

/* For mayfly doctor: what cannot be had is noted, and the session goes on without it. Fails only where it
 * must not go on: root cannot be given up, or memory ran out. */
int session_open_despite(const struct globals *g, struct session **ret, struct lacks *ret_lacks,
                         struct error *e) _must_check_;
/* Before session_open(): root may write a file where the user that mayfly becomes may not. *ret is NULL where
 * the caller is not root, and may write for itself. */
int session_start_keeper(struct image_keeper **ret, struct error *e) _must_check_;

struct session *session_close(struct session *s);
DEFINE_CLEANUP(struct session *, session_close)
#define _cleanup_session_ _cleanup_(session_closep)
