/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON of servers that are not trusted: complete, limited in depth, with checked types. */
#pragma once

#include "base/macro.h"

#include <json-c/json.h>
#include <stdbool.h>

DEFINE_CLEANUP(json_object *, json_object_put)
#define _cleanup_json_ _cleanup_(json_object_putp)

/* Parses the document, which must be an object and all of `text`; else NULL. The caller puts it. */
json_object *reply_parse(const char *text, size_t size);

/* Finds a member of `object` (which may be NULL) of that type, or NULL. It stays the object's. */
json_object *reply_member(json_object *object, const char *name, json_type type);

/* Reads a text member without control characters that fits into `ret`; else false and "". */
bool reply_text(json_object *object, const char *name, char *ret, size_t size);
