/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the matrix about rescue: into it, in it, and out of it. */
#include "matrix.h"

/* --------------------------------------------------------------- operations */

/* As large as the image, 1 GiB. */
static int rescue(struct fake *f, struct error *e)
{
    static const struct rescue_request q = {.image.path = "/rescue", .timeout_sec = 5};
    bool changed = false;
    return instance_rescue(&f->context, "t", &q, &changed, NULL, e);
}

static int unrescue(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_unrescue(&f->context, "t", 5, false, &changed, e);
}

static int stop(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_stop(&f->context, "t", 0, true, &changed, e);
}

static int delete (struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, "t", &changed, e);
}

/* --------------------------------------------------------------- preparations */

static void have_rescued(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_running(f);
    must(rescue(f, &e), &e);
}

static void have_rescued_stopped(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_rescued(f);
    must(stop(f, &e), &e);
}

static void have_foreign_rescued(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_foreign(f);
    must(rescue(f, &e), &e);
    must(stop(f, &e), &e);
}

static struct volume mark_rescue_doomed(struct fake *f)
{
    const struct host *h = world_look(f->world);
    struct error e = ERROR_NONE;
    size_t i = 0;
    while (!volume_is_rescue(&h->volumes[i].v))
        i++;
    const struct volume v = h->volumes[i].v, *doomed = &v;
    must(broker_lock(f->context.broker, v.instance, &e), &e);
    must(broker_mark(f->context.broker, &doomed, 1, VOLUME_DOOMED, &e), &e);
    broker_unlock(f->context.broker, v.instance);
    return v;
}

/* As an unrescue leaves it that was cut off after its first mark. */
static void have_rescue_doomed(struct fake *f)
{
    have_rescued_stopped(f);
    mark_rescue_doomed(f);
}

/* As if a person had removed its volume. */
static void have_rescue_lost(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_rescued_stopped(f);
    const struct volume v = mark_rescue_doomed(f), *gone = &v;
    must(broker_lock(f->context.broker, v.instance, &e), &e);
    must(broker_remove(f->context.broker, &gone, 1, &e), &e);
    broker_unlock(f->context.broker, v.instance);
}

const struct scenario rescue_scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"rescue running", NULL, have_running, rescue, {1, 1, 4, 4, 0, 1}, UNDONE},
    {"rescue stopped", NULL, have_stopped, rescue, {1, 1, 4, 4, 0, 1}, UNDONE},
    {"rescue plain", plain_disks, have_running, rescue, {1, 1, 4, 0, 0, 0}, UNDONE},
    {"unrescue running", NULL, have_rescued, unrescue, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"unrescue stopped", NULL, have_rescued_stopped, unrescue, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"unrescue plain", plain_disks, have_rescued, unrescue, {1, 1, 3, 0, 0, 0}, FORWARD},
    {"unrescue again", NULL, have_rescue_doomed, unrescue, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"unrescue without its disk", NULL, have_rescue_lost, unrescue, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"stop in rescue", NULL, have_rescued, stop, {1, 0, 4, 0, 0, 1}, FORWARD},
    {"virsh start in rescue", NULL, have_rescued_stopped, virsh_start, {1, 1, 4, 4, 0, 1}, FORWARD},
    {"delete in rescue", NULL, have_rescued, delete, NOTHING, FORWARD},
    {"rescue foreign", NULL, have_foreign, rescue, {1, 1, 4, 4, 0, 1}, UNDONE},
    {"unrescue foreign", NULL, have_foreign_rescued, unrescue, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"delete foreign in rescue", NULL, have_foreign_rescued, delete, {1, 0, 0, 0, 0, 0}, FORWARD},
    {"recover in rescue", NULL, have_rescued, recover_all, {1, 1, 4, 4, 0, 1}, FORWARD},
    {"recover a cut-off unrescue", NULL, have_rescue_doomed, recover_all, {1, 0, 3, 0, 0, 1}, FORWARD},
    {"recover without the rescue disk", NULL, have_rescue_lost, recover_all, {1, 0, 3, 0, 0, 1}, FORWARD},
};
const size_t n_rescue_scenarios = ARRAY_SIZE(rescue_scenarios);
