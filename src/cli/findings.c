/* SPDX-License-Identifier: Apache-2.0 */
/* See findings.h. */
#include "cli/findings.h"

#include "cli/json.h"

#include <stdio.h>

void findings_survey(const struct context *c, struct survey *ret)
{
    survey_make(c, ret);
    if (ret->why.errnum)
        report_warning(c, "not all domains could be examined, so findings may be missing: %s", ret->why.text);
}

void findings_look(const struct context *c, const struct model *m, const struct survey *survey,
                   const struct instance *i, struct drift *ret)
{
    struct error why = ERROR_NONE;
    if (drift_look(c, m, survey, i, DRIFT_ALL, ret, &why) < 0)
        report_warning(c, "instance %s: could not be examined completely: %s", i->name, why.text);
}

void findings_names(const struct drift *d, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", d->n ? "" : "-");
    for (size_t i = 0; i < d->n && used < size; i++)
        if (i == 0 || d->found[i].kind != d->found[i - 1].kind)
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                     drift_name(d->found[i].kind));
}

void findings_print(const struct drift *d)
{
    for (size_t i = 0; i < d->n; i++)
        printf("%-10s%s: %s\n", i ? "" : "Findings:", drift_name(d->found[i].kind), d->found[i].text);
}

static struct json_object *json_of(const struct drift_finding *f)
{
    struct json_object *object = json_object_new_object();
    return json_whole(object, json_put_text(object, "kind", drift_name(f->kind)) &&
                                  (!f->disk || json_put_text(object, "disk", f->disk->role)) &&
                                  json_put_text(object, "text", f->text) &&
                                  (!f->errnum || json_put_u64(object, "exit_status", exit_code(f->errnum))));
}

struct json_object *findings_json(const struct drift *d)
{
    struct json_object *array = json_object_new_array();
    bool whole = array != NULL;
    for (size_t i = 0; whole && i < d->n; i++)
        whole = json_append(array, json_of(&d->found[i]));
    return json_whole(array, whole);
}
