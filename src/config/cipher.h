/* SPDX-License-Identifier: Apache-2.0 */
/* The ciphers for new disks, and the sizes of their keys. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Checks that Mayfly offers `cipher` ("aes-xts-plain64"), with keys of `key_bits`. XTS splits its key into
 * two: 256 means AES-128, 512 AES-256. -EINVAL: not so; the sentence names what is offered. */
int cipher_check(const char *cipher, uint32_t key_bits, struct error *e) _must_check_;

/* True if Mayfly offers a cipher of this name. */
bool cipher_known(const char *cipher);

bool cipher_is_xts(const char *cipher);

/* Prints the ciphers and the sizes of their keys as a table of mayfly.conf(5), in scdoc(5). */
void cipher_print_manual(FILE *out);
