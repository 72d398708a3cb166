/* SPDX-License-Identifier: Apache-2.0 */
/* Recovers a set-engine that was cut off, or that a person has made by hand: the definition follows the tags.
 * Some tag says user then (see set-engine.c), so only instances with such a tag cost a question to libvirt.
 */
#include "instance/disks.h"
#include "instance/recover.h"
#include "instance/set-engine.h"

static int write_definition(const struct recovery *r, const struct instance *i, char **ret_is,
                            struct error *e)
{
    const struct volume *disks[DISKS_MAX];
    char *was = NULL;
    size_t n = 0;
    for (size_t v = 0; v < i->n_volumes && n < DISKS_MAX; v++)
        if (volume_encrypted(i->volumes[v]) && i->volumes[v]->state == VOLUME_READY)
            disks[n++] = i->volumes[v];
    int result = engine_definition(&r->context, i->uuid, disks, n, NULL, &was, ret_is, e);
    free(was);
    return result;
}

int recovery_engine(struct recovery *r, const struct instance *i, struct error *e)
{
    _cleanup_free_ char *is = NULL;
    struct error why = ERROR_NONE;
    const struct subject about = subject_instance(i);
    const struct domain *domain = model_domain_of(r->model, i->uuid);
    if (!domain || !domain->ours || domain->active || !instance_is_served(i) ||
        volume_in_folder(i->volumes[0]))
        return 0;
    int result = write_definition(r, i, &is, &why);
    if (result == -ENOENT ||
        (result == 0 && !is)) /* a person has taken a disk out of it; or all is in order */
        return 0;
    if (result == 0 && !r->dry_run)
        result = virt_redefine(r->context.virt, is, &why);
    return recovery_settle(
        r, RECOVER_REMOVED, &about,
        "its tags and its definition named different engines: the definition follows the tags", result, &why,
        e);
}
