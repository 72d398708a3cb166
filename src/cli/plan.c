/* SPDX-License-Identifier: Apache-2.0 */
/* See plan.h. */
#include "cli/plan.h"

#include "cli/json.h"

#include <stdio.h>

int print_plan(struct globals *g, const struct steps *plan, struct error *e)
{
    bool json = g->json;
    struct json_object *document = json ? json_changed(g, false) : NULL;
    struct json_object *steps = json ? json_object_new_array() : NULL;
    bool whole = steps != NULL;
    for (size_t i = 0; i < steps_count(plan); i++) {
        if (json)
            whole = json_append(steps, json_object_new_string(steps_what(plan, i))) && whole;
        else
            printf("%3zu. %s\n", i + 1, steps_what(plan, i));
    }
    if (!json)
        return 0;
    whole = json_put(document, "steps", steps) && whole;
    return json_give(g, document, whole, e);
}
