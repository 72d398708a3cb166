/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what people did to an instance without Mayfly, for list and show. See instance/drift.h. */
#pragma once

#include "instance/drift.h"

#include <json-c/json.h>

/* Looks once for all instances, before findings_look(); the caller ends *ret. If libvirt does not answer
 * there is a warning, and there are fewer findings. */
void findings_survey(const struct context *c, struct survey *ret);

/* Lists the findings of one instance. */
void findings_look(const struct context *c, const struct model *m, const struct survey *survey,
                   const struct instance *i, struct drift *ret);

/* Writes "managed-save, held", each kind once; "-": none. */
void findings_names(const struct drift *d, char *text, size_t size);

/* Prints a line for each, with a heading; nothing if there are none. */
void findings_print(const struct drift *d);

/* Makes [{"kind", "disk", "text", "exit_status"}]; "disk" and "exit_status" only if there is one; NULL: out
 * of memory. */
struct json_object *findings_json(const struct drift *d);
