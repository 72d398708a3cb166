/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly tune: gives the open maps of an instance the dm-crypt flags that would be chosen now.
 *
 *     flags of the map, flags chosen (storage/choice.h) --> differ? --> fetch the key --> broker: new table
 *
 * Sector size and cipher stay, since the data is bound to them. As in resize.c a table must contain its key,
 * so a map whose key exists only in the kernel keeps its table. Nothing is undone: the disk is whole with
 * either table.
 */
#include "base/audit.h"
#include "instance/disks.h"
#include "instance/keys.h"
#include "instance/lock.h"
#include "instance/operations.h"
#include "storage/facts.h"

#include <stdio.h>

struct tuning {
    const struct instance *instance;
    const struct model *model;
    struct tuned_disk {
        struct tuning *tuning;
        const struct volume *volume;
        uint32_t has_flags, flags;
    } disks[DISKS_MAX]; /* disks whose flags differ */
    size_t n_disks;
    struct secret *secret; /* secret of the next disk */
    bool changed;
};

static int check_key(const struct context *c, const struct tuning *t, const struct volume *v, struct error *e)
{
    bool durable = true;
    int r = key_durable(c, v, &durable, e);
    if (r < 0 || durable)
        return r;
    return error_set(
        e, -EINVAL,
        "instance %s: its disk %s cannot be tuned: its key is ephemeral: it exists only in the kernel, which "
        "cannot hand it back for another table; a new instance gets the current flags",
        t->instance->name, v->role);
}

/* Fills in the disks whose flags differ. */
static int find_changes(const struct context *c, struct tuning *t, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < t->instance->n_volumes && t->n_disks < DISKS_MAX; n++) {
        const struct volume *v = t->instance->volumes[n];
        const struct map *map = volume_encrypted(v) ? model_map_of(t->model, v) : NULL;
        if (!map || map->served) /* which has no table */
            continue;
        struct facts facts;
        facts_of_volume(v, t->model->inventory->crypt_version, &facts);
        uint32_t flags = choose_flags(c->config, &facts, NULL);
        if (map->flags == flags)
            continue;
        t->disks[t->n_disks++] =
            (struct tuned_disk){.tuning = t, .volume = v, .has_flags = map->flags, .flags = flags};
        r = check_key(c, t, v, e);
    }
    return r;
}

/* -------------------------------------------------------------------- steps */

static int fetch_key(const struct context *c, void *disk, struct error *e)
{
    const struct tuned_disk *d = disk;
    d->tuning->secret = secret_free(d->tuning->secret);
    return key_fetch(c, d->volume, &d->tuning->secret, e);
}

static int tune_disk(const struct context *c, void *disk, struct error *e)
{
    const struct tuned_disk *d = disk;
    bool changed = false;
    int r = disk_tune(c, d->volume, d->tuning->secret, &changed, e);
    d->tuning->changed |= changed;
    return r;
}

/* Writes the flags as "workqueues off, discard on". */
static void describe(const struct tuned_disk *d, char *text, size_t size)
{
    size_t used = 0;
    for (enum choice i = 0; i < CHOICE_COUNT && used < size; i++)
        if (!streq(choice_value(i, d->has_flags), choice_value(i, d->flags)))
            used += (size_t)snprintf(text + used, size - used, "%s%s %s", used ? ", " : "", choice_name(i),
                                     choice_value(i, d->flags));
}

static int add_steps(struct steps *s, struct tuning *t, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < t->n_disks; n++) {
        struct tuned_disk *d = &t->disks[n];
        char what[128] = "";
        describe(d, what, sizeof what);
        if (n == 0 || !streq(t->disks[n - 1].volume->key, d->volume->key))
            r = steps_add(s, fetch_key, NULL, d, e, "fetch the key of %s", t->instance->name);
        if (r == 0)
            r = steps_add(s, tune_disk, NULL, d, e, "tune the map of %s: %s", d->volume->lv, what);
    }
    return r;
}

static int tune(const struct context *c, bool dry_run, struct tuning *t, struct steps **ret_plan,
                struct error *e)
{
    _cleanup_steps_ struct steps *s = NULL;
    int r = steps_new(&s, e);
    if (r == 0)
        r = add_steps(s, t, e);
    if (r == 0 && !dry_run)
        r = steps_run(s, c, e);
    if (!dry_run && t->changed)
        audit_instance("tune", t->instance->uuid, t->instance->name, r, e);
    t->secret = secret_free(t->secret);
    if (r == 0)
        steps_hand_over(&s, ret_plan);
    return r;
}

int instance_tune(const struct context *c, const char *name, bool dry_run, bool *ret_changed,
                  struct steps **ret_plan, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    struct tuning t = {.n_disks = 0};
    int r = model_lock(c, name, &m, &t.instance, e);
    if (r == 0)
        r = model_check_ready(m, t.instance, e);
    if (r < 0)
        return r;
    t.model = m;
    r = find_changes(c, &t, e);
    if (r == 0)
        r = tune(c, dry_run, &t, ret_plan, e);
    if (r == 0)
        *ret_changed = t.changed;
    return r;
}
