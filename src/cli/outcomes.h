/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each name that a verb was given, for programs. */
#pragma once

#include "cli/json.h"

/* "outcomes": of each name that was begun, in their order, "name", "changed", and "instance" as it is now, or
 * "error"; where a key was to be destroyed, "keys". */
struct outcomes {
    struct json_object *array;
    bool changed, whole;
};
#define _cleanup_outcomes_ _cleanup_(outcomes_end)

void outcomes_begin(struct outcomes *o);
void outcomes_end(struct outcomes *o);

/* `key` NULL: the verb is not about keys. `error` with errnum 0: it went well. */
void outcomes_add(struct outcomes *o, const char *name, bool changed, const struct key_end *key,
                  const struct error *error);

/* Looks at the instances once more, and gives the document of the verb. `c` NULL: it is not about instances.
 * An instance that cannot be looked at is left out, with a warning: what was to be done was done. */
int outcomes_give(struct outcomes *o, struct globals *g, const struct context *c,
                  struct error *e) _must_check_;

/* One more look at all instances, which the caller frees; NULL, and a warning, where they cannot be looked
 * at. And the one of this name or uuid; NULL: it is not known, or gone. */
struct model *outcome_look(const struct context *c);
const struct instance *outcome_find(const struct model *m, const char *name);

/* Puts "instance" as it is now into the document of a verb that is about one; it is left out as above, and
 * where it is gone. With `role_or_alias` that disk is put beside it as "disk", where there is one. */
bool outcome_put_instance(struct json_object *document, const struct context *c, const char *name,
                          const char *role_or_alias);
