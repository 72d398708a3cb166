/* SPDX-License-Identifier: Apache-2.0 */
/* See managers.h. */
#include "keyagent/managers.h"

#include "barbican/barbican.h"

static const struct keymgr_ops *const managers[] = {
    &barbican_manager,
};

const struct keymgr_ops *network_manager(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(managers); i++)
        if (streq(managers[i]->name, name))
            return managers[i];
    return NULL;
}
