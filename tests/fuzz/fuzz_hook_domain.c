/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the XML that libvirt hands to its hooks: what is taken has a uuid, and is freed whole. */
#include "text.h"

#include "virt/hook-domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_hook_domain_ struct hook_domain d = {0};
    _cleanup_free_ char *xml = text_of(data, size);
    (void)hook_concerns_us(xml);
    if (hook_domain_read(xml, &d, NULL) == 0 && !uuid_valid(d.uuid))
        abort();
    return 0;
}
