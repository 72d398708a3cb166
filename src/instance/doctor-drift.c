/* SPDX-License-Identifier: Apache-2.0 */
/* What people did to instances without Mayfly: see drift.h. None of it is a failure of this host, so all
 * findings are warnings. */
#include "instance/doctor.h"
#include "instance/drift.h"
#include "virt/domain-xml.h"

#include <stdio.h>

/* A managed save has its own finding, since it holds plaintext. */
#define TOLD (DRIFT_ALL & ~DRIFT(SAVED) & ~DRIFT(UNKNOWN))

static void examine_instance(struct examination *x, const struct model *m, const struct survey *survey,
                             const struct instance *i)
{
    _cleanup_drift_ struct drift d = {.n = 0};
    struct error why = ERROR_NONE;
    char what[sizeof x->findings->what];
    snprintf(what, sizeof what, "instance %.80s", i->name);
    if (drift_look(x->context, m, survey, i, TOLD, &d, &why) < 0)
        examination_warn(x, what, "cannot be examined: %s", why.text);
    for (size_t n = 0; n < d.n; n++)
        examination_warn(x, what, "%s", d.found[n].text);
}

static void examine_mark(struct examination *x, const struct model *m, const struct domain *d)
{
    char what[sizeof x->findings->what];
    size_t n = 0;
    if (!d->ours || inventory_volumes_of(m->inventory, d->uuid, &n) || model_damaged(m, d->uuid))
        return;
    snprintf(what, sizeof what, "domain %.80s", d->name);
    examination_warn(
        x, what,
        "has Mayfly's mark, but no volume has its uuid %s: either its volume group is missing, or it is a "
        "clone of an instance; remove the mark of a clone by virsh metadata %s %s --config --remove",
        d->uuid, d->uuid, DOMAIN_XML_NAMESPACE);
}

void examine_instances(struct examination *x)
{
    struct model *m = x->model;
    _cleanup_survey_ struct survey survey = {.n_uses = 0};
    struct error why = x->context->virt ? x->no_domains : ERROR_NONE;
    if (!m->inventory) /* the broker failed, which has its own finding */
        return;
    if (!why.errnum)
        (void)!model_put_together(m, x->context->virt != NULL, &why);
    if (why.errnum) {
        examination_warn(x, "instances", "cannot be examined: %s", why.text);
        return;
    }
    survey_make(x->context, &survey);
    if (survey.why.errnum)
        examination_warn(x, "domains", "not all could be examined: %s", survey.why.text);
    for (size_t i = 0; i < m->n_instances; i++)
        examine_instance(x, m, &survey, &m->instances[i]);
    for (size_t i = 0; i < m->n_domains; i++)
        examine_mark(x, m, &m->domains[i]);
}
