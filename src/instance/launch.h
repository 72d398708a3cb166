/* SPDX-License-Identifier: Apache-2.0 */
/* A launch: new domains with new disks. Private to launch*.c.
 *
 *     launch_check()   launch-check.c   looks, changes nothing; launch-names.c
 *     launch_design()  launch-design.c  names, uuids, sizes, XML of everything that is to be made
 *     launch_steps     launch-steps.c   makes and unmakes the domains; new-disks.h has the steps of disks
 */
#pragma once

#include "instance/new-disks.h"
#include "virt/domain-xml.h"

struct launch_domain {
    const struct recipient *recipient;
    char *xml;
};

struct launch {
    struct new_disks new;
    const struct launch_request *request;
    struct model *model;           /* the look before the launch */
    size_t first;                  /* number of the first instance, if they are numbered */
    char batch[UUID_TEXT];         /* set with --shared-key */
    struct launch_domain *domains; /* one for each recipient */
    struct network network;        /* network of the domains */
    enum domain_firmware firmware;
    uint64_t memory_bytes; /* of each domain, as in struct domain_spec */
    uint32_t vcpus;
    bool autostart;
};

/* Checks that it can be the name of an instance; in launch-names.c. */
int launch_check_name(const struct launch_request *q, struct error *e) _must_check_;

/* Writes the name of the n-th instance: name, or name-4, name-5, ... */
void launch_name(const struct launch *l, size_t n, char field[INSTANCE_NAME_MAX]);

/* Takes the locks that are needed before the model is loaded, except in a dry run. -EBUSY: another launch is
 * taking the name. */
int launch_lock_name(const struct launch *l, struct error *e) _must_check_;

/* Fills in `first`. -EEXIST: a name is taken. */
int launch_choose_names(struct launch *l, struct error *e) _must_check_;

/* Locks the names that are not locked yet; may number the instances anew, after those of another launch.
 * launch_unlock_names() gives the first `n` back. */
int launch_lock_names(struct launch *l, struct error *e) _must_check_;
void launch_unlock_names(const struct launch *l, size_t n);

static inline bool launch_is_numbered(const struct launch_request *q)
{
    return q->numbered || q->count > 1;
}

/* Fills in model, first, and what disks and domains are made from. */
int launch_check(struct launch *l, struct error *e) _must_check_;

int launch_design(struct launch *l, struct error *e) _must_check_;

/* Writes the definitions of all domains, after libvirt has judged the first; nothing else is made before. */
int launch_write_definitions(struct launch *l, struct error *e) _must_check_;

/* Frees the contents, not the struct. */
struct launch *launch_free(struct launch *l);
DEFINE_CLEANUP(struct launch *, launch_free)

/* Steps; the comment behind each names its object. */
step_fn launch_lock_batch, launch_settle; /* launch */
step_fn launch_lock_instance, launch_define, launch_define_undo, launch_autostart,
    launch_start_undo; /* launch_domain */
steps_fn launch_start; /* launch_domain */

/* Gives back the locks of the instances, after a launch that went well. */
void launch_let_go(const struct launch *l);
