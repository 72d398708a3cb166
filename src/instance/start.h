/* SPDX-License-Identifier: Apache-2.0 */
/* Starts an instance, for start and for operations that end with a start. */
#pragma once

#include "instance/disks.h"
#include "instance/steps.h"

/* Adds the steps that open missing maps and start the domain; the disks must outlive the steps. Their undo
 * ends the domain and closes these maps. */
int start_add_steps(struct steps *s, struct disks *d, struct error *e) _must_check_;
