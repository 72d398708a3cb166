/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON that Mayfly prints: one document for each run. Each has "version": 1; under that number fields may
 * be added, never changed or removed. data/schema has all fields, mayfly-json(7) describes them. A verb makes
 * its document and hands it over; main() adds the error, if there is one, and prints it. */
#pragma once

#include "cli/globals.h"
#include "instance/operations.h"

#include <json-c/json.h>

#define JSON_VERSION 1

/* Adds to `object`. Returns false from the first failure on (out of memory), so that callers check once. */
bool json_put(struct json_object *object, const char *name, struct json_object *value);
bool json_put_text(struct json_object *object, const char *name, const char *text);
bool json_put_u64(struct json_object *object, const char *name, uint64_t number);
bool json_put_bool(struct json_object *object, const char *name, bool value);

/* Does the same for the end of an array. */
bool json_append(struct json_object *array, struct json_object *value);

/* Returns the value if it is whole. Else frees it, and returns NULL. */
struct json_object *json_whole(struct json_object *value, bool whole);

/* Makes {"version": 1, "verb": "list"}; NULL: out of memory. */
struct json_object *json_document(const struct globals *g);

/* Makes the same with "changed", for a verb that makes changes. */
struct json_object *json_changed(const struct globals *g, bool changed);

/* Makes an instance with its disks, as list and show print it; and one disk. */
struct json_object *json_instance(const struct model *m, const struct instance *i);
struct json_object *json_disk(const struct model *m, const struct volume *v);

/* Makes the name and uuid of an instance that cannot be examined. */
struct json_object *json_named(const char *name, const char *uuid);

/* Makes {"status", "name", "object", "action", "reason", "way_out", "text"}: parts that the sentence does not
 * have are null. */
struct json_object *json_error(const struct error *e, int status, const char *name);

/* Hands the document to main(), which prints and frees it. `whole` false: it is incomplete (-ENOMEM). */
int json_give(struct globals *g, struct json_object *document, bool whole, struct error *e) _must_check_;

/* Prints the document that was handed over, with the error of the exit status. Prints nothing for --help,
 * which is for people.
 */
int json_end(struct globals *g, const struct error *e, int status, const char *name);

/* A document with an array of any length. It is printed item by item, so that the items are never in memory
 * together:
 *
 *     json_list_begin(g, "instances");
 *     for (size_t i = 0; r == 0 && i < n; i++)
 *         r = json_list_item(i, json_instance(...), e);     // prints and frees; NULL: -ENOMEM
 *     json_list_end(n);      // json_end() puts the rest behind it
 */
void json_list_begin(struct globals *g, const char *name);
int json_list_item(size_t i, struct json_object *item, struct error *e) _must_check_;
void json_list_end(size_t n);

/* Adds "nova", if the domain has Nova's metadata. */
bool json_put_nova(struct json_object *instance, const struct nova_server *nova) _must_check_;

/* Adds "addresses", if there are any. False: out of memory. */
bool json_put_addresses(struct json_object *instance, const struct domain_addresses *a) _must_check_;
