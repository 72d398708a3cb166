/* SPDX-License-Identifier: Apache-2.0 */
/* What Mayfly prints for programs. Each document has "version": 1; fields may be added under that number,
 * never changed or removed. mayfly(1) lists them. */
#pragma once

#include "instance/operations.h"

#include <json-c/json.h>

#define JSON_VERSION 1

/* Builds `object` up: false once memory ran out, so that callers look once. */
bool json_put(struct json_object *object, const char *name, struct json_object *value);
bool json_put_text(struct json_object *object, const char *name, const char *text);
bool json_put_u64(struct json_object *object, const char *name, uint64_t number);
bool json_put_bool(struct json_object *object, const char *name, bool value);

/* The same for the end of an array. */
bool json_append(struct json_object *array, struct json_object *value);

/* {"version": 1}; NULL: out of memory. */
struct json_object *json_document(void);

/* One instance with its disks, as list and show print it. */
struct json_object *json_instance(const struct model *m, const struct instance *i);

/* Prints and frees; `whole` false: something did not get in (-ENOMEM). */
int json_print(struct json_object *document, bool whole, struct error *e) _must_check_;

/* A document with an array of any length, printed item by item, so that they are never in memory together:
 *
 *     json_list_begin("instances");
 *     for (size_t i = 0; r == 0 && i < n; i++)
 *         r = json_list_item(i, json_instance(...), e);     // prints and frees; NULL: -ENOMEM
 *     if (r == 0)
 *         json_list_end(n);
 */
void json_list_begin(const char *name);
int json_list_item(size_t i, struct json_object *item, struct error *e) _must_check_;
void json_list_end(size_t n);
