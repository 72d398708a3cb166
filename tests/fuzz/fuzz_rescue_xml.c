/* SPDX-License-Identifier: Apache-2.0 */
/* Any definition that takes a rescue disk gives it up again, and then there is none; of any other one
 * sentence is said. */
#include "text.h"
#include "virt/rescue-xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The definition without its rescue disk, NULL if it has none; the caller frees. */
static char *taken_out(const char *xml)
{
    struct error e = ERROR_NONE;
    char *without = NULL;
    int r = rescue_xml_remove(xml, &without, &e);
    if (r < 0 && (!e.text[0] || without))
        abort();
    return without;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct domain_disk disk = {
        .device_path = "/dev/mapper/_disk.rescue-dmcrypt", .serial = "rescue", .sector_bytes = 4096};
    _cleanup_free_ char *text = text_of(data, size), *with = NULL, *without = NULL, *again = NULL;
    struct error e = ERROR_NONE;

    free(taken_out(text));
    int r = rescue_xml_add(text, &disk, &with, &e);
    if (r < 0 && (!e.text[0] || with))
        abort();
    if (r < 0 || strlen(with) > DOMAIN_XML_MAX_BYTES)
        return 0;
    without = taken_out(with);
    again = without ? taken_out(without) : NULL;
    if (!without || again)
        abort();
    return 0;
}
