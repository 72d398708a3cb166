/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is read as clouds.yaml or refused; what is taken from it has its ends. */
#include "barbican/openstack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct openstack_said s;
    struct openstack o = {.is_host = false};
    struct error e = ERROR_NONE;
    s.n_regions = 0;
    int r = openstack_parse_clouds((const char *)data, size, "clouds.yaml", "lab", "R2", &s, &e);
    if ((r < 0) != (e.text[0] != '\0'))
        abort();
    for (size_t i = 0; i < s.n_regions; i++)
        if (strlen(s.regions[i]) >= OPENSTACK_TEXT_MAX)
            abort();
    if (openstack_merge(&s, true, &o, NULL) == 0)
        (void)!openstack_check(&o, NULL);
    openstack_end(&o);
    openstack_said_end(&s);
    memset(&s, 0, sizeof s);
    return 0;
}
