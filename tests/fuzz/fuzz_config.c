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

/* Somebody else's options: a value has an end, and what is not given has none. */
static void look(const char *text, size_t size)
{
    struct config_query wishes[] = {{.group = "DEFAULT", .name = "compute_driver"},
                                    {.group = "libvirt", .name = "images_type"}};
    struct error e = ERROR_NONE;
    int r = config_look_up("nova.conf", text, size, wishes, 2, &e);
    if (r == -EINVAL && !str_starts(e.text, "nova.conf"))
        abort();
    for (size_t i = 0; i < 2; i++)
        if (!memchr(wishes[i].value, '\0', sizeof wishes[i].value) ||
            (!wishes[i].given && wishes[i].value[0]))
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
    look((const char *)data + 1, size - 1);
    int r = config_parse(file, (const char *)data + 1, size - 1, &c, &e);
    if (r == 0)
        check_usable(&c);
    else if (r == -EINVAL && !str_starts(e.text, file))
        abort();
    return 0;
}
