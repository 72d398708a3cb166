/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are read as variables or refused, with a sentence that a terminal can show. */
#include "barbican/openstack.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct openstack o = {.is_host = false};
    struct error e = ERROR_NONE;
    _cleanup_secret_ struct secret *environment = NULL;
    if (size == 0 || secret_new(size, &environment, NULL) < 0)
        return 0;
    memcpy(secret_bytes(environment), data, size);
    if (openstack_parse_environment(environment, &o, &e) == 0)
        (void)!openstack_check(&o, &e);
    for (const char *c = e.text; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
    openstack_end(&o);
    return 0;
}
