/* SPDX-License-Identifier: Apache-2.0 */
/* Any template gives a definition that reads back with the name and uuid put in, or one sentence. */
#include "text.h"
#include "virt/domain-xml.h"

#include <string.h>

#define NAME "fuzz"
#define UUID "6f1e8a8e-0000-4000-8000-00000000000a"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts unless what was made from the template can be used. */
static void check_made(const char *xml)
{
    struct error e = ERROR_NONE;
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, &e);
    if (r == -EINVAL && strlen(xml) > DOMAIN_XML_MAX_BYTES)
        return; /* the template was just below the limit */
    if (r < 0 || strcmp(name, NAME) != 0 || strcmp(uuid, UUID) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct domain_disk disk = {
        .device_path = "/dev/mapper/a-dmcrypt", .serial = "root", .sector_bytes = 4096};
    const struct domain_spec spec = {
        .name = NAME, .uuid = UUID, .memory_bytes = 1 << 30, .vcpus = 2, .disks = &disk, .n_disks = 1};
    _cleanup_free_ char *text = text_of(data, size), *xml = NULL;

    struct error e = ERROR_NONE;
    int r = domain_xml(&spec, text, &xml, &e);
    if (r == 0)
        check_made(xml);
    else if (!e.text[0] || xml)
        abort();
    return 0;
}
