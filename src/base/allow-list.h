/* SPDX-License-Identifier: Apache-2.0 */
/* A filter that allows only the system calls that it names; any other fails with EPERM. It is a library of
 * its own, so that only programs with a sandbox load libseccomp. All return 0 or a negative errno. */
#pragma once

#include "base/error.h"

#include <seccomp.h>
#include <stddef.h>

/* Applies `action` to each of these calls, whatever its arguments. */
int allow_list_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) _must_check_;

/* Allows this call if its arguments meet the condition, or both. */
int allow_list_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition) _must_check_;
int allow_list_if_both(scmp_filter_ctx filter, int call, struct scmp_arg_cmp one,
                       struct scmp_arg_cmp other) _must_check_;

/* Puts this process, and what it starts, behind the filter that `add` fills. `program` is for the error. */
int allow_list_enter(const char *program, int (*add)(scmp_filter_ctx filter), struct error *e) _must_check_;
