/* SPDX-License-Identifier: Apache-2.0 */
/* The undo of a step that makes a volume. */
#pragma once

#include "instance/context.h"

/* Removes the volume. `made` false: the step got no answer, so the volume is looked for by the UUID that was
 * made for it alone; there may be none. */
int made_volume_remove(const struct context *c, const struct volume *v, bool made,
                       struct error *e) _must_check_;
