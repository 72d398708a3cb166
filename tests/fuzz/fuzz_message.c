/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the body of an error: one tame line comes of it, in whatever room there is. The first byte is
 * the room. */
#include "barbican/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[MESSAGE_MAX];
    size_t room = size > 0 && data[0] > 0 && data[0] < ' ' ? data[0] : sizeof line;
    memset(line, 'x', sizeof line);
    reply_message((const char *)data, size, line, room);
    if (!memchr(line, '\0', room))
        abort();
    for (const char *c = line; *c; c++)
        if (*c < ' ' || *c > '~')
            abort();
    return 0;
}
