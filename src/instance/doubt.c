/* SPDX-License-Identifier: Apache-2.0 */
/* See doubt.h. */
#include "instance/doubt.h"

static int check_whole(const struct inventory *i, const char *vg, struct error *e)
{
    const struct group *group = inventory_group(i, vg);
    if (!group)
        return error_set(e, -EUNSAFE,
                         "volume group %s cannot be found, and a volume in it may need the key; make it "
                         "visible (see vgs, and images_volume_group in mayfly.conf)",
                         vg);
    if (!group->complete)
        return error_set(
            e, -EUNSAFE,
            "volume group %s lacks a physical volume or is exported, and a volume of it may need the key; "
            "bring it back (see pvs, vgimport)",
            vg);
    return 0;
}

static int error_damaged(const struct damaged_volume *d, struct error *e)
{
    return error_set(
        e, -EUNSAFE,
        "volume %s/%.100s has damaged tags (%.200s), and may need the key; mend the tags, or remove "
        "the volume if nobody needs it",
        d->vg, d->lv, d->reason.text);
}

static int error_untagged(const struct untagged_volume *u, struct error *e)
{
    return error_set(
        e, -EUNSAFE,
        "volume %s/%s has the name of an instance's disk, but no Mayfly tags, and may have lost them; "
        "%s, or rename it if it is not Mayfly's",
        u->vg, u->lv,
        volume_group_is_folder(u->vg) ? "restore its line in the file tags beside it"
                                      : "restore its tags (vgcfgrestore, lvchange --addtag)");
}

int doubt_of_group(const struct inventory *i, const char *vg, struct error *e)
{
    int r = check_whole(i, vg, e);
    for (size_t n = 0; r == 0 && n < i->n_damaged; n++)
        if (streq(i->damaged[n].vg, vg))
            r = error_damaged(&i->damaged[n], e);
    for (size_t n = 0; r == 0 && n < i->n_untagged; n++)
        if (streq(i->untagged[n].vg, vg))
            r = error_untagged(&i->untagged[n], e);
    return r;
}

int doubt_of_instance(const struct inventory *i, const char *vg, const char *uuid, struct error *e)
{
    int r = check_whole(i, vg, e);
    for (size_t n = 0; r == 0 && n < i->n_damaged; n++)
        if (streq(i->damaged[n].vg, vg) && damaged_may_be_of(&i->damaged[n], uuid))
            r = error_damaged(&i->damaged[n], e);
    for (size_t n = 0; r == 0 && n < i->n_untagged; n++)
        if (streq(i->untagged[n].vg, vg) && streq(i->untagged[n].instance, uuid))
            r = error_untagged(&i->untagged[n], e);
    return r;
}

int doubt_of_elsewhere(const struct context *c, struct doubts *once, const char *uuid, struct error *e)
{
    int r = once->knows_active ? 0 : active_load(c->root, &once->active, e);
    once->knows_active = r == 0;
    for (size_t i = 0; r == 0 && i < once->active.n; i++) {
        const struct active *a = &once->active.all[i];
        if (active_elsewhere(a, &c->config->volume_groups) && (!uuid || streq(uuid, a->volume.instance)))
            r = error_set(
                e, -EUNSAFE,
                "volume %s/%s, of a group that is not configured, has the name of an instance's disk and may "
                "need the key; if the volume is Mayfly's, add the group to images_volume_group in "
                "mayfly.conf, else rename it or deactivate it (lvchange -an)",
                a->volume.vg, a->volume.lv);
    }
    return r;
}

void doubts_end(struct doubts *d)
{
    active_end(&d->active);
}

/* True if `v` names an impossible key, so that it may need another one. A manager that shows callers only
 * their own keys may have a key that it does not list. */
static bool names_wrong_key(const struct key_list *l, const struct volume *v, const struct key_entry *k)
{
    /* the key of such a volume is destroyed before it is removed */
    if (v->state == VOLUME_BUILDING || v->state == VOLUME_DOOMED)
        return false;
    const struct key_entry *named = key_list_find(l, v->key);
    bool own = k->info.scope == KEY_SCOPE_INSTANCE && streq(k->info.owner, v->instance);
    if (!named || named->state == KEY_MISSING)
        return true;
    if (!named->listed)
        return own || (k->info.scope == KEY_SCOPE_BATCH && v->scope == KEY_SCOPE_BATCH);
    if (named->state == KEY_DAMAGED)
        return false;
    return v->scope == KEY_SCOPE_INSTANCE && !streq(named->info.owner, v->instance);
}

static int doubt_of_volumes(const struct key_list *l, const struct inventory *i, const struct key_entry *k,
                            struct error *e)
{
    int r = doubt_of_group(i, k->info.vg, e);
    for (size_t n = 0; r == 0 && n < i->n_volumes; n++) {
        const struct volume *v = &i->volumes[n];
        if (volume_encrypted(v) && streq(v->vg, k->info.vg) && names_wrong_key(l, v, k))
            r = error_set(e, -EUNSAFE,
                          "volume %s/%s names the key %s, which does not exist or is not its own, and may "
                          "need this one; mend its tag mayfly.key, or delete its instance",
                          v->vg, v->lv, v->key);
    }
    return r;
}

/* Doubts a damaged key, whose owner is not known. */
static int doubt_of_damaged(const struct context *c, const struct inventory *i, struct doubts *once,
                            struct error *e)
{
    int r = doubt_of_elsewhere(c, once, NULL, e);
    for (size_t n = 0; r == 0 && n < i->n_groups; n++)
        r = doubt_of_group(i, i->groups[n].name, e);
    return r < 0 ? r : doubt_of_any_domain(c, once, e);
}

/* Doubts a key of another host, whose volumes are never seen here. */
static int doubt_of_host(const struct key_entry *k, struct error *e)
{
    if (!k->info.host[0])
        return 0;
    return error_set(
        e, -EUNSAFE,
        "host %s, which has the machine id of this host, made the key, and may have the volume that needs "
        "it; if that host is a copy of this one, give it an id of its own (systemd-machine-id-setup); if "
        "this host had that name, destroy the key with the manager's own tools",
        k->info.host);
}

int doubt_of_unnamed(const struct context *c, const struct key_list *l, const struct inventory *i,
                     struct doubts *once, const struct key_entry *k, struct error *e)
{
    if (k->state == KEY_DAMAGED)
        return doubt_of_damaged(c, i, once, e);
    int r = doubt_of_host(k, e);
    if (r == 0)
        r = doubt_of_volumes(l, i, k, e);
    if (r < 0 || k->info.scope == KEY_SCOPE_IMAGE)
        return r;
    r = doubt_of_elsewhere(c, once, k->info.scope == KEY_SCOPE_BATCH ? NULL : k->info.owner, e);
    if (r < 0)
        return r;
    return k->info.scope == KEY_SCOPE_BATCH ? doubt_of_any_domain(c, once, e)
                                            : doubt_of_domain(c, i, k->info.owner, e);
}
