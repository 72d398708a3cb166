/* SPDX-License-Identifier: Apache-2.0 */
/* Checks before an adoption. Nova keeps no check value by which a wrong key would be noticed. So the broker
 * checks whether the data makes sense under the key: on the first disk it must. */
#include "instance/adopt.h"
#include "instance/keys.h"
#include "keys/derive.h"
#include "storage/check.h"
#include "storage/xts.h"

#include <stdio.h>

/* ------------------------------------------------------------- the instance */

/* Compares an instance that is Mayfly's already: *ret_done if it was adopted with the same parameters. */
static int known(const struct adoption *a, const struct instance *i, bool *ret_done, struct error *e)
{
    const struct adopt_request *q = a->request;
    int r = model_check_ready(a->model, i, e);
    if (r < 0)
        return r;
    *ret_done = streq(i->volumes[0]->kdf, q->kdf) && (!q->key || key_ref_same(i->volumes[0]->key, q->key));
    if (*ret_done)
        return 0;
    return error_set(e, -EEXIST, "instance %s: is not adopted: it is Mayfly's already; see mayfly show %s",
                     i->name, i->name);
}

static int check_domain(const struct adoption *a, struct error *e)
{
    const struct domain *domain = model_domain_of(a->model, a->request->uuid);
    if (!domain || !domain->active)
        return 0;
    return error_set(
        e, -EBUSY,
        "instance %s: is not adopted while its domain %s runs; shut it down first, and see that Nova does "
        "not start it again",
        a->request->uuid, domain->name);
}

/* -------------------------------------------------------------- the volumes */

static int find_volumes(struct adoption *a, struct error *e)
{
    const struct inventory *now = a->model->inventory;
    int r = 0;
    for (size_t i = 0; r == 0 && i < now->n_groups; i++) {
        _cleanup_free_ struct volume *found = NULL;
        size_t n = 0;
        r = broker_strangers(a->context->broker, now->groups[i].name, a->request->uuid, &found, &n, e);
        if (r < 0 || n == 0)
            continue;
        if (a->n_volumes)
            return error_set(e, -EUNSAFE,
                             "instance %s: is not adopted: two groups, %s and %s, have volumes of its name; "
                             "rename those that are not in use by lvrename",
                             a->request->uuid, a->volumes[0].vg, found[0].vg);
        a->volumes = TAKE_PTR(found);
        a->n_volumes = n;
    }
    if (r < 0)
        return r;
    if (a->n_volumes > DISKS_MAX)
        return error_set(e, -EINVAL, "instance %s: has %zu volumes, more than Nova makes", a->request->uuid,
                         a->n_volumes);
    return a->n_volumes
               ? 0
               : error_set(e, -ENOENT,
                           "instance %s: none of Mayfly's volume groups has a volume %s_disk; see lvs, and "
                           "images_volume_group",
                           a->request->uuid, a->request->uuid);
}

/* Sets the role by the name: "<uuid>_disk" is root, "<uuid>_disk.eph0" is eph0. Refuses other volumes with
 * the uuid, which would be in the way later. */
static int set_role(struct volume *v, struct error *e)
{
    const char *rest = v->lv + UUID_TEXT - 1 + strlen("_disk");
    struct volume named = *v;
    if (!*rest)
        memcpy(named.role, "root", sizeof "root");
    else if (*rest != '.' || str_copy(named.role, sizeof named.role, rest + 1) < 0)
        named.role[0] = '\0';
    if (!volume_role_valid(named.role) || volume_is_snapshot(&named) || volume_is_rescue(&named) ||
        volume_is_bench(&named))
        return error_set(e, -EUNSAFE,
                         "volume %s/%s: has the name of the instance, but is not a disk that can be adopted "
                         "(disk, disk.local, disk.eph0 and so on, disk.swap); unrescue the instance, or "
                         "rename the volume by lvrename",
                         v->vg, v->lv);
    *v = named;
    return 0;
}

/* Fills in all but the key and the check value. */
static int design_volume(const struct adoption *a, struct volume *v, struct error *e)
{
    const struct adopt_request *q = a->request;
    const struct domain *domain = model_domain_of(a->model, q->uuid);
    int r = set_role(v, e);
    if (r == 0)
        r = str_copy(v->instance, sizeof v->instance, q->uuid);
    if (r == 0)
        r = str_copy(v->name, sizeof v->name,
                     domain && volume_instance_name_valid(domain->name) ? domain->name : q->uuid);
    if (r == 0)
        r = str_copy(v->kdf, sizeof v->kdf, q->kdf);
    if (r < 0)
        return r;
    memcpy(v->cipher, XTS_CIPHER, sizeof XTS_CIPHER);
    broker_disk_uuid(a->context->broker, v->disk);
    v->state = VOLUME_ADOPTING;
    v->key_bits = q->key_bits ? q->key_bits : a->context->config->key_size_bits;
    v->sector_bytes = XTS_SECTOR_BYTES;
    v->scope = KEY_SCOPE_INSTANCE;
    return 0;
}

/* ------------------------------------------------------------------ the key */

/* Checks that no other instance has the key, since delete destroys it. */
static int check_key(const struct adoption *a, struct error *e)
{
    const struct volume *lead = &a->volumes[0];
    bool durable = false;
    int r = key_durable(a->context, lead, &durable, e);
    if (r == 0 && !durable)
        r = error_set(e, -EINVAL, "key %s: its manager keeps no keys", lead->key);
    const struct inventory *now = a->model->inventory;
    for (size_t i = 0; r == 0 && i < now->n_volumes; i++)
        if (key_ref_same(now->volumes[i].key, lead->key))
            r = error_set(e, -EUNSAFE,
                          "key %s: belongs to instance %s; Nova gives each instance a key of its own",
                          lead->key, now->volumes[i].name);
    return r;
}

static void set_key(struct adoption *a, const char ref[KEY_REF_MAX])
{
    for (size_t i = 0; i < a->n_volumes; i++)
        memcpy(a->volumes[i].key, ref, KEY_REF_MAX);
}

/* Names the copy of the key by the uuid of the first disk: by that recover recognizes the copy. */
static int name_import(struct adoption *a, char ref[KEY_REF_MAX], struct error *e)
{
    struct keymgr *km = NULL;
    int r = context_keymgr(a->context, ADOPT_MANAGER, &km, e);
    if (r == 0)
        r = keymgr_new_id(km, !a->request->dry_run, a->volumes[0].disk, a->imports.id, e);
    if (r == 0)
        snprintf(ref, KEY_REF_MAX, ADOPT_MANAGER ":%.159s", a->imports.id);
    return r;
}

/* Sets the reference of the key: where it is, or will be. */
static int name_key(struct adoption *a, struct error *e)
{
    const struct adopt_request *q = a->request;
    char ref[KEY_REF_MAX] = "";
    int r = 0;
    if (!q->key) {
        a->imports =
            (struct key_info){.scope = KEY_SCOPE_INSTANCE, .bits = (uint32_t)secret_size(q->secret) * 8};
        memcpy(a->imports.owner, a->volumes[0].instance, sizeof a->imports.owner);
        memcpy(a->imports.vg, a->volumes[0].vg, sizeof a->imports.vg);
    }
    if (!q->key)
        r = name_import(a, ref, e);
    else if (str_copy(ref, sizeof ref, q->key) < 0)
        r = error_set(e, -EINVAL, "key %.64s: its name is too long for a tag", q->key);
    if (r < 0)
        return r;
    set_key(a, ref);
    return check_key(a, e);
}

/* Adds to the reference the place where the key was found. */
static int add_place(struct adoption *a, struct error *e)
{
    char manager[KEY_ID_MAX], id[KEY_ID_MAX], whole[KEY_ID_MAX], place[KEY_PLACE_MAX], ref[KEY_REF_MAX];
    const char *own = NULL;
    struct keymgr *km = NULL;
    int r = key_ref_parse(a->volumes[0].key, manager, id, e);
    if (r == 0)
        r = context_keymgr(a->context, manager, &km, e);
    if (r == 0)
        r = key_id_split(id, place, &own, e);
    if (r == 0)
        r = keymgr_new_id(km, false, own, whole, e);
    if (r < 0 || place[0])
        return r;
    snprintf(ref, sizeof ref, "%.24s:%.159s", manager, whole);
    set_key(a, ref);
    return 0;
}

/* Refuses a first disk that shows nothing. Warns of another disk, which may never have been written to. */
static int check_shows(const struct adoption *a, const struct volume *v, bool shows, struct error *e)
{
    if (shows)
        return 0;
    if (v == a->volumes && !a->request->force)
        return error_set(
            e, -EKEYREJECTED,
            "instance %s: is not adopted: under this key volume %s/%s shows neither partitions nor a file "
            "system; check the key, --kdf and --key-size; if the disk is known to be blank, use --force",
            v->instance, v->vg, v->lv);
    report_warning(a->context,
                   "volume %s/%s: shows neither partitions nor a file system nor swap under this key", v->vg,
                   v->lv);
    return 0;
}

static int try_volume(const struct adoption *a, struct volume *v, const struct secret *secret,
                      struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    bool shows = false;
    int r = derive_volume_key(v, secret, &volume_key, e);
    if (r == 0)
        r = volume_check_value(v, volume_key, v->check, e);
    if (r == 0)
        r = volume_check(v, e);
    if (r == 0)
        r = broker_try(a->context->broker, v, volume_key, &shows, e);
    return r < 0 ? r : check_shows(a, v, shows, e);
}

static int try_key(struct adoption *a, struct error *e)
{
    _cleanup_secret_ struct secret *fetched = NULL;
    int r = a->request->key ? key_fetch(a->context, &a->volumes[0], &fetched, e) : 0;
    if (r == 0 && a->request->key)
        r = add_place(a, e);
    for (size_t i = 0; r == 0 && i < a->n_volumes; i++)
        r = try_volume(a, &a->volumes[i], fetched ? fetched : a->request->secret, e);
    return r;
}

/* ----------------------------------------------------------------------------------- */

int adopt_look(struct adoption *a, bool *ret_done, struct error *e)
{
    const struct instance *i = NULL;
    int r = model_load(a->context, &a->model, e);
    if (r == 0 && model_damaged(a->model, a->request->uuid))
        r = error_set(e, -EUNSAFE, "instance %s: one of its volumes has damaged tags; see mayfly list",
                      a->request->uuid);
    if (r == 0 && model_find(a->model, a->request->uuid, &i, NULL) == 0)
        return known(a, i, ret_done, e);
    if (r == 0)
        r = check_domain(a, e);
    if (r == 0)
        r = find_volumes(a, e);
    for (size_t n = 0; r == 0 && n < a->n_volumes; n++)
        r = design_volume(a, &a->volumes[n], e);
    if (r < 0)
        return r;
    qsort(a->volumes, a->n_volumes, sizeof *a->volumes, volume_order);
    r = name_key(a, e);
    return r < 0 ? r : try_key(a, e);
}
