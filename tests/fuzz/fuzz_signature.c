/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a disk, of any length, laid over zeros at a place that the input tells: nothing behind its end
 * is read, and what shows in a part shows in the whole. */
#include "base/signature.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t at = (size_t)(data[0] | data[1] << 8) % (SIGNATURE_HEAD_BYTES / 4) * 4;
    size_t n = size - 2 < SIGNATURE_HEAD_BYTES - at ? size - 2 : SIGNATURE_HEAD_BYTES - at;
    uint8_t *whole = calloc(1, SIGNATURE_HEAD_BYTES), *part = malloc(at + n ? at + n : 1);
    if (!whole || !part)
        abort();
    memcpy(whole + at, data + 2, n);
    memcpy(part, whole, at + n); /* of the exact size, so that a read beyond it shows */
    if (signature_shows(part, at + n) && !signature_shows(whole, SIGNATURE_HEAD_BYTES))
        abort();
    free(whole);
    free(part);
    return 0;
}
