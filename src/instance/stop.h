/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "instance/model.h"
#include "instance/steps.h"

/* Asks the guest to power off and waits `timeout_sec`; `hard`: then forces it off (0: at once). The disks
 * stay open. -EBUSY: it still runs, and not `hard`. -ECANCELED. */
int domain_stop(const struct context *c, const struct instance *i, unsigned timeout_sec, bool hard,
                struct error *e) _must_check_;

/* A step for several at once: forces the domains of these struct disks off. */
steps_fn domains_end;
