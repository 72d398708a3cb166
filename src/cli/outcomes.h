/* SPDX-License-Identifier: Apache-2.0 */
/* The outcome of each name that a verb was given, for programs. */
#pragma once

#include "cli/json.h"

/* "outcomes" has for each name that was begun, in order: "name", "changed", and "instance" as it is now, or
 * "error"; if a key was to be destroyed, "keys". */
struct outcomes {
    struct json_object *array;
    bool changed, whole;
};
#define _cleanup_outcomes_ _cleanup_(outcomes_end)

void outcomes_begin(struct outcomes *o);
void outcomes_end(struct outcomes *o);

/* Adds an outcome. `key` NULL: the verb is not about keys. `error` with errnum 0: it went well. */
void outcomes_add(struct outcomes *o, const char *name, bool changed, const struct key_end *key,
                  const struct error *error);

/* Looks at the instances once more, and hands over the document of the verb. `c` NULL: the verb is not about
 * instances. An instance that cannot be examined is left out, with a warning: the change itself was made. */
int outcomes_give(struct outcomes *o, struct globals *g, const struct context *c,
                  struct error *e) _must_check_;

/* Looks at all instances once more; the caller frees the model. NULL, with a warning: they cannot be
 * examined. */
struct model *outcome_look(const struct context *c);
const struct instance *outcome_find(const struct model *m, const char *name);

/* Adds "instance", as it is now, to the document of a verb about one instance, unless it cannot be examined,
 * or is gone. With `role_or_alias` that disk is added as "disk", if there is one. */
bool outcome_put_instance(struct json_object *document, const struct context *c, const char *name,
                          const char *role_or_alias);
