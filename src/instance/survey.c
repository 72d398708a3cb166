/* SPDX-License-Identifier: Apache-2.0 */
/* See survey.h. */
#include "instance/survey.h"

#include <sys/stat.h>

static enum lineage lead(const char *path, const char *own, struct reached *ret)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? lineage_of_name(path, own, ret) : LINEAGE_NONE;
    if (S_ISSOCK(st.st_mode))
        return lineage_of_name(path, own, ret);
    return S_ISBLK(st.st_mode) ? lineage_of("", st.st_rdev, own, ret) : LINEAGE_NONE;
}

static int note(struct survey *s, const struct disk_use *use, struct error *e)
{
    struct disk_use *bigger = reallocarray(s->uses, s->n_uses + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    s->uses = bigger;
    s->uses[s->n_uses++] = *use;
    return 0;
}

/* Notes each source of the disk that leads to another's volume. A domain that names its own volumes below
 * their maps is DRIFT_BARE (drift.h). */
static int look_at_disk(struct survey *s, const struct domain_sides *domain, const struct disk_view *disk,
                        struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < disk->n_sources; i++) {
        struct disk_use use = {.domain = domain, .disk = disk, .source = &disk->sources[i]};
        if (lead(use.source->path, domain->uuid, &use.reached) && !streq(use.reached.instance, domain->uuid))
            r = note(s, &use, e);
    }
    return r;
}

void survey_make(const struct context *c, struct survey *ret)
{
    *ret = (struct survey){.n_uses = 0};
    int r = c->virt ? virt_view_all(c->virt, &ret->views, &ret->why) : 0;
    if (r == 0)
        ret->why = ret->views.why;
    for (size_t d = 0; r == 0 && d < ret->views.n; d++) {
        const struct domain_sides *domain = &ret->views.domain[d];
        for (size_t i = 0; r == 0 && i < domain->guest.n_disks; i++)
            r = look_at_disk(ret, domain, &domain->guest.disks[i], &ret->why);
    }
}

void survey_end(struct survey *s)
{
    free(s->uses);
    virt_views_end(&s->views);
}

static int by_uuid(const void *uuid, const void *domain)
{
    return strcmp(uuid, ((const struct domain_sides *)domain)->uuid);
}

const struct domain_sides *survey_domain(const struct survey *s, const char *uuid)
{
    return s->views.n ? bsearch(uuid, s->views.domain, s->views.n, sizeof *s->views.domain, by_uuid) : NULL;
}

const struct nova_server *survey_nova(const struct survey *s, const char *uuid)
{
    static const struct nova_server none;
    const struct domain_sides *domain = survey_domain(s, uuid);
    if (!domain)
        return &none;
    return domain->definition.nova.name ? &domain->definition.nova : &domain->guest.nova;
}
