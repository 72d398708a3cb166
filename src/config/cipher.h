/* SPDX-License-Identifier: Apache-2.0 */
/* The ciphers for new disks, and the sizes of their keys. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Does Mayfly offer `cipher` ("aes-xts-plain64"), and does it take keys of `key_bits`? XTS splits its key
 * into two: 256 means AES-128, 512 AES-256. -EINVAL: no; the sentence names what is offered. */
int cipher_check(const char *cipher, uint32_t key_bits, struct error *e) _must_check_;

/* Does Mayfly offer a cipher of this name? */
bool cipher_known(const char *cipher);

bool cipher_is_xts(const char *cipher);

/* Prints the ciphers and the sizes of their keys as a table of mayfly.conf(5), in scdoc(5). */
void cipher_print_manual(FILE *out);
