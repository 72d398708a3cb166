/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly list: every instance that has volumes of ours, one line each. */
#include "cli/findings.h"
#include "cli/json.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "instance/doubt.h"

#include <stdio.h>

/* "encrypted", "plain" (made with encryption off), or "mixed". */
static const char *protection(const struct instance *i)
{
    size_t encrypted = 0;
    for (size_t d = 0; d < i->n_volumes; d++)
        encrypted += volume_encrypted(i->volumes[d]);
    return encrypted == i->n_volumes ? "encrypted" : encrypted ? "mixed" : "plain";
}

static uint64_t total_bytes(const struct instance *i)
{
    uint64_t bytes = 0;
    for (size_t d = 0; d < i->n_volumes; d++)
        bytes += i->volumes[d]->size_bytes;
    return bytes;
}

static int print_table(const struct context *c, const struct model *m, const struct survey *survey,
                       struct error *e)
{
    _cleanup_table_ struct table t =
        TABLE("Name", "UUID", "State", "Disks", "Size", "Protection", "Findings");
    for (size_t i = 0; i < m->n_instances; i++) {
        _cleanup_drift_ struct drift drift = {.n = 0};
        const struct instance *one = &m->instances[i];
        char state[32], disks[24], size[32], findings[200];
        findings_look(c, m, survey, one, &drift);
        findings_names(&drift, findings, sizeof findings);
        snprintf(state, sizeof state, "%s%s", instance_state_name(one),
                 instance_in_rescue(one) ? ", in rescue" : "");
        snprintf(disks, sizeof disks, "%zu", one->n_volumes);
        int r = table_row(&t, e, one->name, one->uuid, state, disks,
                          str_from_bytes(total_bytes(one), size, sizeof size), protection(one), findings);
        if (r < 0)
            return r;
    }
    table_print(&t);
    return 0;
}

static struct json_object *json_with_findings(const struct context *c, const struct model *m,
                                              const struct survey *survey, const struct instance *i)
{
    _cleanup_drift_ struct drift drift = {.n = 0};
    struct json_object *instance = json_instance(m, i);
    findings_look(c, m, survey, i, &drift);
    if (json_put(instance, "findings", findings_json(&drift)))
        return instance;
    json_object_put(instance);
    return NULL;
}

static int print_json(struct globals *g, const struct context *c, const struct model *m,
                      const struct survey *survey, struct error *e)
{
    int r = 0;
    json_list_begin(g, "instances");
    for (size_t i = 0; r == 0 && i < m->n_instances; i++)
        r = json_list_item(i, json_with_findings(c, m, survey, &m->instances[i]), e);
    json_list_end(m->n_instances);
    return r;
}

static void warn_of_damage(const struct session *s, const struct model *m)
{
    for (size_t i = 0; i < m->inventory->n_damaged; i++) {
        const struct damaged_volume *d = &m->inventory->damaged[i];
        report_warning(&s->context, "volume %s/%s says that it is Mayfly's, but is left alone: %s", d->vg,
                       d->lv, d->reason.text);
    }
}

/* What is not seen of a group is not in the list. Damaged volumes are told of one by one. */
static void warn_of_doubt(const struct session *s, const struct model *m)
{
    const struct config *c = s->context.config;
    for (size_t i = 0; m->inventory->n_damaged == 0 && i < c->volume_groups.n; i++) {
        struct error why = ERROR_NONE;
        if (doubt_of_group(m->inventory, c->volume_groups.item[i], &why) < 0)
            report_warning(&s->context,
                           "not all may be listed, so no key is destroyed for want of a volume: %s",
                           why.text);
    }
}

int verb_list(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 0, 0, &n, e);
    if (r != 0)
        return r;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_model_ struct model *m = NULL;
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r == 0)
        r = model_load(&s->context, &m, e);
    if (r < 0)
        return r;
    warn_of_damage(s, m);
    warn_of_doubt(s, m);
    _cleanup_survey_ struct survey survey = {.n_uses = 0};
    findings_survey(&s->context, &survey);
    return g->json ? print_json(g, &s->context, m, &survey, e) : print_table(&s->context, m, &survey, e);
}
