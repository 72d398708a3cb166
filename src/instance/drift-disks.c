/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that the disks of the domain are those of the instance. Devices are compared by number, not by name:
 * a device has many names.
 *
 *     definition: what the next start takes       guest: what runs now
 */
#include "instance/drift-internal.h"

#include <stdio.h>
#include <sys/stat.h>

#define NEEDS_DEFINITION                                                                                     \
    (DRIFT_ELSEWHERE | DRIFT(BARE) | DRIFT(OTHER_ENGINE) | DRIFT(NOT_SERVED) | DRIFT(MISSING) |              \
     DRIFT(NOT_IN_GUEST) | DRIFT(MARK_LOST))

/* What one side says of one disk of the instance. */
struct match {
    const struct disk_view *disk; /* NULL: nothing leads to it */
    bool top;                     /* the guest reads and writes it */
    bool below;                   /* it is in the backing chain of something else */
    bool bare;                    /* the volume below it is named instead */
    bool other_engine;            /* its map is named instead of its socket, or the other way round */
    bool replaced;                /* something else has its serial number */
    const char *copied_to;        /* where a block job copies it; NULL: nowhere */
};

/* A device by its number, a file or socket by the place where it lies. */
struct object {
    dev_t device; /* 0: there is nothing of that kind */
    ino_t inode;  /* 0: the device itself */
};

static struct object object_at(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !(S_ISBLK(st.st_mode) || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)))
        return (struct object){.device = 0};
    return S_ISBLK(st.st_mode) ? (struct object){.device = st.st_rdev}
                               : (struct object){st.st_dev, st.st_ino};
}

static bool same_object(const char *path, const char *other)
{
    struct object a = object_at(path), b = object_at(other);
    return a.device && a.device == b.device && a.inode == b.inode;
}

static bool same_device(const struct domain_source *source, const char *path)
{
    if (source->volume) {
        char device[DEVICE_PATH_MAX]; /* a pool that is a volume group mostly has its name */
        return snprintf(device, sizeof device, "/dev/%s", source->path) < (int)sizeof device &&
               (streq(device, path) || same_object(path, device));
    }
    return streq(source->path, path) || same_object(path, source->path);
}

/* Where a disk may be found. */
struct places {
    char path[DEVICE_PATH_MAX], bare[DEVICE_PATH_MAX], other_engine[DEVICE_PATH_MAX];
};

static void find_places(const struct volume *v, struct places *ret)
{
    struct volume other = *v;
    if (volume_encrypted(v) && !volume_in_folder(v))
        other.engine = volume_other_engine(v->engine);
    volume_device_path(v, ret->path);
    volume_device_path(&other, ret->other_engine);
    snprintf(ret->bare, sizeof ret->bare, "/dev/%.63s/%.63s", v->vg, v->lv);
}

static void match_source(const struct disk_view *disk, const struct domain_source *source,
                         const struct places *at, struct match *m)
{
    bool same = same_device(source, at->path);
    bool bare = !streq(at->path, at->bare) && same_device(source, at->bare);
    bool other = !streq(at->path, at->other_engine) && same_device(source, at->other_engine);
    if ((!same && !bare && !other) || source->use == SOURCE_MIRROR)
        return;
    m->disk = disk;
    m->bare |= bare;
    m->other_engine |= other;
    m->top |= same && source->use == SOURCE_TOP;
    m->below |= same && source->use != SOURCE_TOP;
}

static void match_disk(const struct disk_view *disk, const struct volume *v, const struct places *at,
                       struct match *m)
{
    for (size_t i = 0; i < disk->n_sources; i++)
        match_source(disk, &disk->sources[i], at, m);
    if (!m->disk && disk->serial && streq(disk->serial, v->disk) && disk_view_top(disk)) {
        m->disk = disk;
        m->replaced = true;
    }
    for (size_t i = 0; m->disk == disk && !m->copied_to && i < disk->n_sources; i++)
        if (disk->sources[i].use == SOURCE_MIRROR)
            m->copied_to = disk->sources[i].path;
}

static struct match find_match(const struct domain_view *view, const struct volume *v)
{
    struct match m = {.disk = NULL};
    struct places at;
    find_places(v, &at);
    for (size_t i = 0; i < view->n_disks && (!m.disk || m.replaced); i++)
        match_disk(&view->disks[i], v, &at, &m);
    return m;
}

static const char *target_of(const struct match *m)
{
    return m->disk->target ? m->disk->target : "a disk";
}

/* A set-engine that was cut off leaves a definition so, or a person who has edited it. `ours`: set-engine may
 * change the definition; else the tags follow it. */
static void tell_other_engine(struct drift_search *s, const struct volume *v, const char *where, bool ours)
{
    drift_add(s, DRIFT_OTHER_ENGINE, v, -EUNSAFE,
              "the %s has its disk %s as another engine than %s opens it, as a set-engine that was cut off "
              "leaves it; run mayfly set-engine %s %s",
              where, v->role, volume_engine_name(v->engine), s->instance->uuid,
              volume_engine_name(ours ? v->engine : volume_other_engine(v->engine)));
}

/* Adds findings that can be made of either side. */
static void tell_elsewhere(struct drift_search *s, const struct volume *v, const struct match *m,
                           const char *where, bool ours)
{
    const struct domain_source *top = m->disk ? disk_view_top(m->disk) : NULL;
    if (m->below && !m->top && top)
        drift_add(
            s, DRIFT_OVERLAY, v, -EUNSAFE,
            "its disk %s (%s) is below the overlay %.120s of a disk-only snapshot: what the guest writes "
            "goes there, unencrypted; see virsh blockcommit %s %s --active --pivot",
            v->role, target_of(m), top->path, s->instance->uuid, target_of(m));
    if (m->replaced && top)
        drift_add(
            s, DRIFT_REPLACED, v, -EUNSAFE,
            "the %s has %.120s in the place of its disk %s (%s), as after a disk-only snapshot or a block "
            "copy; see virsh domblklist %s",
            where, top->path, v->role, target_of(m), s->instance->uuid);
    if (m->copied_to)
        drift_add(
            s, DRIFT_BLOCK_COPY, v, -EUNSAFE,
            "a block job copies its disk %s (%s) to %.120s, unencrypted; end it by virsh blockjob %s %s "
            "--abort",
            v->role, target_of(m), m->copied_to, s->instance->uuid, target_of(m));
    if (m->other_engine)
        tell_other_engine(s, v, where, ours);
    if (m->bare) {
        char path[DEVICE_PATH_MAX];
        volume_device_path(v, path);
        drift_add(s, DRIFT_BARE, v, -EUNSAFE,
                  "the %s names the volume below its encrypted disk %s (%s), and writes there would not be "
                  "encrypted; give it %s by virsh edit %s",
                  where, v->role, target_of(m), path, s->instance->uuid);
    }
}

/* A keeper has been killed, and QEMU tries to connect to its socket. */
static void tell_not_served(struct drift_search *s, const struct volume *v)
{
    if (!model_map_of(s->model, v))
        drift_add(
            s, DRIFT_NOT_SERVED, v, 0,
            "no process serves its disk %s to the running guest, whose requests wait; run mayfly start %s",
            v->role, s->instance->uuid);
}

static void compare(struct drift_search *s, const struct volume *v, const struct domain_view *definition,
                    const struct domain_view *guest)
{
    struct match defined = find_match(definition, v), running = find_match(guest, v);
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    if (guest->found && running.disk)
        tell_elsewhere(s, v, &running, "running guest", definition->ours);
    if (guest->found && running.top && volume_served(v))
        tell_not_served(s, v);
    if (!guest->found || !running.disk || (running.top && !running.copied_to))
        tell_elsewhere(s, v, &defined, "definition", definition->ours);
    if (!defined.disk)
        drift_add(
            s, DRIFT_MISSING, v, 0,
            "the definition of its domain does not name its disk %s; put %s back by virsh attach-disk %s "
            "--config or virsh edit",
            v->role, path, s->instance->uuid);
    else if (guest->found && !running.disk)
        drift_add(s, DRIFT_NOT_IN_GUEST, v, 0,
                  "the running guest does not have its disk %s; it gets it with its next start", v->role);
}

/* Finds a lost mark: only Mayfly's templates have this device, and only a launched domain has all of its
 * disks. */
static void look_for_mark(struct drift_search *s, const struct domain_view *definition)
{
    if (!definition->ours && definition->save_refused)
        drift_add(
            s, DRIFT_MARK_LOST, NULL, 0,
            "the definition of its domain looks like Mayfly's, but has lost the element mayfly:instance "
            "of its metadata; mayfly delete takes the disks out of it and leaves the domain");
}

static void compare_all(struct drift_search *s, const struct domain_view *definition,
                        const struct domain_view *guest)
{
    const struct instance *i = s->instance;
    for (size_t n = 0; n < i->n_volumes; n++)
        if (i->volumes[n]->state == VOLUME_READY && (!s->only || i->volumes[n] == s->only))
            compare(s, i->volumes[n], definition, guest);
    look_for_mark(s, definition);
}

static void tell_gone(struct drift_search *s) /* since the model was loaded */
{
    drift_add(s, DRIFT_UNDEFINED, NULL, -ENOENT, "libvirt has no domain %s any more", s->instance->uuid);
}

static void compare_surveyed(struct drift_search *s)
{
    const struct domain_sides *sides = survey_domain(s->survey, s->instance->uuid);
    if (!sides && !s->survey->why.errnum)
        tell_gone(s);
    else if (sides && sides->definition.found) /* else it could not be read, which is told once, of all */
        compare_all(s, &sides->definition, &sides->guest);
}

static int ask_and_compare(struct drift_search *s, struct error *e)
{
    _cleanup_domain_view_ struct domain_view definition = {.found = false}, guest = {.found = false};
    const char *uuid = s->instance->uuid;
    struct error why = ERROR_NONE;
    int r = virt_view(s->context->virt, uuid, DOMAIN_DEFINITION, &definition, &why);
    if (r == 0 && s->domain->active)
        r = virt_view(s->context->virt, uuid, DOMAIN_GUEST, &guest, &why);
    if (r == 0)
        compare_all(s, &definition, &guest);
    else if (r == -ENOENT)
        tell_gone(s);
    return r < 0 && r != -ENOENT ? error_pass(e, r, &why) : 0;
}

int drift_compare_disks(struct drift_search *s, struct error *e)
{
    if (!s->domain || !(s->kinds & NEEDS_DEFINITION))
        return 0;
    if (!s->survey)
        return ask_and_compare(s, e);
    compare_surveyed(s);
    return 0;
}
