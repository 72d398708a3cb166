/* SPDX-License-Identifier: Apache-2.0 */
/* Starts an instance, for start and for operations that end with a start. */
#pragma once

#include "instance/disks.h"
#include "instance/steps.h"

/* Starts the domain of an instance whose guest has been ended by the same operation. A process that served a
 * disk may have ended meanwhile, and is started again. */
int instance_start_again(const struct context *c, const struct instance *i, struct error *e) _must_check_;

/* Adds the steps that open missing maps and start the domain; the disks must outlive the steps. Their undo
 * ends the domain and closes these maps. */
int start_add_steps(struct steps *s, struct disks *d, struct error *e) _must_check_;
