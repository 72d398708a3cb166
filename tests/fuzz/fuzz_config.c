/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is a configuration that can be used, or one sentence that begins with the file's name. */
#include "base/str.h"
#include "config/cipher.h"
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_usable(const struct config *c)
{
    if (cipher_check(c->cipher, c->key_size_bits, NULL) < 0)
        abort();
    for (size_t i = 0; i < c->volume_groups.n; i++)
        if (!config_vg_name_valid(c->volume_groups.item[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const files[] = {"mayfly.conf", "/etc/nova/nova.conf"};
    if (size == 0)
        return 0;
    const char *file = files[data[0] & 1];
    struct error e = ERROR_NONE;
    struct config c;
    int r = config_parse(file, (const char *)data + 1, size - 1, &c, &e);
    if (r == 0)
        check_usable(&c);
    else if (r == -EINVAL && !str_starts(e.text, file))
        abort();
    return 0;
}
