/* SPDX-License-Identifier: Apache-2.0 */
/* image-probe IMAGE [DEVICE...]: opens an image, prints its size in bytes, and writes it to the devices. A
 * failure prints its errno's name and sentence on stderr, and ends the program with 1. For
 * tests/lab/image-devices.sh and bench/import. */
#include "base/fd.h"
#include "image/image.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEVICES_MAX 64

static int run(const char *path, char **devices, size_t n, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    struct opened disks[DEVICES_MAX];
    struct image_target targets[DEVICES_MAX];
    int r = image_open(&(struct image_source){.path = path}, &i, e);
    if (r < 0)
        return r;
    printf("%" PRIu64 "\n", image_size_bytes(i));
    for (size_t d = 0; d < n; d++) {
        disks[d] = (struct opened){.fd = open(devices[d], O_RDWR | O_CLOEXEC)};
        targets[d] = (struct image_target){.disk = &disks[d], .name = devices[d]};
        if (disks[d].fd < 0)
            return error_set(e, errno, "%s: cannot be opened: %m", devices[d]);
    }
    return n ? image_import(i, targets, n, NULL, e) : 0;
}

int main(int argc, char **argv)
{
    struct error e = ERROR_NONE;
    int r = argc < 2 || argc > 2 + DEVICES_MAX
                ? error_set(&e, -EINVAL, "usage: image-probe IMAGE [DEVICE...]")
                : run(argv[1], argv + 2, (size_t)argc - 2, &e);
    if (r < 0)
        fprintf(stderr, "%s %s\n", strerrorname_np(-r), e.text);
    return r < 0;
}
