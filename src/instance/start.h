/* SPDX-License-Identifier: Apache-2.0 */
/* How an instance comes up, by start and by what ends with a start. */
#pragma once

#include "instance/disks.h"
#include "instance/steps.h"

/* Adds the steps that open what is missing and start the domain; the disks must outlive them. Their undo ends
 * the domain and closes what was opened. */
int start_add_steps(struct steps *s, struct disks *d, struct error *e) _must_check_;
