/* SPDX-License-Identifier: Apache-2.0 */
/* See allow-list.h. */
#include "base/allow-list.h"

#include <string.h>

int allow_list_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = seccomp_rule_add(filter, action, calls[i], 0);
    return r;
}

int allow_list_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

int allow_list_if_both(scmp_filter_ctx filter, int call, struct scmp_arg_cmp one, struct scmp_arg_cmp other)
{
    const struct scmp_arg_cmp both[] = {one, other};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 2, both);
}

int allow_list_enter(const char *program, int (*add)(scmp_filter_ctx filter), struct error *e)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return error_memory(e);
    int r = add(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? error_set(e, r, "%s: its system calls cannot be filtered: %s", program, strerror(-r)) : 0;
}
