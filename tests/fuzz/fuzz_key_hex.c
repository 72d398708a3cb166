/* SPDX-License-Identifier: Apache-2.0 */
/* A key in hex on a descriptor: what is taken is what was written. */
#include "base/fd.h"
#include "base/str.h"
#include "cli/key-read.h"

#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = -1;
    _cleanup_secret_ struct secret *key = NULL;
    struct error e = ERROR_NONE;
    char hex[2 * 64 + 1] = "";
    if (fd_memfd("key", data, size, &fd) < 0)
        abort();
    int r = key_read_hex(fd, &key, &e);
    if ((r == 0) == (e.errnum != 0) || (r == 0) != (key != NULL))
        abort();
    if (r < 0)
        return 0;
    str_hex(secret_peek(key), secret_size(key), hex);
    if (strncasecmp(hex, (const char *)data, strlen(hex)) != 0)
        abort();
    return 0;
}
