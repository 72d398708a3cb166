/* SPDX-License-Identifier: Apache-2.0 */
/* Prints keys for people and for programs: their owners and users, never the keys themselves. */
#pragma once

#include "cli/globals.h"
#include "instance/key-list.h"
#include "instance/model.h"

/* Prints keys, a line each. */
int key_print_table(const struct model *m, const struct key_entry *const shown[], size_t n,
                    struct error *e) _must_check_;

/* Prints one key, with the volumes that name it. */
int key_print_one(const struct model *m, const struct key_entry *k, struct error *e) _must_check_;

/* Prints `n` keys and all managers as JSON. */
int key_print_json(struct globals *g, const struct model *m, const struct key_list *l,
                   const struct key_entry *const shown[], size_t n, struct error *e) _must_check_;
