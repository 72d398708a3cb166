/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs print that make the disks of whole instances. */
#pragma once

#include "cli/globals.h"
#include "instance/operations.h"

/* Prints the new instances: names and UUIDs, or (--json) each as it is now, if it can be examined. */
int print_launched(struct globals *g, const struct context *c, const struct launched *launched, uint32_t n,
                   bool changed, struct error *e) _must_check_;
