/* SPDX-License-Identifier: Apache-2.0 */
/* image-probe IMAGE [DEVICE]: opens an image, prints its size in bytes, and writes it to the device. A
 * failure prints its errno's name and sentence on stderr, and ends the program with 1. For
 * tests/lab/image-devices.sh. */
#include "base/fd.h"
#include "image/image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int run(const char *path, const char *device, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    int r = image_open(path, NULL, &i, e);
    if (r < 0)
        return r;
    printf("%" PRIu64 "\n", image_size_bytes(i));
    if (!device)
        return 0;
    _cleanup_close_ int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be opened: %m", device);
    return image_import(i, fd, NULL, e);
}

int main(int argc, char **argv)
{
    struct error e = ERROR_NONE;
    int r = argc < 2 || argc > 3 ? error_set(&e, -EINVAL, "usage: image-probe IMAGE [DEVICE]")
                                 : run(argv[1], argv[2], &e);
    if (r < 0)
        fprintf(stderr, "%s %s\n", strerrorname_np(-r), e.text);
    return r < 0;
}
