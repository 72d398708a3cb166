/* SPDX-License-Identifier: Apache-2.0 */
/* MARK and REMOVE: many volumes at once, by as few commands of LVM as possible.
 *
 *     the set of a request --> read again, one command a group --> check each --> change, one command for
 *                                                                              those that are alike
 *
 * People can change tags by hand, so both read the volumes again before they judge them. MARK as ready trusts
 * the tags of volumes that this connection has made: a mistake there destroys nothing. No volume is changed
 * before all of the set have been checked. A crash in the middle leaves each volume either as it was or as it
 * should be, and the same request completes the rest.
 */
#include "broker/operations.h"

#include "base/fd.h"
#include "broker/device.h"
#include "storage/rules.h"

#include <fcntl.h>

/* ---------------------------------------------------------- volumes read again */

/* Which instances are read again. */
enum reread {
    REREAD_NAMED,      /* those in the set, in their groups */
    REREAD_OTHERS,     /* those in the set, except those all of whose volumes in it this connection made */
    REREAD_EVERYWHERE, /* those in the set, in all configured groups */
};

struct instances {
    char uuid[WIRE_VOLUMES_MAX][UUID_TEXT];
    size_t n;
};
_Static_assert(WIRE_VOLUMES_MAX <= LVM_INSTANCES_MAX, "one command reads all instances of a set");

static void add_instance(struct instances *to, const struct volume_ref *ref)
{
    char *uuid = to->uuid[to->n];
    volume_ref_instance(ref, uuid);
    for (size_t i = 0; i < to->n; i++)
        if (streq(to->uuid[i], uuid))
            return;
    to->n++;
}

static bool made_here(struct session *s, const struct volume_ref *ref)
{
    const struct session_volume *k = session_find(s, ref);
    return k && k->made_here;
}

/* Collects the instances of `set` that are to be read again in this group. */
static void instances_to_reread(struct session *s, const struct op_set *set, const char *vg,
                                enum reread which, struct instances *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct volume_ref *ref = &set->volume[i];
        if (which != REREAD_EVERYWHERE && !streq(ref->vg, vg))
            continue;
        if (which != REREAD_OTHERS || !made_here(s, ref))
            add_instance(ret, ref);
    }
}

static bool names_group(const struct op_set *set, const char *vg)
{
    bool named = false;
    for (size_t i = 0; !named && i < set->n; i++)
        named = streq(set->volume[i].vg, vg);
    return named;
}

/* Reads the volumes again. A configured group that does not exist is not an error if the set names none of
 * its volumes. */
static int reread_set(struct session *s, const struct op_set *set, enum reread which, struct error *e)
{
    struct instances instances;
    for (size_t g = 0; g < s->config->volume_groups.n; g++) {
        const char *vg = s->config->volume_groups.item[g];
        struct error why = ERROR_NONE;
        instances_to_reread(s, set, vg, which, &instances);
        if (instances.n == 0)
            continue;
        int r = session_load_all(s, vg, (const char(*)[UUID_TEXT])instances.uuid, instances.n, &why);
        if (r < 0 && (r != -ENOENT || names_group(set, vg)))
            return error_pass(e, r, &why);
    }
    return 0;
}

/* --------------------------------------------------------- one command for many */

/* Volumes of a set that exist: pointers into the session's table. */
struct subset {
    struct session_volume *k[WIRE_VOLUMES_MAX];
    size_t n;
};

static void find_existing(struct session *s, const struct op_set *set, struct subset *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < set->n; i++) {
        struct session_volume *k = session_find(s, &set->volume[i]);
        if (k)
            ret->k[ret->n++] = k;
    }
}

static bool same_group(const struct volume *a, const struct volume *b)
{
    return streq(a->vg, b->vg);
}

static bool same_group_and_state(const struct volume *a, const struct volume *b)
{
    return same_group(a, b) && a->state == b->state;
}

/* Moves the first volume that is left, and all that are like it, from `rest` to `ret`. False if none is
 * left. */
static bool take_alike(struct subset *rest, bool alike(const struct volume *, const struct volume *),
                       const struct volume *ret[WIRE_VOLUMES_MAX], size_t *ret_n)
{
    size_t n_rest = 0, n = 0;
    if (rest->n == 0)
        return false;
    const struct volume *first = &rest->k[0]->v;
    for (size_t i = 0; i < rest->n; i++)
        if (alike(&rest->k[i]->v, first))
            ret[n++] = &rest->k[i]->v;
        else
            rest->k[n_rest++] = rest->k[i];
    rest->n = n_rest;
    *ret_n = n;
    return true;
}

/* ------------------------------------------------------------------------ MARK */

/* Whether this disk is doomed while its instance stays. Then its guest must have released it. A disk that
 * this connection made is doomed when its making is undone, and its guest is asked afterwards. */
static bool goes_alone(const struct session *s, const struct session_volume *k)
{
    if (k->made_here)
        return false;
    for (size_t i = 0; i < s->n_known; i++) {
        const struct volume *v = &s->known[i].v;
        if (streq(v->instance, k->v.instance) && v->state == VOLUME_READY && volume_order(v, &k->v) < 0)
            return true;
    }
    return false;
}

/* Checks a volume to be doomed. There is no way back once the first volume of an instance is doomed. So all
 * of them are checked before for anything that would stop their removal later. A guest may use a plain one
 * until it is removed, so that is only checked then. */
static int check_doom(const struct session *s, const struct session_volume *k, struct error *e)
{
    int r = 0;
    if (goes_alone(s, k))
        return check_released(k, e);
    for (size_t i = 0; r == 0 && i < s->n_known; i++) {
        const struct session_volume *sibling = &s->known[i];
        if (streq(sibling->v.instance, k->v.instance))
            r = volume_encrypted(&sibling->v) ? check_released(sibling, e) : check_no_dependents(sibling, e);
    }
    return r;
}

static int check_mark(struct session *s, const struct session_volume *k, enum volume_state to,
                      struct error *e)
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
    struct subset marked = {.n = 0};
    size_t n = 0;

    UNUSED(fd);
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = reread_set(s, &q->set, q->state == VOLUME_READY ? REREAD_OTHERS : REREAD_EVERYWHERE, e);
    if (r == 0)
        find_existing(s, &q->set, &marked);
    if (r == 0 && marked.n < q->set.n)
        r = error_set(e, -ENOENT, "volumes: %zu of %u are not there, so none is marked; see mayfly list",
                      q->set.n - marked.n, q->set.n);
    for (size_t i = 0; r == 0 && i < marked.n; i++)
        r = check_mark(s, marked.k[i], q->state, e);
    for (size_t i = 0; r == 0 && i < marked.n; i++)
        reply->untouched[i] = marked.k[i]->v.state == (enum volume_state)q->state;
    while (r == 0 && take_alike(&marked, same_group_and_state, alike, &n))
        if (alike[0]->state != q->state)
            r = lvm_change_state(lvm, alike, n, alike[0]->state, q->state, e);
    for (size_t i = 0; r == 0 && i < q->set.n; i++)
        session_find(s, &q->set.volume[i])->v.state = q->state;
    return r;
}

/* ---------------------------------------------------------------------- REMOVE */

static int check_remove(struct session *s, const struct session_volume *k, struct error *e)
{
    const struct volume *v = &k->v;
    int r = rules_remove(v, e);
    if (r == 0)
        r = session_lock_snapshot(s, v, e);
    return r < 0 ? r : check_idle(s, k, e);
}

/* Overwrites a plain volume; an encrypted one is unreadable once its key is destroyed. check_idle() has ruled
 * out dependents, which would keep the old blocks. */
int clear_plain(struct session *s, const struct volume *v, struct error *e)
{
    _cleanup_close_ int fd = -1;
    if (volume_encrypted(v) || !streq(s->config->volume_clear, "zero"))
        return 0;
    int r = session_open_volume(s, v, O_RDWR, &fd, e);
    return r < 0 ? r : device_zero(fd, v, e);
}

int do_REMOVE(struct session *s, const struct op_set *q, int fd, struct reply *reply, struct error *e)
{
    const struct volume *alike[WIRE_VOLUMES_MAX];
    struct lvm *lvm = NULL;
    struct subset removed = {.n = 0};
    size_t n = 0;

    UNUSED(fd);
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = reread_set(s, q, REREAD_NAMED, e);
    if (r == 0)
        find_existing(s, q, &removed);
    for (size_t i = 0; r == 0 && i < removed.n; i++)
        r = check_remove(s, removed.k[i], e);
    for (size_t i = 0; r == 0 && i < q->n; i++)
        reply->untouched[i] = !session_find(s, &q->volume[i]);
    for (size_t i = 0; r == 0 && i < removed.n; i++)
        r = clear_plain(s, &removed.k[i]->v, e);
    while (r == 0 && take_alike(&removed, same_group, alike, &n))
        r = lvm_remove(lvm, alike, n, e);
    for (size_t i = 0; r == 0 && i < q->n; i++)
        session_forget(s, &q->volume[i]);
    return r;
}
