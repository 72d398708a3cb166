/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that json-c gets none of: see memory.h. */
#include "memory.h"

#include <stdint.h>

struct json_object;

WRAP(struct json_object *, json_object_new_object, NO_MEMORY, (void), ())
WRAP(struct json_object *, json_object_new_array, NO_MEMORY, (void), ())
WRAP(struct json_object *, json_object_new_boolean, NO_MEMORY, (int value), (value))
WRAP(struct json_object *, json_object_new_uint64, NO_MEMORY, (uint64_t value), (value))
WRAP(struct json_object *, json_object_new_string, NO_MEMORY, (const char *text), (text))
WRAP(struct json_object *, json_object_new_string_len, NO_MEMORY, (const char *text, int size), (text, size))
WRAP(struct json_object *, json_object_new_double_s, NO_MEMORY, (double value, const char *text),
     (value, text))
WRAP(const char *, json_object_to_json_string_ext, NO_MEMORY, (struct json_object * object, int how),
     (object, how))
