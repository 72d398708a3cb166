/* SPDX-License-Identifier: Apache-2.0 */
/* What one run of recover has noted, locked and done. */
#include "instance/recovery.h"

#include "base/audit.h"

#include <stdarg.h>
#include <stdio.h>

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

bool recovery_takes(struct recovery *r, const char *uuid)
{
    r->about = uuid;
    return r->noting || is_among(r->held, r->n_held, uuid);
}

static __attribute__((format(printf, 5, 0))) int tell(struct recovery *r, enum recover_kind kind,
                                                      const char *object, struct error *e, const char *format,
                                                      va_list ap)
{
    if (r->noting)
        return is_among(r->noted, r->n_noted, r->about) ? 0 : add_uuid(&r->noted, &r->n_noted, r->about, e);
    struct recovered *bigger = reallocarray(r->done, r->n_done + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    r->done = bigger;
    struct recovered *one = &r->done[r->n_done++];
    *one = (struct recovered){.kind = kind};
    snprintf(one->object, sizeof one->object, "%s", object);
    vsnprintf(one->text, sizeof one->text, format, ap);
    return 0;
}

int recovery_tell(struct recovery *r, enum recover_kind kind, const char *object, struct error *e,
                  const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int result = tell(r, kind, object, e, format, ap);
    va_end(ap);
    return result;
}

int recovery_remains(struct recovery *r, const char *object, int errnum, struct error *e, const char *format,
                     ...)
{
    int reason = errnum == -EHOSTUNREACH || errnum == -EACCES ? errnum : -ENEEDSRECOVER;
    if (!r->noting)
        r->reason = r->n_remains++ == 0 || r->reason == reason ? reason : -ENEEDSRECOVER;
    va_list ap;
    va_start(ap, format);
    int result = tell(r, RECOVER_REMAINS, object, e, format, ap);
    va_end(ap);
    return result;
}

/* For the audit trail; NULL: nothing of an instance was changed, or the key manager's entry tells. */
static const char *action_of(enum recover_kind kind)
{
    static const char *const actions[] = {
        [RECOVER_REMOVED] = "remove", [RECOVER_DELETED] = "delete", [RECOVER_RELEASED] = "release",
        [RECOVER_ADOPTED] = "adopt",  [RECOVER_CLOSED] = "close",
    };
    return kind < ARRAY_SIZE(actions) ? actions[kind] : NULL;
}

int recovery_settle(struct recovery *r, enum recover_kind kind, const char *object, const char *done_text,
                    int errnum, const struct error *why, struct error *e)
{
    if (!r->dry_run && action_of(kind))
        audit_instance(action_of(kind), r->about, NULL, errnum, why);
    if (errnum == -ENOMEM)
        return error_memory(e);
    if (errnum == -ECANCELED) /* and so nothing else is begun */
        return error_set(e, errnum, "%s: %s", object, why->text);
    if (errnum < 0)
        return recovery_remains(r, object, errnum, e, "%s", why->text);
    return recovery_tell(r, kind, object, e, "%s%s", r->dry_run ? "to be done: " : "", done_text);
}

int recovery_lock(struct recovery *r, const char *uuid, const char *object, struct error *e)
{
    struct error why = ERROR_NONE;
    if (!is_among(r->noted, r->n_noted, uuid) || is_among(r->held, r->n_held, uuid))
        return 0;
    int locked = broker_lock(r->context.broker, uuid, &why);
    if (locked == -EBUSY)
        return recovery_tell(r, RECOVER_BUSY, object, e, "another mayfly works on it");
    if (locked < 0)
        return recovery_remains(r, object, locked, e, "%s", why.text);
    return add_uuid(&r->held, &r->n_held, uuid, e);
}
