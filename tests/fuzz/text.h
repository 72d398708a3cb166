/* SPDX-License-Identifier: Apache-2.0 */
/* Input as a text with an end. */
#pragma once

#include "base/macro.h"

#include <string.h>

/* A copy, up to the first NUL at most for those who read it; the caller frees. */
static inline char *text_of(const void *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
