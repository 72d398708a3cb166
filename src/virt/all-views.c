/* SPDX-License-Identifier: Apache-2.0 */
/* The views of all domains: their end, and a look-up. */
#include "virt/virt.h"

void virt_views_end(struct virt_views *v)
{
    for (size_t i = 0; i < v->n; i++) {
        domain_view_end(&v->domain[i].definition);
        domain_view_end(&v->domain[i].guest);
    }
    free(v->domain);
    *v = (struct virt_views){.n = 0};
}

static bool names_nvram(const struct domain_view *view, const char *path)
{
    return view->nvram && streq(view->nvram, path);
}

const struct domain_sides *virt_views_nvram_user(const struct virt_views *v, const char *path,
                                                 const char *but_uuid)
{
    for (size_t i = 0; i < v->n; i++) {
        const struct domain_sides *d = &v->domain[i];
        if (!streq(d->uuid, but_uuid) && (names_nvram(&d->definition, path) || names_nvram(&d->guest, path)))
            return d;
    }
    return NULL;
}
