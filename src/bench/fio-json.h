/* SPDX-License-Identifier: Apache-2.0 */
/* Reads fio's report (--output-format=json) of one job. */
#pragma once

#include "bench/measured.h"

#include <stddef.h>

/* Reads a report, which warnings may precede. -EPROTO: `text` has no report, or nothing was measured. */
int fio_parse(const char *text, bool writes, struct measured *ret, struct error *e) _must_check_;
