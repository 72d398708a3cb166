/* SPDX-License-Identifier: Apache-2.0 */
/* What --dry-run prints. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct steps;
int print_plan(const struct steps *plan, bool json, struct error *e) _must_check_;
