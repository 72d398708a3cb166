/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of an image, with the magic put in half of the cases so that the header check is reached. */
#include "image/format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const wanted[] = {NULL, "raw", "qcow2", "vmdk"};
    if (size < 9)
        return 0;

    uint64_t file_bytes;
    memcpy(&file_bytes, data + 1, sizeof file_bytes);
    size_t head_bytes = size - 9 < IMAGE_HEAD_BYTES ? size - 9 : IMAGE_HEAD_BYTES;
    uint8_t *head =
        malloc(head_bytes ? head_bytes : 1); /* of the exact size, so that a read beyond it shows */
    if (!head)
        return 0;
    memcpy(head, data + 9, head_bytes);
    if (data[0] & 4 && head_bytes >= 4)
        memcpy(head, "QFI\xfb", 4);

    struct error e = ERROR_NONE;
    enum image_format format = (enum image_format)77;
    size_t tail_bytes = head_bytes < IMAGE_TAIL_BYTES ? head_bytes : IMAGE_TAIL_BYTES;
    const struct image_ends ends = {.head = head,
                                    .head_bytes = head_bytes,
                                    .tail = head + head_bytes - tail_bytes,
                                    .tail_bytes = tail_bytes,
                                    .file_bytes = file_bytes};
    int r = image_format_detect(&ends, wanted[data[0] & 3], &format, &e);
    (void)!image_shows_disk(&ends);
    if ((r == 0) == (e.errnum != 0) || (r == 0) != (format <= IMAGE_LUKS))
        abort();
    free(head);
    return 0;
}
