/* SPDX-License-Identifier: Apache-2.0 */
/* See addresses.h. */
#include "cli/addresses.h"

#include <stdio.h>

void addresses_look(const struct context *c, const struct instance *i, bool ask_guest,
                    struct domain_addresses *ret)
{
    struct error ignored = ERROR_NONE;
    *ret = (struct domain_addresses){.n = 0};
    if (c->virt && i->state == INSTANCE_RUNNING)
        (void)!virt_addresses(c->virt, i->uuid, ask_guest, ret, &ignored);
}

const char *addresses_text(const struct domain_addresses *a, char field[ADDRESSES_TEXT_MAX])
{
    size_t used = 0;
    strcpy(field, "-");
    for (size_t n = 0; n < a->n; n++)
        used +=
            (size_t)snprintf(field + used, ADDRESSES_TEXT_MAX - used, "%s%s", n ? ", " : "", a->address[n]);
    return field;
}
