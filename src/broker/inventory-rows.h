/* SPDX-License-Identifier: Apache-2.0 */
/* From the rows of LVM's report to the inventory; private to inventory*.c. */
#pragma once

#include "broker/inventory.h"

#include <json-c/json.h>

typedef struct json_object json_object;
DEFINE_CLEANUP(json_object *, json_object_put)
#define _cleanup_json_ _cleanup_(json_object_putp)

/* Rows of lvs that may show a dependent of a volume. */
struct lv_rows {
    struct lv_row *row;
    size_t n;
};

/* Sets the error: `what` is wrong with the report. Returns -EPROTO. */
int lvm_report_refused(struct error *e, const char *what);

/* Adds a row of lvs, or of vgs. */
int inventory_add_row(struct inventory *i, struct lv_rows *rows, bool of_lvs, json_object *row,
                      struct error *e) _must_check_;

/* Fills in i->dependents, once all rows are read. */
int inventory_note_dependents(struct inventory *i, const struct lv_rows *rows, struct error *e) _must_check_;
