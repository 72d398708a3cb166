/* SPDX-License-Identifier: Apache-2.0 */
/* LVM's report, and a list of maps, as the unprivileged side reads them. */
#include "broker/inventory.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inventory *i = NULL;
    struct error e = ERROR_NONE;

    int r = inventory_parse((const char *)data, size, NULL, 0, &i, &e);
    if ((r == 0) != (i != NULL) || (r < 0 && !e.text[0]))
        abort();
    for (size_t n = 0; i && n < i->n_volumes; n++)
        if (volume_check(&i->volumes[n], NULL) < 0 || inventory_map_of(i, &i->volumes[n]))
            abort();
    inventory_free(i);
    return 0;
}
