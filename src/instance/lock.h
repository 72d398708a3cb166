/* SPDX-License-Identifier: Apache-2.0 */
/* Instances that nobody else changes: a model that holds their locks until it is freed. */
#pragma once

#include "instance/model.h"

#define LOCK_WAIT_MSEC 20000 /* longest wait for an instance that another mayfly has; then -EBUSY */
#define LOCK_POLL_MSEC 200

/* Locks the instance, and looks it and its domain up under the lock. *ret points into *ret_model. Fails as
 * model_find() and model_lock_uuid() do. */
int model_lock(const struct context *c, const char *name_or_uuid, struct model **ret_model,
               const struct instance **ret, struct error *e) _must_check_;

/* The same for several: ret[i] is NULL if why[i] has an error. All verbs take locks in the same order, so two
 * verbs never wait for each other. *ret_model is NULL if nothing could be locked. */
#define MODEL_LOCKS_MAX 64
int model_lock_many(const struct context *c, const char *const names[], size_t n, struct model **ret_model,
                    const struct instance *ret[], struct error why[], struct error *e) _must_check_;

/* Locks as model_lock() does, for operations that need libvirt and ready volumes: -ECONNREFUSED, or as
 * model_check_ready(). */
int model_lock_ready(const struct context *c, const char *name_or_uuid, struct model **ret_model,
                     const struct instance **ret, struct error *e) _must_check_;

/* Locks a uuid, whether or not there is such an instance. The caller gives the lock back by broker_unlock(),
 * or to a model by model_own_lock(). -EBUSY: another mayfly has it, after c->lock_wait_msec. -ECANCELED: the
 * user stopped the wait. */
int model_lock_uuid(const struct context *c, const char *uuid, struct error *e) _must_check_;
int model_own_lock(struct model *m, const struct context *c, const char *uuid, struct error *e) _must_check_;

/* Gives the locks back before model_free() would, and closes the disks of guests that ended meanwhile. */
void model_unlock(struct model *m);

/* Closes the disks of the instance if its guest has ended, except disks that a person has opened. The holder
 * of the lock calls this after giving the lock back: see unlock.c. */
void model_close_after_guest(const struct context *c, const struct model *m, const struct instance *i);
