/* SPDX-License-Identifier: Apache-2.0 */
/* Keys without volumes, and volumes without keys. Keys without volumes are destroyed if it is certain that no
 * volume can name them. Volumes without keys are only reported: their keys may be in another key manager.
 */
#include "instance/doubt.h"
#include "instance/keys.h"
#include "instance/recover.h"

/* True if the caller brought credentials. A run without them is the host's own, for example at boot. The
 * host's user may fetch keys which others made, but perhaps not list those of a project, and need not. */
static bool brought_credentials(const struct key_context *who)
{
    return who->environment || who->token || who->cloud[0];
}

static int tell_unlisted(struct recovery *r, const struct key_source *s, struct error *e)
{
    if (s->error.errnum == -EACCES && s->km && !s->km->lists_all && !brought_credentials(r->context.who)) {
        report_warning(&r->context, "the keys of %s were not looked at: %s", s->name, s->error.text);
        return 0;
    }
    const struct subject about = subject_manager(s->name);
    return recovery_remains(r, &about, s->error.errnum, e, "its keys were not looked at: %s", s->error.text);
}

static int tell_of_manager(struct recovery *r, const struct key_source *s, struct error *e)
{
    const struct subject about = subject_manager(s->name);
    if (s->error.errnum)
        return tell_unlisted(r, s, e);
    if (!s->incomplete.errnum)
        return 0;
    return recovery_remains(
        r, &about, -ENEEDSRECOVER, e,
        "not all of its keys can be read: %s; mayfly key list shows them, mayfly key destroy "
        "removes one that nobody needs",
        s->incomplete.text);
}

/* True if a volume is not ready: then an operation was cut off, and may have left keys. */
static bool any_unfinished(const struct inventory *i)
{
    for (size_t n = 0; n < i->n_volumes; n++)
        if (i->volumes[n].state != VOLUME_READY)
            return true;
    return false;
}

int recovery_list_keys(struct recovery *r, const struct inventory *inventory, struct error *e)
{
    bool near = r->quick && !any_unfinished(inventory);
    int result = near ? key_list_load_near(&r->context, inventory, &r->keys, e)
                      : key_list_load(&r->context, inventory, &r->keys, e);
    for (size_t i = 0; result == 0 && i < r->keys->n_managers; i++)
        result = tell_of_manager(r, &r->keys->managers[i], e);
    return result;
}

/* Sets the fault of the line that was added last; `result`: of adding it. */
static int set_fault(struct recovery *r, enum recover_fault fault, int result)
{
    if (result == 0)
        r->done[r->n_done - 1].fault = fault;
    return result;
}

/* True if a volume names the key. While planning, the list of keys tells, since it was made of the first
 * look. */
static bool is_named(const struct recovery *r, const struct key_entry *k)
{
    return r->planning ? k->n_volumes > 0 : key_named(r->model->inventory, k->ref);
}

static bool is_unnamed(const struct recovery *r, const struct key_entry *k)
{
    return k->listed && k->state != KEY_IMAGE && k->state != KEY_DAMAGED && !is_named(r, k);
}

bool recovery_has_unnamed_key(const struct recovery *r, const char *owner)
{
    for (size_t i = 0; i < r->keys->n_keys; i++)
        if (streq(r->keys->keys[i].info.owner, owner) && is_unnamed(r, &r->keys->keys[i]))
            return true;
    return false;
}

/* Returns why a volume that is not seen may need the key; errnum 0: none does. */
static struct error doubt_of(const struct recovery *r, struct doubts *now, const struct key_entry *k)
{
    struct error doubt = r->planning ? k->doubt : ERROR_NONE;
    if (!r->planning)
        (void)!doubt_of_unnamed(&r->context, r->keys, r->model->inventory, now, k, &doubt);
    return doubt;
}

/* Destroys keys by their references, unless this is a dry run. */
static void destroy_keys(const struct recovery *r, struct key_asked k[], size_t n)
{
    if (!r->dry_run)
        (void)!keys_ask(&r->context, k, n, keymgr_destroy_many, NULL);
}

/* A key that no volume names. */
struct unnamed {
    const struct key_entry *key;
    struct error doubt; /* errnum 0: none, and it is destroyed */
};

static size_t find_unnamed(struct recovery *r, struct unnamed ret[])
{
    _cleanup_doubts_ struct doubts now = {.knows_domains = false};
    size_t n = 0;
    for (size_t i = 0; i < r->keys->n_keys; i++) {
        const struct key_entry *k = &r->keys->keys[i];
        /* a volume that this run has removed still counts here: its removal has destroyed the key */
        if (is_unnamed(r, k) && recovery_may_act(r, k->info.owner))
            ret[n++] = (struct unnamed){k, doubt_of(r, &now, k)};
    }
    return n;
}

static int tell_unnamed(struct recovery *r, const struct unnamed *u, const struct error *destroyed,
                        struct error *e)
{
    const struct subject about = subject_key(u->key->info.owner, u->key->ref);
    int result = u->doubt.errnum ? recovery_remains(r, &about, -ENEEDSRECOVER, e,
                                                    "no volume names it, but it is left: %s", u->doubt.text)
                                 : recovery_settle(r, RECOVER_KEY, &about, "no volume names it: destroyed",
                                                   destroyed->errnum, destroyed, e);
    return set_fault(r, FAULT_KEY_WITHOUT_VOLUME, result);
}

int recovery_destroy_keys(struct recovery *r, struct error *e)
{
    _cleanup_free_ struct unnamed *unnamed = calloc(r->keys->n_keys + 1, sizeof *unnamed);
    _cleanup_free_ struct key_asked *asked = calloc(r->keys->n_keys + 1, sizeof *asked);
    size_t n_asked = 0, next = 0;
    if (!unnamed || !asked)
        return error_memory(e);
    size_t n = find_unnamed(r, unnamed);
    for (size_t i = 0; i < n; i++)
        if (!unnamed[i].doubt.errnum)
            asked[n_asked++].id = unnamed[i].key->ref;
    destroy_keys(r, asked, n_asked);
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++) {
        const struct error *destroyed = unnamed[i].doubt.errnum ? NULL : &asked[next++].error;
        result = tell_unnamed(r, &unnamed[i], destroyed, e);
    }
    return result;
}

/* Destroys the copy, which has the uuid of the first disk, made for this adoption. */
int recovery_destroy_copy(struct recovery *r, const struct volume *lead, struct error *e)
{
    const struct key_entry *k = key_list_find(r->keys, lead->key);
    if (!k || !str_ends(lead->key, lead->disk) || k->state == KEY_MISSING)
        return 0;
    const struct subject about = subject_key(lead->instance, k->ref);
    if (!k->listed)
        return recovery_remains(r, &about, -EHOSTUNREACH, e,
                                "the copy that the adoption made: its key manager could not be reached");
    struct key_asked copy = {.id = k->ref};
    destroy_keys(r, &copy, 1);
    return recovery_settle(r, RECOVER_KEY, &about, "the copy that the adoption made: destroyed",
                           copy.error.errnum, &copy.error, e);
}

/* Returns why the key of a disk is lost; NULL: it is not, or its manager was not asked. */
static const char *lost_key(const struct recovery *r, const struct volume *v)
{
    bool durable = true;
    if (!volume_encrypted(v) || v->state != VOLUME_READY || key_durable(&r->context, v, &durable, NULL) < 0)
        return NULL;
    if (!durable)
        return model_map_of(r->model, v) ? NULL
                                         : "was lost when its map was closed, and with it the disk's data; "
                                           "run mayfly rebuild or mayfly delete";
    const struct key_entry *k = key_list_find(r->keys, v->key);
    if (k && k->state == KEY_DAMAGED)
        return "is damaged; restore it from a backup";
    return k && k->state == KEY_MISSING ? "does not exist in its key manager; restore it from a "
                                          "backup, or, if there is none, run mayfly delete"
                                        : NULL;
}

int recovery_check_key(struct recovery *r, const struct instance *i, struct error *e)
{
    int result = 0;
    for (size_t n = 0; result == 0 && n < i->n_volumes; n++) {
        const char *lost = lost_key(r, i->volumes[n]);
        const struct subject about = subject_volume(i->uuid, i->volumes[n]->vg, i->volumes[n]->lv);
        if (lost)
            result = set_fault(r, FAULT_VOLUME_WITHOUT_KEY,
                               recovery_remains(r, &about, -ENEEDSRECOVER, e, "its key %.120s %s",
                                                i->volumes[n]->key, lost));
    }
    return result;
}
