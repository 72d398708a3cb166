/* SPDX-License-Identifier: Apache-2.0 */
/* See launched.h. */
#include "cli/launched.h"

#include "base/log.h"
#include "cli/outcomes.h"

#include <stdio.h>

static bool put_launched(struct json_object *document, const struct context *c,
                         const struct launched *launched, uint32_t n)
{
    struct json_object *instances = json_object_new_array();
    bool whole = instances != NULL;
    _cleanup_model_ struct model *m = outcome_look(c);
    for (uint32_t i = 0; whole && i < n; i++) {
        const struct instance *one = outcome_find(m, launched[i].uuid);
        whole = json_append(instances,
                            one ? json_instance(m, one) : json_named(launched[i].name, launched[i].uuid));
    }
    return json_put(document, "instances", instances) && whole;
}

int print_launched(struct globals *g, const struct context *c, const struct launched *launched, uint32_t n,
                   bool changed, struct error *e)
{
    if (g->json) {
        struct json_object *document = json_changed(g, changed);
        return json_give(g, document, put_launched(document, c, launched, n), e);
    }
    for (uint32_t i = 0; i < n && !log_is_quiet(); i++)
        printf("%s  %s\n", launched[i].name, launched[i].uuid);
    return 0;
}
