/* SPDX-License-Identifier: Apache-2.0 */
/* See recovery.h. */
#include "instance/recovery.h"

#include "base/audit.h"

#include <stdarg.h>
#include <stdio.h>

/* ----------------------------------------------------------------- subjects */

struct subject subject_instance(const struct instance *i)
{
    struct subject s = {.uuid = i->uuid};
    snprintf(s.object, sizeof s.object, "instance %s (%s)", i->name, i->uuid);
    return s;
}

struct subject subject_volume(const char *instance, const char *vg, const char *lv)
{
    struct subject s = {.uuid = instance};
    snprintf(s.object, sizeof s.object, "volume %s/%s", vg, lv);
    return s;
}

struct subject subject_map(const char *instance, const struct map *map)
{
    struct subject s = {.uuid = instance};
    snprintf(s.object, sizeof s.object, "map %s", map->name);
    return s;
}

struct subject subject_key(const char *owner, const char *ref)
{
    struct subject s = {.uuid = owner};
    snprintf(s.object, sizeof s.object, "key %.120s", ref);
    return s;
}

struct subject subject_manager(const char *name)
{
    struct subject s = {.uuid = NULL};
    snprintf(s.object, sizeof s.object, "key manager %.100s", name);
    return s;
}

/* -------------------------------------------------------------------- uuids */

static bool is_among(char (*uuids)[UUID_TEXT], size_t n, const char *uuid)
{
    for (size_t i = 0; i < n; i++)
        if (streq(uuids[i], uuid))
            return true;
    return false;
}

static int add_uuid(char (**uuids)[UUID_TEXT], size_t *n, const char *uuid, struct error *e)
{
    char(*bigger)[UUID_TEXT] = reallocarray(*uuids, *n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    *uuids = bigger;
    memcpy(bigger[(*n)++], uuid, UUID_TEXT);
    return 0;
}

bool recovery_may_act(const struct recovery *r, const char *uuid)
{
    return r->planning || is_among(r->locked, r->n_locked, uuid);
}

int recovery_lock(struct recovery *r, const struct subject *about, struct error *e)
{
    struct error why = ERROR_NONE;
    if (!is_among(r->planned, r->n_planned, about->uuid) || is_among(r->locked, r->n_locked, about->uuid))
        return 0;
    int locked = broker_lock(r->context.broker, about->uuid, &why);
    if (locked == -EBUSY)
        return recovery_tell(r, RECOVER_BUSY, about, e, "another mayfly works on it");
    if (locked < 0)
        return recovery_remains(r, about, locked, e, "%s", why.text);
    return add_uuid(&r->locked, &r->n_locked, about->uuid, e);
}

/* -------------------------------------------------------------------- lines */

static __attribute__((format(printf, 5, 0))) int add_line(struct recovery *r, enum recover_kind kind,
                                                          const struct subject *about, struct error *e,
                                                          const char *format, va_list ap)
{
    struct recovered *bigger = reallocarray(r->done, r->n_done + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    r->done = bigger;
    struct recovered *line = &r->done[r->n_done++];
    *line = (struct recovered){.kind = kind};
    snprintf(line->uuid, sizeof line->uuid, "%s", about->uuid ? about->uuid : "");
    snprintf(line->object, sizeof line->object, "%s", about->object);
    vsnprintf(line->text, sizeof line->text, format, ap);
    return 0;
}

int recovery_tell(struct recovery *r, enum recover_kind kind, const struct subject *about, struct error *e,
                  const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int result = add_line(r, kind, about, e, format, ap);
    va_end(ap);
    return result;
}

int recovery_remains(struct recovery *r, const struct subject *about, int errnum, struct error *e,
                     const char *format, ...)
{
    int reason = errnum == -EHOSTUNREACH || errnum == -EACCES ? errnum : -ENEEDSRECOVER;
    r->reason = r->n_remains++ == 0 || r->reason == reason ? reason : -ENEEDSRECOVER;
    va_list ap;
    va_start(ap, format);
    int result = add_line(r, RECOVER_REMAINS, about, e, format, ap);
    va_end(ap);
    return result;
}

int recovery_plan_lines(struct recovery *r, const struct recovered lines[], size_t n, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++)
        if (!is_among(r->planned, r->n_planned, lines[i].uuid))
            result = add_uuid(&r->planned, &r->n_planned, lines[i].uuid, e);
    return result;
}

/* Returns the action for the audit trail. NULL: no instance was changed, or the key manager writes the
 * entry. */
static const char *action_of(enum recover_kind kind)
{
    static const char *const actions[] = {
        [RECOVER_REMOVED] = "remove", [RECOVER_DELETED] = "delete", [RECOVER_RELEASED] = "release",
        [RECOVER_ADOPTED] = "adopt",  [RECOVER_CLOSED] = "close",
    };
    return kind < ARRAY_SIZE(actions) ? actions[kind] : NULL;
}

int recovery_settle(struct recovery *r, enum recover_kind kind, const struct subject *about,
                    const char *done_text, int errnum, const struct error *why, struct error *e)
{
    if (!r->dry_run && action_of(kind))
        audit_instance(action_of(kind), about->uuid, NULL, errnum, why);
    if (errnum == -ENOMEM)
        return error_memory(e);
    if (errnum == -ECANCELED) /* ends recover: nothing else is begun */
        return error_set(e, errnum, "%s: %s", about->object, why->text);
    if (errnum < 0)
        return recovery_remains(r, about, errnum, e, "%s", why->text);
    return recovery_tell(r, kind, about, e, "%s%s", r->dry_run ? "to be done: " : "", done_text);
}
