/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a launch, each with its undo, apart from those of its disks (new-disks-steps.c). */
#include "instance/launch.h"
#include "instance/lock.h"
#include "instance/removal.h"
#include "instance/starting.h"

#include <stdio.h>

/* -------------------------------------------------------------------- locks */

int launch_lock_instance(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct launch_domain *)object)->recipient->uuid, e);
}

int launch_lock_batch(const struct context *c, void *object, struct error *e)
{
    return broker_lock(c->broker, ((struct launch *)object)->batch, e);
}

/* ------------------------------------------------------------------- domains */

int launch_define(const struct context *c, void *object, struct error *e)
{
    return virt_define(c->virt, ((struct launch_domain *)object)->xml, e);
}

/* Lets libvirt start the domain with the host. Undefining the domain undoes this. */
int launch_autostart(const struct context *c, void *object, struct error *e)
{
    return virt_set_autostart(c->virt, ((struct launch_domain *)object)->recipient->uuid, e);
}

int launch_settle(const struct context *c, void *object, struct error *e)
{
    (void)object;
    return virt_settle(c->virt, e);
}

/* Removes the domain, ended first if it runs, whatever became of its start. */
int launch_define_undo(const struct context *c, void *object, struct error *e)
{
    return domain_remove(c, ((struct launch_domain *)object)->recipient->uuid, e);
}

/* The instance as a model would have it once it runs; its volumes are listed in `volumes`. */
static void launched_instance(const struct recipient *i, const struct volume *volumes[NEW_DISKS_EACH_MAX],
                              struct instance *ret)
{
    *ret = (struct instance){.state = INSTANCE_RUNNING, .volumes = volumes, .n_volumes = i->n_disks};
    memcpy(ret->uuid, i->uuid, sizeof ret->uuid);
    memcpy(ret->name, i->name, sizeof ret->name);
    for (size_t d = 0; d < i->n_disks; d++)
        volumes[d] = &i->disks[d].v;
}

void launch_start(const struct context *c, void *const objects[], size_t n, struct error why[])
{
    const struct volume *volumes[STEPS_AT_ONCE][NEW_DISKS_EACH_MAX];
    struct instance started[STEPS_AT_ONCE];
    const struct instance *instances[STEPS_AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        launched_instance(((const struct launch_domain *)objects[i])->recipient, volumes[i], &started[i]);
        instances[i] = &started[i];
    }
    domains_start(c, instances, n, why);
}

int launch_start_undo(const struct context *c, void *object, struct error *e)
{
    return virt_destroy(c->virt, ((struct launch_domain *)object)->recipient->uuid, e);
}

/* ------------------------------------------------------------------- the end */

static void close_after_guest(const struct launch *l, const struct recipient *i)
{
    const struct volume *volumes[NEW_DISKS_EACH_MAX];
    struct instance started;
    launched_instance(i, volumes, &started);
    model_close_after_guest(l->new.context, l->model, &started);
}

void launch_let_go(const struct launch *l)
{
    launch_unlock_names(l, l->new.n_recipients);
    for (size_t i = 0; i < l->new.n_recipients; i++)
        broker_unlock(l->new.context->broker, l->new.recipients[i].uuid);
    if (l->batch[0])
        broker_unlock(l->new.context->broker, l->batch);
    for (size_t i = 0; !l->request->no_start && i < l->new.n_recipients; i++)
        close_after_guest(l, &l->new.recipients[i]);
}
