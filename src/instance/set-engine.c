/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly set-engine: another engine for an instance that does not run.
 *
 *     to user        tags -> definition
 *     to dm-crypt    definition -> tags
 *
 * So what is cut off leaves volumes that are to be served and a definition that names maps. No guest starts
 * from that, since no map is there; the same command completes either way, as does the one for the other
 * engine.
 */
#include "instance/set-engine.h"
#include "base/audit.h"
#include "instance/disks.h"
#include "instance/drift.h"
#include "instance/keys.h"
#include "instance/lock.h"
#include "instance/operations.h"
#include "virt/exchange-xml.h"

struct switching {
    const struct instance *instance;
    enum volume_engine engine;
    const struct volume *disks[DISKS_MAX]; /* those that are encrypted */
    size_t n_disks;
    size_t n_tagged; /* of these, from the first on: with the tag of this run, or tried */
    char *was, *is;  /* definitions; `is` NULL: it stays as it was */
    bool tags_differ;
};

static void switching_end(struct switching *s)
{
    free(s->was);
    free(s->is);
}

/* ------------------------------------------------------------------- checks */

static int check_state(const struct instance *i, struct error *e)
{
    if (i->state == INSTANCE_RUNNING)
        return error_set(e, -EBUSY, "instance %s: cannot get another engine: it runs; run mayfly stop first",
                         i->name);
    if (i->state == INSTANCE_OPEN)
        return error_set(e, -EBUSY,
                         "instance %s: cannot get another engine: its disks are open; run mayfly close first",
                         i->name);
    return model_check_not_in_rescue(i, e);
}

static int check_kind(const struct instance *i, struct error *e)
{
    return volume_in_folder(i->volumes[0])
               ? error_set(e, -EINVAL,
                           "instance %s: cannot get another engine: its disks are "
                           "files, which are always served",
                           i->name)
               : 0;
}

static int check_disk(const struct context *c, const struct switching *s, const struct volume *v,
                      struct error *e)
{
    bool durable = true;
    if (s->engine != ENGINE_USER)
        return 0;
    if (!streq(v->cipher, ENGINE_USER_CIPHER))
        return error_set(
            e, -EINVAL,
            "instance %s: cannot get another engine: its disk %s is encrypted with %s; engine user "
            "has " ENGINE_USER_CIPHER " alone, which mayfly rebuild gives it if cipher says so",
            s->instance->name, v->role, v->cipher);
    int r = key_durable(c, v, &durable, e);
    return r < 0 || durable ? r
                            : error_set(e, -EINVAL,
                                        "instance %s: cannot get another engine: its key is ephemeral, and "
                                        "would end with each guest; rebuild it with a key of another "
                                        "key manager first",
                                        s->instance->name);
}

static int find_disks(const struct context *c, struct switching *s, struct error *e)
{
    const struct instance *i = s->instance;
    int r = 0;
    for (size_t n = 0; r == 0 && n < i->n_volumes && n < DISKS_MAX; n++) {
        if (!volume_encrypted(i->volumes[n]))
            continue;
        s->disks[s->n_disks++] = i->volumes[n];
        s->tags_differ |= i->volumes[n]->engine != s->engine;
        r = check_disk(c, s, i->volumes[n], e);
    }
    if (r == 0 && s->n_disks == 0)
        r = error_set(e, -EINVAL,
                      "instance %s: cannot get another engine: its disks are plain, and have no engine",
                      i->name);
    return r;
}

/* Describes a disk with either engine, by which it is found in the definition. */
static struct exchanged_disk describe(const struct context *c, const struct volume *v,
                                      enum volume_engine engine, char was[DEVICE_PATH_MAX],
                                      char is[DEVICE_PATH_MAX])
{
    struct volume as = *v;
    as.engine = volume_other_engine(engine);
    volume_device_path(&as, was);
    as.engine = engine;
    struct exchanged_disk d = {was, disk_of_domain(c, &as, is)};
    d.is.serial = v->disk; /* `as` does not last */
    return d;
}

int engine_definition(const struct context *c, const char *uuid, const struct volume *const disks[], size_t n,
                      const enum volume_engine *engine, char **ret_was, char **ret_is, struct error *e)
{
    struct exchanged_disk exchanged[DISKS_MAX];
    char was[DISKS_MAX][DEVICE_PATH_MAX], is[DISKS_MAX][DEVICE_PATH_MAX];
    for (size_t i = 0; i < n; i++)
        exchanged[i] = describe(c, disks[i], engine ? *engine : disks[i]->engine, was[i], is[i]);
    int r = virt_definition(c->virt, uuid, ret_was, e);
    return r < 0 ? r : exchange_xml(*ret_was, exchanged, n, ret_is, e);
}

static int write_definition(const struct context *c, struct switching *s, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = engine_definition(c, s->instance->uuid, s->disks, s->n_disks, &s->engine, &s->was, &s->is, &why);
    return r < 0 ? error_set(e, r, "instance %s: cannot get another engine: %s", s->instance->name, why.text)
                 : 0;
}

/* Tags alone may follow a definition of others: a person has changed them by hand. */
static int check_ours(const struct model *m, const struct switching *s, struct error *e)
{
    const struct domain *domain = model_domain_of(m, s->instance->uuid);
    if (!s->is || (domain && domain->ours))
        return 0;
    return error_set(e, -EINVAL,
                     "instance %s: cannot get another engine: others have defined its domain, and decide how "
                     "it gets its disks",
                     s->instance->name);
}

static int check(const struct context *c, const struct model *m, struct switching *s, struct error *e)
{
    static const struct drift_need needs = {.cannot = "cannot get another engine",
                                            .refused = DRIFT(UNDEFINED) | DRIFT(SAVED) | DRIFT(HELD) |
                                                       DRIFT_ELSEWHERE | DRIFT(BARE)};
    int r = check_state(s->instance, e);
    if (r == 0)
        r = drift_check(c, m, s->instance, &needs, e);
    if (r == 0)
        r = check_kind(s->instance, e);
    if (r == 0)
        r = find_disks(c, s, e);
    if (r == 0)
        r = write_definition(c, s, e);
    return r < 0 ? r : check_ours(m, s, e);
}

/* -------------------------------------------------------------------- steps */

static int tag(const struct context *c, void *switching, struct error *e)
{
    struct switching *s = switching;
    int r = 0;
    for (s->n_tagged = 0; r == 0 && s->n_tagged < s->n_disks; s->n_tagged++)
        r = broker_set_engine(c->broker, s->disks[s->n_tagged], s->engine, e);
    return r;
}

static int tag_undo(const struct context *c, void *switching, struct error *e)
{
    struct switching *s = switching;
    int r = 0;
    for (; r == 0 && s->n_tagged > 0; s->n_tagged--)
        r = broker_set_engine(c->broker, s->disks[s->n_tagged - 1], s->disks[s->n_tagged - 1]->engine, e);
    return r;
}

static int define(const struct context *c, void *switching, struct error *e)
{
    return virt_redefine(c->virt, ((const struct switching *)switching)->is, e);
}

static int define_undo(const struct context *c, void *switching, struct error *e)
{
    return virt_redefine(c->virt, ((const struct switching *)switching)->was, e);
}

static int add_tags(struct steps *list, struct switching *s, struct error *e)
{
    return s->tags_differ ? steps_add(list, tag, tag_undo, s, e, "tag the volumes of %s: engine %s",
                                      s->instance->name, volume_engine_name(s->engine))
                          : 0;
}

static int add_definition(struct steps *list, struct switching *s, struct error *e)
{
    return s->is ? steps_add(list, define, define_undo, s, e, "give domain %s its disks by engine %s",
                             s->instance->name, volume_engine_name(s->engine))
                 : 0;
}

static int add_steps(struct steps *list, struct switching *s, struct error *e)
{
    bool tags_first = s->engine == ENGINE_USER;
    int r = tags_first ? add_tags(list, s, e) : add_definition(list, s, e);
    return r < 0 ? r : tags_first ? add_definition(list, s, e) : add_tags(list, s, e);
}

static int run(const struct context *c, struct switching *s, bool dry_run, bool *ret_changed,
               struct steps **ret_plan, struct error *e)
{
    _cleanup_steps_ struct steps *list = NULL;
    int r = steps_new(&list, e);
    if (r == 0)
        r = add_steps(list, s, e);
    if (r < 0)
        return r;
    *ret_changed = steps_count(list) > 0;
    if (!dry_run)
        r = steps_run(list, c, e);
    if (!dry_run && *ret_changed)
        audit_instance("set-engine", s->instance->uuid, s->instance->name, r, e);
    if (r == 0)
        steps_hand_over(&list, ret_plan);
    return r;
}

int instance_set_engine(const struct context *c, const char *name, const char *engine, bool dry_run,
                        bool *ret_changed, struct steps **ret_plan, struct error *e)
{
    _cleanup_model_ struct model *m = NULL;
    _cleanup_(switching_end) struct switching s = {.n_disks = 0};
    int r = volume_engine_parse(engine, &s.engine);
    if (r < 0)
        return error_set(e, r, "engine: '%.40s' is neither dm-crypt nor user", engine);
    r = model_lock_ready(c, name, &m, &s.instance, e);
    if (r == 0)
        r = check(c, m, &s, e);
    return r < 0 ? r : run(c, &s, dry_run, ret_changed, ret_plan, e);
}
