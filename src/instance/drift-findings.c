/* SPDX-License-Identifier: Apache-2.0 */
/* The list of findings. */
#include "instance/drift-internal.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[DRIFT_KINDS] = {
#define DRIFT_KIND(kind, name, meaning) [DRIFT_##kind] = name,
#include "instance/drift.def"
#undef DRIFT_KIND
};

const char *drift_name(enum drift_kind kind)
{
    return names[kind];
}

void drift_add(struct drift_search *s, enum drift_kind kind, const struct volume *disk, int errnum,
               const char *format, ...)
{
    struct drift *d = s->result;
    if (!drift_wanted(s, kind))
        return;
    struct drift_finding *bigger = reallocarray(d->found, d->n + 1, sizeof *bigger);
    if (!bigger) {
        s->out_of_memory = true;
        return;
    }
    d->found = bigger;
    struct drift_finding *f = &d->found[d->n++];
    *f = (struct drift_finding){.kind = kind, .disk = disk, .errnum = errnum};
    va_list ap;
    va_start(ap, format);
    vsnprintf(f->text, sizeof f->text, format, ap);
    va_end(ap);
}

void drift_end(struct drift *d)
{
    free(d->found);
    *d = (struct drift){.n = 0};
}
