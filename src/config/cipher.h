/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of dm-crypt: cipher names and the sizes of their keys. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Is `cipher` ("aes-xts-plain64") one that Mayfly offers, and `key_bits` a size that it takes? XTS keys are
 * two keys: 256 means AES-128, 512 AES-256. -EINVAL with a sentence that names what would do. */
int cipher_check(const char *cipher, uint32_t key_bits, struct error *e) _must_check_;

/* Is the name one that Mayfly offers, whatever the size of the key? */
bool cipher_known(const char *cipher);

bool cipher_is_xts(const char *cipher);

/* Prints the ciphers and the sizes of their keys as a table of mayfly.conf(5), in scdoc(5). */
void cipher_print_manual(FILE *out);
