/* SPDX-License-Identifier: Apache-2.0 */
/* The table of known volumes. See session.h.
 *
 * The lock of an instance is held for as long as the connection lives, so no other Mayfly changes what was
 * read under it. People can, by hand. So operations that destroy or overwrite a volume read it again first
 * (sets.c, change.c).
 */
#include "broker/session.h"

#include "broker/device.h"

#define DISK_UUIDS_MAX 16384 /* a bound on memory; more disks than one launch can have */

int session_look_at_peer(struct session *s, int socket, struct error *e)
{
    socklen_t size = sizeof s->peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &s->peer, &size) < 0)
        return error_set(e, errno, "mayfly-broker: cannot see who is connected: %m");
    s->root = s->peer.uid == 0;
    s->locks.pid = s->peer.pid;
    s->locks.uid = s->peer.uid;
    return 0;
}

/* Ends the session. If lvm does not end at once, its keeper holds the locks until it has ended. */
void session_end(struct session *s)
{
    dmcrypt_settle();
    s->lvm = lvm_stop(s->lvm);
    free(s->known);
    s->known = NULL;
    s->n_known = 0;
    free(s->disk_uuids);
    s->disk_uuids = NULL;
    s->n_disk_uuids = 0;
    locks_drop(&s->locks);
}

size_t session_groups(const struct session *s, const char *ret[CONFIG_LIST_MAX])
{
    const struct config_list *groups = &s->config->volume_groups;
    for (size_t i = 0; i < groups->n; i++)
        ret[i] = groups->item[i];
    return groups->n;
}

int session_lvm(struct session *s, struct lvm **ret, struct error *e)
{
    int r = s->lvm ? 0 : locks_open(&s->locks, s->locks_path, e);
    if (r == 0 && !s->lvm)
        r = lvm_start(s->locks.fd, &s->lvm, e);
    if (r < 0)
        return r;
    *ret = s->lvm;
    return 0;
}

static bool is_named(const struct volume *v, const struct volume_ref *ref)
{
    return streq(v->lv, ref->lv) && streq(v->vg, ref->vg);
}

struct session_volume *session_find(struct session *s, const struct volume_ref *ref)
{
    for (size_t i = 0; i < s->n_known; i++)
        if (is_named(&s->known[i].v, ref))
            return &s->known[i];
    return NULL;
}

void session_forget(struct session *s, const struct volume_ref *ref)
{
    struct session_volume *k = session_find(s, ref);
    if (k)
        *k = s->known[--s->n_known];
}

static bool owns_snapshot(const struct session *s, const struct session_volume *k)
{
    return k->made_here && volume_is_snapshot(&k->v) && locks_held(&s->locks, k->v.disk);
}

bool session_owns_snapshot(const struct session *s, const struct volume_ref *ref)
{
    for (size_t i = 0; i < s->n_known; i++)
        if (is_named(&s->known[i].v, ref))
            return owns_snapshot(s, &s->known[i]);
    return false;
}

int session_lock_snapshot(struct session *s, const struct volume *v, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = volume_is_snapshot(v) ? locks_take(&s->locks, s->locks_path, v->disk, "", &why) : 0;
    if (r < 0)
        error_set(e, r, "volume %s: cannot be changed: an export of this snapshot is running: %s", v->lv,
                  why.text);
    return r;
}

void session_forget_instance(struct session *s, const char *uuid)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_known; i++)
        if (!streq(s->known[i].v.instance, uuid) || owns_snapshot(s, &s->known[i]))
            s->known[n++] = s->known[i];
    s->n_known = n;
}

int session_add(struct session *s, const struct session_volume *k, struct error *e)
{
    struct volume_ref ref = volume_ref_of(&k->v);
    struct session_volume *old = session_find(s, &ref); /* a person removed that volume meanwhile */
    if (old) {
        *old = *k;
        return 0;
    }
    struct session_volume *bigger = realloc(s->known, (s->n_known + 1) * sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    s->known = bigger;
    s->known[s->n_known++] = *k;
    return 0;
}

/* Returns the fresh volume, with what this connection did to it before, unless it is another disk under the
 * same name. */
static struct session_volume with_history(struct session *s, const struct lvm_volume *fresh)
{
    struct volume_ref ref = volume_ref_of(&fresh->v);
    struct session_volume now = {.v = fresh->v};
    memcpy(now.dependent, fresh->dependent, sizeof now.dependent);

    const struct session_volume *before = session_find(s, &ref);
    if (before && streq(before->v.disk, now.v.disk)) {
        now.made_here = before->made_here;
        now.opened_here = before->opened_here;
        now.overwritten = before->overwritten;
        now.unsettled = before->unsettled;
    }
    return now;
}

static bool belongs_to(const struct volume *v, const char *vg, const char (*instances)[UUID_TEXT], size_t n)
{
    bool found = false;
    for (size_t i = 0; !found && streq(v->vg, vg) && i < n; i++)
        found = streq(v->instance, instances[i]);
    return found;
}

int session_load(struct session *s, const struct volume_ref *ref, struct error *e)
{
    char instance[1][UUID_TEXT];
    volume_ref_instance(ref, instance[0]);
    return session_load_all(s, ref->vg, (const char(*)[UUID_TEXT])instance, 1, e);
}

int session_load_all(struct session *s, const char *vg, const char (*instances)[UUID_TEXT],
                     size_t n_instances, struct error *e)
{
    _cleanup_free_ struct lvm_volume *fresh = NULL;
    size_t n_fresh = 0, n = 0;
    struct lvm *lvm = NULL;

    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = lvm_volumes_of(lvm, vg, instances, n_instances, &fresh, &n_fresh, e);
    if (r < 0)
        return r;
    struct session_volume *table = calloc(s->n_known + n_fresh + 1, sizeof *table);
    if (!table)
        return error_memory(e);

    for (size_t i = 0; i < s->n_known; i++)
        if (!belongs_to(&s->known[i].v, vg, instances, n_instances))
            table[n++] = s->known[i];
    for (size_t i = 0; i < n_fresh; i++)
        table[n++] = with_history(s, &fresh[i]);
    free(s->known);
    s->known = table;
    s->n_known = n;
    return 0;
}

int session_get(struct session *s, const struct volume_ref *ref, struct session_volume **ret, struct error *e)
{
    struct session_volume *k = session_find(s, ref);
    if (!k) {
        int r = session_load(s, ref, e);
        if (r < 0)
            return r;
        k = session_find(s, ref);
    }
    if (!k)
        return error_set(e, -ENOENT, "volume %s/%s: not found; see mayfly list", ref->vg, ref->lv);
    *ret = k;
    return 0;
}

int session_get_fresh(struct session *s, const struct volume_ref *ref, struct session_volume **ret,
                      struct error *e)
{
    int r = session_load(s, ref, e);
    return r < 0 ? r : session_get(s, ref, ret, e);
}

int session_make_disk_uuids(struct session *s, char ret_uuids[WIRE_UUIDS][UUID_TEXT], struct error *e)
{
    if (s->n_disk_uuids + WIRE_UUIDS > DISK_UUIDS_MAX)
        return error_set(e, -ENOSPC, "disk: %zu uuids were made, and no disk uses them", s->n_disk_uuids);
    char(*bigger)[UUID_TEXT] = reallocarray(s->disk_uuids, s->n_disk_uuids + WIRE_UUIDS, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    s->disk_uuids = bigger;
    for (size_t i = 0; i < WIRE_UUIDS; i++) {
        uuid_make(ret_uuids[i]);
        memcpy(s->disk_uuids[s->n_disk_uuids++], ret_uuids[i], UUID_TEXT);
    }
    return 0;
}

/* Whether the uuid was made for this connection and is not used. Forgets it then, so that only one disk gets
 * it. */
static bool take_disk_uuid(struct session *s, const char *disk)
{
    for (size_t i = 0; i < s->n_disk_uuids; i++)
        if (streq(s->disk_uuids[i], disk)) {
            memmove(s->disk_uuids[i], s->disk_uuids[--s->n_disk_uuids], UUID_TEXT);
            return true;
        }
    return false;
}

int session_check_disk_new(struct session *s, const char *disk, struct error *e)
{
    const char *groups[CONFIG_LIST_MAX];
    size_t n_groups = session_groups(s, groups);
    char where[LVM_WHERE_MAX];
    struct lvm *lvm = NULL;
    if (take_disk_uuid(s, disk))
        return 0;
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = lvm_find_disk(lvm, groups, n_groups, disk, where, e);
    if (r < 0 || !where[0])
        return r;
    return error_set(e, -EEXIST, "disk %s: is volume %s already; each disk has a uuid of its own", disk,
                     where);
}

int session_open_volume(struct session *s, const struct volume *v, int access, int *ret_fd, struct error *e)
{
    struct error why = ERROR_NONE;
    struct lvm *lvm = NULL;
    int r = device_open_volume(v, access, ret_fd, &why);
    if (r == -ENOENT || r == -ENXIO) { /* ENXIO: a node that was left behind without udevd */
        r = session_lvm(s, &lvm, e);
        if (r == 0)
            r = lvm_activate(lvm, v, e);
        return r < 0 ? r : device_open_volume(v, access, ret_fd, e);
    }
    return r < 0 ? error_pass(e, r, &why) : 0;
}
