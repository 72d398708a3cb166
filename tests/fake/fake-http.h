/* SPDX-License-Identifier: Apache-2.0 */
/* In the place of src/barbican/http*.c: requests go to a function of whoever links it, before the library
 * `barbican`. */
#pragma once

#include "barbican/http.h"

/* One request; *ret is empty at first. As http_do(). */
int fake_http_exchange(const struct http_request *q, struct http_reply *ret, struct error *e);

/* For what a reply brings. */
struct secret *fake_http_secret(const void *bytes, size_t size);
