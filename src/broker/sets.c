/* SPDX-License-Identifier: Apache-2.0 */
/* MARK and REMOVE: what is done to many volumes at once, by as few commands of LVM as can be.
 *
 * Both read the tags again from LVM first, since people can change them by hand (MARK as ready not those of
 * volumes that it has just made: that destroys nothing), and look at every volume of the request before they
 * change one. A cut in the middle leaves each volume as it was or as it should be; the same request again
 * does the rest.
 */
#include "broker/operations.h"

#include "base/fd.h"
#include "broker/device.h"
#include "storage/dmcrypt.h"
#include "storage/rules.h"

#include <fcntl.h>

/* Those of a request that there are; pointers into the session's table. */
struct chosen {
    struct known *k[WIRE_VOLUMES_MAX];
    size_t n;
};
_Static_assert(WIRE_VOLUMES_MAX <= LVM_INSTANCES_MAX, "all are read by one command, whosever they are");

static bool same_instance(const struct volume_ref *a, const struct volume_ref *b)
{
    return streq(a->vg, b->vg) && memcmp(a->lv, b->lv, UUID_TEXT - 1) == 0;
}

/* Is volume `i` the first one of its instance in its group? */
static bool first_of_instance(const struct op_set *set, size_t i)
{
    size_t first = 0;
    while (!same_instance(&set->volume[first], &set->volume[i]))
        first++;
    return first == i;
}

static bool first_of_group(const struct op_set *set, size_t i)
{
    size_t first = 0;
    while (!streq(set->volume[first].vg, set->volume[i].vg))
        first++;
    return first == i;
}

/* Has this connection made all volumes of the set that are of the same instance and group as volume `i`? */
static bool all_made_here(struct session *s, const struct op_set *set, size_t i)
{
    for (size_t j = 0; j < set->n; j++) {
        const struct known *k = session_find(s, &set->volume[j]);
        if (same_instance(&set->volume[i], &set->volume[j]) && !(k && k->made_here))
            return false;
    }
    return true;
}

/* Reads the instances of `set` that are in the group from LVM again, by one command. `trusting`: not those
 * whose volumes this connection has made itself, which nobody but a person could have changed. */
static int load_group(struct session *s, const struct op_set *set, const char *vg, bool trusting,
                      struct error *e)
{
    char instances[WIRE_VOLUMES_MAX][UUID_TEXT];
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        if (streq(set->volume[i].vg, vg) && first_of_instance(set, i) &&
            !(trusting && all_made_here(s, set, i)))
            volume_ref_instance(&set->volume[i], instances[n++]);
    return n ? session_load_all(s, vg, (const char(*)[UUID_TEXT])instances, n, e) : 0;
}

static int load_groups(struct session *s, const struct op_set *set, bool trusting, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < set->n; i++)
        if (first_of_group(set, i))
            r = load_group(s, set, set->volume[i].vg, trusting, e);
    return r;
}

static bool names_group(const struct op_set *set, const char *vg)
{
    bool named = false;
    for (size_t i = 0; !named && i < set->n; i++)
        named = streq(set->volume[i].vg, vg);
    return named;
}

/* Reads the instances of `set` in all groups again: what dooms an instance looks at all of it. */
static int load_everywhere(struct session *s, const struct op_set *set, struct error *e)
{
    char instances[WIRE_VOLUMES_MAX][UUID_TEXT];
    for (size_t i = 0; i < set->n; i++)
        volume_ref_instance(&set->volume[i], instances[i]);
    for (size_t g = 0; g < s->config->volume_groups.n; g++) {
        const char *vg = s->config->volume_groups.item[g];
        struct error why = ERROR_NONE;
        int r = session_load_all(s, vg, (const char(*)[UUID_TEXT])instances, set->n, &why);
        if (r < 0 && (r != -ENOENT || names_group(set, vg))) /* -ENOENT: there is no such group */
            return error_pass(e, r, &why);
    }
    return 0;
}

/* The volumes of `set`, as they were read last. */
static void find_chosen(struct session *s, const struct op_set *set, struct chosen *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < set->n; i++) {
        ret->k[ret->n] = session_find(s, &set->volume[i]);
        ret->n += ret->k[ret->n] ? 1 : 0;
    }
}

/* Moves those of the group of the first one left, and of its state if that matters, from `c` to `ret`; false
 * at the end. */
static bool take_alike(struct chosen *c, bool by_state, const struct volume *ret[WIRE_VOLUMES_MAX],
                       size_t *ret_n)
{
    size_t left = 0, n = 0;
    if (c->n == 0)
        return false;
    const struct volume *first = &c->k[0]->v;
    for (size_t i = 0; i < c->n; i++) {
        const struct volume *v = &c->k[i]->v;
        if (streq(v->vg, first->vg) && (!by_state || v->state == first->state))
            ret[n++] = v;
        else
            c->k[left++] = c->k[i];
    }
    c->n = left;
    *ret_n = n;
    return true;
}

/* 1: its map is there; 0: there is none. Another's under its name is refused. */
static int find_map(const struct volume *v, struct error *e)
{
    char name[MAP_NAME_MAX];
    struct map map;
    struct error why = ERROR_NONE;
    volume_map_name(v, name);
    int r = dmcrypt_find(name, &map, &why);
    if (r == 0 || r == -ENOENT)
        return r == 0;
    return error_set(e, r, "volume %s: is left as it is, since a map of its name may lead to it: %s", v->lv,
                     why.text);
}

/* Nobody has the volume itself, but for its map. A plain one of an instance that goes is looked at when it is
 * removed: until then a guest may use it. */
static int check_not_held(const struct volume *v, struct error *e)
{
    _cleanup_close_ int fd = -1;
    struct error why = ERROR_NONE;
    char name[MAP_NAME_MAX];
    volume_map_name(v, name);
    int r = device_open_volume(v, O_RDONLY, &fd, &why);
    if (r == 0)
        r = device_check_unused(fd, dmcrypt_leads_to(name, fd) ? 2 : 1, &why);
    if (r == -ENOENT || r == -ENXIO) /* not active, so nobody has it */
        return 0;
    return r < 0 ? error_set(e, r, "volume %s: is left as it is: %s", v->lv, why.text) : 0;
}

/* LVM would remove what depends on the volume along with it, or keep in it what is overwritten. */
static int check_no_dependents(const struct known *k, struct error *e)
{
    if (!k->dependent[0])
        return 0;
    return error_set(e, -EUNSAFE, "volume %s/%s: is left as it is: %s", k->v.vg, k->v.lv, k->dependent);
}

/* Is it a disk that goes while its instance stays, so that its guest must have let go of it? Where this
 * connection made the disk the guest is asked afterwards: its making is undone. */
static bool goes_alone(const struct session *s, const struct known *k)
{
    for (size_t i = 0; i < s->n_known && !k->made_here; i++) {
        const struct volume *v = &s->known[i].v;
        if (streq(v->instance, k->v.instance) && v->state == VOLUME_READY && volume_order(v, &k->v) < 0)
            return true;
    }
    return false;
}

static int check_goes(const struct known *k, bool in_use_until_later, struct error *e)
{
    int r = check_no_dependents(k, e);
    if (r < 0 || in_use_until_later)
        return r;
    r = volume_encrypted(&k->v) ? find_map(&k->v, e) : 0;
    return r < 0 ? r : check_not_held(&k->v, e);
}

/* Before the first volume of an instance is doomed, from where there is no way back: is there anything at any
 * of them that would not be removed in the end? */
static int check_doom(const struct session *s, const struct known *k, struct error *e)
{
    int r = 0;
    if (goes_alone(s, k))
        return check_goes(k, false, e);
    for (size_t i = 0; r == 0 && i < s->n_known; i++)
        if (streq(s->known[i].v.instance, k->v.instance))
            r = check_goes(&s->known[i], !volume_encrypted(&s->known[i].v), e);
    return r;
}

static int check_mark(struct session *s, const struct known *k, enum volume_state to, struct error *e)
{
    const struct volume *v = &k->v;
    int r = session_lock_snapshot(s, v, e);
    if (r == 0)
        r = rules_mark(v, to, e);
    if (r < 0)
        return r;
    return to == VOLUME_DOOMED && v->state == VOLUME_READY ? check_doom(s, k, e) : 0;
}

int do_MARK(struct session *s, const struct op_mark *q, int fd, struct reply *reply, struct error *e)
{
    const struct volume *alike[WIRE_VOLUMES_MAX];
    struct lvm *lvm = NULL;
    struct chosen c = {0};
    size_t n = 0;

    UNUSED(fd);
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = q->state == VOLUME_READY ? load_groups(s, &q->set, true, e) : load_everywhere(s, &q->set, e);
    if (r == 0)
        find_chosen(s, &q->set, &c);
    if (r == 0 && c.n < q->set.n)
        r = error_set(e, -ENOENT, "volumes: %zu of %u are not there, so none is marked; see mayfly list",
                      q->set.n - c.n, q->set.n);
    for (size_t i = 0; r == 0 && i < c.n; i++)
        r = check_mark(s, c.k[i], q->state, e);
    for (size_t i = 0; r == 0 && i < c.n; i++)
        reply->untouched[i] = c.k[i]->v.state == (enum volume_state)q->state;
    while (r == 0 && take_alike(&c, true, alike, &n))
        if (alike[0]->state != q->state)
            r = lvm_change_state(lvm, alike, n, alike[0]->state, q->state, e);
    for (size_t i = 0; r == 0 && i < q->set.n; i++)
        session_find(s, &q->set.volume[i])->v.state = q->state;
    return r;
}

/* LVM would remove it with the disk, and what has to be done before that (see instance/export.h) would not
 * be. */
static int check_no_snapshot(struct session *s, const struct volume *v, struct error *e)
{
    struct volume snapshot = *v;
    struct volume_ref ref = {0};
    memcpy(snapshot.role, ROLE_SNAPSHOT, sizeof ROLE_SNAPSHOT);
    volume_set_lv_name(&snapshot);
    memcpy(ref.vg, v->vg, sizeof ref.vg);
    memcpy(ref.lv, snapshot.lv, sizeof ref.lv);
    if (volume_is_snapshot(v) || !session_find(s, &ref))
        return 0;
    return error_set(e, -EBUSY,
                     "volume %s: is left as it is, since %s may be a snapshot of it; remove that first",
                     v->lv, ref.lv);
}

int check_idle(struct session *s, const struct known *k, struct error *e)
{
    const struct volume *v = &k->v;
    int r = check_no_dependents(k, e);
    if (r == 0)
        r = check_no_snapshot(s, v, e);
    if (r < 0)
        return r;
    r = find_map(v, e);
    if (r > 0)
        return error_set(e, -EBUSY, "volume %s: is open, and is left as it is; close it first", v->lv);
    return r < 0 ? r : check_not_held(v, e);
}

static int check_remove(struct session *s, const struct known *k, struct error *e)
{
    const struct volume *v = &k->v;
    int r = rules_remove(v, e);
    if (r == 0)
        r = session_lock_snapshot(s, v, e);
    return r < 0 ? r : check_idle(s, k, e);
}

/* Cryptography makes encrypted volumes unreadable; a plain one has to be overwritten. What depends on it, and
 * would keep the old blocks, has been ruled out (check_idle). */
int clear_plain(struct session *s, const struct volume *v, struct error *e)
{
    _cleanup_close_ int fd = -1;
    if (volume_encrypted(v) || !streq(s->config->volume_clear, "zero"))
        return 0;
    int r = session_open_volume(s, v, O_RDWR, &fd, e);
    return r < 0 ? r : device_zero(fd, e);
}

int do_REMOVE(struct session *s, const struct op_set *q, int fd, struct reply *reply, struct error *e)
{
    const struct volume *alike[WIRE_VOLUMES_MAX];
    struct lvm *lvm = NULL;
    struct chosen c;
    size_t n = 0;

    UNUSED(fd);
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = load_groups(s, q, false, e);
    if (r == 0)
        find_chosen(s, q, &c);
    for (size_t i = 0; r == 0 && i < c.n; i++)
        r = check_remove(s, c.k[i], e);
    for (size_t i = 0; r == 0 && i < q->n; i++)
        reply->untouched[i] = !session_find(s, &q->volume[i]);
    for (size_t i = 0; r == 0 && i < c.n; i++)
        r = clear_plain(s, &c.k[i]->v, e);
    while (r == 0 && take_alike(&c, false, alike, &n))
        r = lvm_remove(lvm, alike, n, e);
    for (size_t i = 0; r == 0 && i < q->n; i++)
        session_forget(s, &q->volume[i]);
    return r;
}
