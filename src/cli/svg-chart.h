/* SPDX-License-Identifier: Apache-2.0 */
/* A chart of horizontal bars as an SVG file, for dark and light pages. */
#pragma once

#include "base/error.h"

#include <stdio.h>

struct chart_bar {
    const char *group; /* bars of one group are side by side in the list */
    const char *name;
    const char *text;   /* the value as text, written after the bar */
    const char *colour; /* "#1f9d6b" */
    double length;      /* in lengths of the line that all others are compared with */
};

int chart_write(FILE *file, const char *title, const struct chart_bar bars[], size_t n,
                struct error *e) _must_check_;
