/* SPDX-License-Identifier: Apache-2.0 */
/* See image-options.h. */
#include "cli/image-options.h"

#include "instance/wanted-image.h"

#include <unistd.h>

/* Opens the image now, while mayfly is still root. A failure is reported when the image is needed. */
static int set_image(void *target, const char *value, struct error *e)
{
    struct wanted_image *q = target;
    struct error later = ERROR_NONE;
    (void)e;
    q->path = value;
    image_early_close(&q->early); /* the option was given twice */
    if (geteuid() == 0)
        (void)!image_open_early(value, &q->early, &later);
    return 0;
}

CLI_TEXT(set_image_format, struct wanted_image, format)
CLI_TEXT(set_image_key, struct wanted_image, key)
CLI_TEXT(set_image_sha256, struct wanted_image, sha256)
const struct cli_option image_options[] = {
    {"image", 0, "FILE", "write this raw or qcow2 image to the disk that boots", set_image},
    {"image-format", 0, "FORMAT", "raw or qcow2; default: found by the first bytes", set_image_format},
    {"image-key", 0, "MANAGER:PLACE/ID", "key of an encrypted image, as export printed it", set_image_key},
    {"image-sha256", 0, "HEX", "refuse an image with another SHA-256", set_image_sha256},
    {0},
};
