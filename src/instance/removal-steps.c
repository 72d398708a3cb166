/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of removal.c: each for a whole list of removals. See removal.h.
 *
 * The object of each step is the first removal of the list. Every step may be done again: so a step that
 * fails for all is tried one by one, to see whose fault it was.
 */
#include "instance/removal-steps.h"

#include "instance/keys-going.h"
#include "virt/rescue-xml.h"

/* NULL: none, or it is not Mayfly's to touch, or only a disk goes. */
const struct domain *removal_domain(const struct removal *r)
{
    const struct domain *domain = model_domain_of(r->model, r->instance->uuid);
    return domain && domain->ours && r->whole ? domain : NULL;
}

/* A rescue disk alone? Its instance stays, with the key, even if no other disk of it is to be seen now. */
bool removal_ends_rescue(const struct removal *r)
{
    return !r->whole && volume_is_rescue(r->volumes[0]);
}

/* ---------------------------------------------------------- several at once */

/* Is it still on its way? `only`: and that one; NULL: any. */
static bool goes(const struct removal *r, const struct removal *only)
{
    return r->error.errnum == 0 && (!only || r == only);
}

/* What the step says in the end: an error once none is left. */
static int left(const struct removal *first, struct error *e)
{
    for (const struct removal *r = first; r; r = r->next)
        if (goes(r, NULL))
            return 0;
    return error_pass(e, first->error.errnum, &first->error);
}

/* A failure that would hit all: the next one would run into it too, perhaps after a long wait. */
static bool concerns_all(int r)
{
    return r == -EHOSTUNREACH || r == -ECONNREFUSED || r == -ECONNRESET || r == -ETIMEDOUT || r == -ENOMEM;
}

/* Notes an error that came with or without a sentence. */
static void stop(struct removal *r, int result, const struct error *why)
{
    if (result < 0)
        error_set(&r->error, result, "%s", why->errnum ? why->text : strerror(-result));
}

typedef int together_fn(const struct context *c, const struct removal *first, const struct removal *only,
                        struct error *e);

static int together(const struct context *c, struct removal *first, together_fn *act, struct error *e)
{
    struct error why = ERROR_NONE;
    int result = act(c, first, NULL, &why);
    bool all = !first->next || concerns_all(result);
    for (struct removal *r = first; result < 0 && r; r = r->next) {
        if (!goes(r, NULL))
            continue;
        if (all)
            stop(r, result, &why);
        else
            stop(r, act(c, first, r, &r->error), &r->error);
    }
    return left(first, e);
}

typedef int single_fn(const struct context *c, const struct removal *r, struct error *e);

static int one_by_one(const struct context *c, struct removal *first, single_fn *act, struct error *e)
{
    for (struct removal *r = first; r; r = r->next)
        if (goes(r, NULL))
            stop(r, act(c, r, &r->error), &r->error);
    return left(first, e);
}

static size_t count_volumes(const struct removal *first)
{
    size_t n = 0;
    for (const struct removal *r = first; r; r = r->next)
        n += r->n_volumes;
    return n;
}

/* All volumes of those that are still on their way; the caller frees *ret. */
static int gather(const struct removal *first, const struct removal *only, const struct volume ***ret,
                  size_t *ret_n, struct error *e)
{
    size_t n = 0;
    const struct volume **all = calloc(count_volumes(first), sizeof(struct volume *));
    if (!all)
        return error_memory(e);
    for (const struct removal *r = first; r; r = r->next)
        for (size_t i = 0; goes(r, only) && i < r->n_volumes; i++)
            all[n++] = r->volumes[i];
    *ret = all;
    *ret_n = n;
    return 0;
}

/* -------------------------------------------------------------------- marks */

static bool can_be_doomed(const struct volume *v)
{
    return v->state == VOLUME_READY || v->state == VOLUME_REBUILDING;
}

/* Marks the leads, or all others. What says building is as good as doomed. */
static int doom(const struct context *c, const struct removal *first, const struct removal *only, bool leads,
                struct error *e)
{
    size_t n = 0;
    _cleanup_free_ const struct volume **ready = calloc(count_volumes(first), sizeof(struct volume *));
    if (!ready)
        return error_memory(e);
    for (const struct removal *r = first; r; r = r->next)
        for (size_t i = leads ? 0 : 1; goes(r, only) && i < (leads ? 1 : r->n_volumes); i++)
            if (can_be_doomed(r->volumes[i]))
                ready[n++] = r->volumes[i];
    return n ? broker_mark(c->broker, ready, n, VOLUME_DOOMED, e) : 0;
}

static int doom_leads_of(const struct context *c, const struct removal *first, const struct removal *only,
                         struct error *e)
{
    return doom(c, first, only, true, e);
}

static int doom_others_of(const struct context *c, const struct removal *first, const struct removal *only,
                          struct error *e)
{
    return doom(c, first, only, false, e);
}

int removal_doom_leads(const struct context *c, void *removal, struct error *e)
{
    for (struct removal *r = removal; r; r = r->next)
        r->begun = goes(r, NULL);
    context_hold_stop(c);
    int result = together(c, removal, doom_leads_of, e);
    for (struct removal *r = removal; r; r = r->next)
        if (r->error.errnum == -EBUSY || r->error.errnum == -EUNSAFE)
            r->begun = false; /* refused by the broker; else it may have had its effect */
    return result;
}

int removal_doom_others(const struct context *c, void *removal, struct error *e)
{
    return together(c, removal, doom_others_of, e);
}

/* ------------------------------------------------------------------ domains */

static int remove_domain(const struct context *c, const char *uuid, struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    int r = virt_destroy(c->virt, uuid, e);
    if (r == 0)
        r = virt_undefine(c->virt, uuid, &kept, e);
    if (r == 0 && kept)
        report_warning(
            c,
            "domain %s: its NVRAM file %s stays: libvirt did not make it for this domain, or another one "
            "has it",
            uuid, kept);
    return r;
}

int domain_remove(const struct context *c, const char *uuid, struct error *e)
{
    int r = remove_domain(c, uuid, e);
    return r < 0 ? r : virt_settle(c->virt, e);
}

static int remove_our_domain(const struct context *c, const struct removal *r, struct error *e)
{
    return removal_domain(r) ? remove_domain(c, removal_domain(r)->uuid, e) : 0;
}

int removal_end_domains(const struct context *c, void *removal, struct error *e)
{
    return one_by_one(c, removal, remove_our_domain, e);
}

/* Also where there is none: who undefined it may have been cut off before this. */
static int settle_domains_of(const struct context *c, const struct removal *first, const struct removal *only,
                             struct error *e)
{
    (void)first, (void)only;
    return c->virt ? virt_settle(c->virt, e) : 0; /* what has no domain goes without libvirt, too */
}

int removal_settle_domains(const struct context *c, void *removal, struct error *e)
{
    return together(c, removal, settle_domains_of, e);
}

int domain_leave_rescue(const struct context *c, const char *uuid, struct error *e)
{
    _cleanup_free_ char *xml = NULL, *before = NULL;
    struct error why = ERROR_NONE;
    int r = virt_definition(c->virt, uuid, &xml, &why);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = rescue_xml_remove(xml, &before, &why);
    if (r == 0 && before)
        r = virt_redefine(c->virt, before, &why);
    return r < 0 ? error_pass(e, r, &why) : 0;
}

/* Where the domain stays: */
static bool stays(const struct removal *r)
{
    return !removal_domain(r) && model_domain_of(r->model, r->instance->uuid);
}

bool removal_leaves_rescue(const struct removal *r)
{
    return stays(r) && volume_is_rescue(r->volumes[r->n_volumes - 1]);
}

bool removal_leaves_domain(const struct removal *r)
{
    return stays(r) && !removal_ends_rescue(r);
}

static int leave_rescue_of(const struct context *c, const struct removal *r, struct error *e)
{
    return removal_leaves_rescue(r) ? domain_leave_rescue(c, r->instance->uuid, e) : 0;
}

int removal_leave_rescue(const struct context *c, void *removal, struct error *e)
{
    return one_by_one(c, removal, leave_rescue_of, e);
}

/* What libvirt has saved of the guest's memory holds in plaintext what was on the disks, and could not go on
 * without them. */
static int leave_domain_of(const struct context *c, const struct removal *r, struct error *e)
{
    int result = r->whole && removal_leaves_domain(r) ? virt_drop_save(c->virt, r->instance->uuid, e) : 0;
    for (size_t i = 0; removal_leaves_domain(r) && result == 0 && i < r->n_volumes; i++)
        result = disk_leave_domain(c, r->volumes[i], e);
    return result;
}

int removal_leave_domains(const struct context *c, void *removal, struct error *e)
{
    return one_by_one(c, removal, leave_domain_of, e);
}

/* ------------------------------------------------------ maps, keys, volumes */

static int close_maps_of(const struct context *c, const struct removal *r, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_volumes; i++)
        result = disk_close(c, r->volumes[i], SETTLE_NOW, e);
    return result;
}

int removal_close_maps(const struct context *c, void *removal, struct error *e)
{
    return one_by_one(c, removal, close_maps_of, e);
}

bool removal_has_key(const struct removal *r, const char *key)
{
    bool found = false;
    for (size_t i = 0; !found && i < r->n_volumes; i++)
        found = key_ref_same(r->volumes[i]->key, key);
    return found;
}

/* The removals that have this key stop, and keep the volumes that lead to it. */
static void keep_key(struct removal *first, const char *key, int result, const struct error *why)
{
    for (struct removal *r = first; r; r = r->next)
        if (goes(r, NULL) && removal_has_key(r, key))
            stop(r, result, why);
}

/* Notes it in all that have the key. */
static void note_end(struct removal *first, const char *key, const struct key_end *end)
{
    for (struct removal *r = first; r; r = r->next)
        if (removal_has_key(r, key) && end->fate != KEY_FATE_NONE && r->key.fate != KEY_FATE_STAYS &&
            r->key.fate != KEY_FATE_CALLERS && r->key.fate != KEY_FATE_LEFT &&
            r->key.fate != KEY_FATE_FORGOTTEN)
            r->key = *end;
}

/* A key that cannot be destroyed keeps the volumes that lead to it, unless it is to be left or forgotten. */
static void note_failure(const struct context *c, struct removal *first, const struct key_going *k)
{
    const char *key = k->v->key;
    bool left = first->demand == KEY_LEFT_IF_DENIED && key_is_denied(k);
    if (!left && first->demand != KEY_FORGOTTEN) {
        keep_key(first, key, k->error.errnum, &k->error);
        return;
    }
    struct key_end end = {.fate = left ? KEY_FATE_LEFT : KEY_FATE_FORGOTTEN};
    (void)!str_copy(end.ref, sizeof end.ref, key);
    note_end(first, key, &end);
    if (!left)
        report_warning(c, "key %s was NOT destroyed: %s", key, k->error.text);
}

/* Who has keys looks once more: tags may have been taken away since the first look. */
static int destroy_keys(const struct context *c, struct removal *first, const struct volume *const going[],
                        size_t n, struct error *e)
{
    _cleanup_inventory_ struct inventory *now = NULL;
    _cleanup_keys_going_ struct keys_going keys = {.n = 0};
    int result = broker_list(c->broker, &now, e);
    if (result == 0)
        result = keys_of_going(now, going, n, &keys, e);
    if (result < 0)
        return result;
    (void)!keys_destroy_unused(c, &keys, NULL);
    for (size_t i = 0; i < keys.n; i++) {
        const struct key_going *k = &keys.keys[i];
        if (k->error.errnum)
            note_failure(c, first, k);
        else
            note_end(first, k->v->key, &k->end);
    }
    return 0;
}

static bool any_encrypted(const struct volume *const volumes[], size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++)
        found |= volume_encrypted(volumes[i]);
    return found;
}

int removal_destroy_keys(const struct context *c, void *removal, struct error *e)
{
    struct removal *first = removal;
    _cleanup_free_ const struct volume **going = NULL;
    size_t n = 0;
    int result = gather(first, NULL, &going, &n, e);
    if (result == 0 && any_encrypted(going, n))
        result = destroy_keys(c, first, going, n, e);
    return result < 0 ? result : left(first, e);
}

static int remove_volumes_of(const struct context *c, const struct removal *first, const struct removal *only,
                             struct error *e)
{
    _cleanup_free_ const struct volume **going = NULL;
    size_t n = 0;
    int result = gather(first, only, &going, &n, e);
    return result < 0 ? result : broker_remove(c->broker, going, n, e);
}

int removal_remove_volumes(const struct context *c, void *removal, struct error *e)
{
    return together(c, removal, remove_volumes_of, e);
}

int snapshot_remove(const struct context *c, const struct volume *v, struct error *e)
{
    int r = disk_close(c, v, SETTLE_NOW, e);
    if (r == 0 && v->state == VOLUME_BUILDING) /* else it is a file's: see export.c */
        r = key_destroy_of_image(c, v, e);
    return r < 0 ? r : broker_remove(c->broker, &v, 1, e);
}

/* One that is being written to a file keeps the instance from being removed. */
static int remove_snapshot_of(const struct context *c, const struct removal *r, struct error *e)
{
    const struct volume *v = r->instance->snapshot;
    struct error why = ERROR_NONE;
    int result = v ? broker_lock(c->broker, v->disk, &why) : 0;
    if (result < 0)
        return error_set(e, result, "instance %s: it is being exported: %s", r->instance->name, why.text);
    if (v) {
        result = snapshot_remove(c, v, e);
        broker_unlock(c->broker, v->disk);
    }
    return result;
}

int removal_remove_snapshots(const struct context *c, void *removal, struct error *e)
{
    return one_by_one(c, removal, remove_snapshot_of, e);
}
