/* SPDX-License-Identifier: Apache-2.0 */
/* What --dry-run prints. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct globals;
struct steps;
int print_plan(struct globals *g, const struct steps *plan, struct error *e) _must_check_;
