/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the text for people in an error body of Keystone or Barbican. */
#pragma once

#include <stddef.h>

#define MESSAGE_MAX 200

/* Gives one harmless line, cut at `ret_size`; "" if there is no such text. Bodies seen:
 * {"code","title","description"} (Barbican's API), {"error":{"code","title","message"}} (Keystone, and its
 * middleware before Barbican), HTML (load balancers, and 503 and 406 of Barbican), nothing at all (500 of
 * Barbican). */
void reply_message(const char *text, size_t size, char *ret, size_t ret_size);
