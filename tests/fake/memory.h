/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is not to be had: one place of the code after the other gets none, or one call. What the world
 * itself is made of is there. Link it with --wrap (memory_wraps). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The places that ask for memory between these two, by the number of the call; */
void memory_note(void);
size_t memory_noted(const unsigned **ret);

/* and one call that gets none, between these two. false: it was not reached. */
void memory_fail(unsigned at);
bool memory_failed(void);

/* Does this call get none? For WRAP(). */
bool memory_fails(const void *place);

#define WRAP_FAILS(name) memory_fails(__builtin_return_address(0))
#include "../wrap.h"
