/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is read as clouds.yaml or refused; what is taken from it has its ends. */
#include "barbican/openstack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openstack o = {.is_host = false};
    struct error e = ERROR_NONE;
    int r = openstack_parse_clouds((const char *)data, size, "clouds.yaml", "lab", &o, &e);
    if ((r < 0) != (e.text[0] != '\0'))
        abort();
    (void)!openstack_check(&o, NULL);
    openstack_end(&o);
    return 0;
}
