/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of this host for monitoring, as OpenMetrics text or as JSON. */
#pragma once

#include "cli/json.h"

#include <stdio.h>

#define METRIC_LABELS_MAX 2
#define METRIC_VALUE_MAX  160

struct metric_label {
    const char *name; /* NULL: this and the following are unused */
    char value[METRIC_VALUE_MAX];
};

/* One figure. All are gauges. */
struct metric {
    const char *name; /* one of metric_families */
    struct metric_label labels[METRIC_LABELS_MAX];
    uint64_t value;
};

struct metrics {
    struct metric *metric; /* figures of one name stand together */
    size_t n;
};
#define _cleanup_metrics_ _cleanup_(metrics_end)

void metrics_end(struct metrics *m);

/* Adds a figure; if there is one with these labels, adds `value` to it. Fewer than METRIC_LABELS_MAX labels
 * end with a NULL: "state", "used", NULL. */
int metrics_add(struct metrics *m, struct error *e, uint64_t value, const char *name, ...) _must_check_;

/* Adds 1 to the figure with this name and label, which begins at 0. */
int metrics_count(struct metrics *m, struct error *e, const char *name, const char *label,
                  const char *value) _must_check_;

/* Prints all, with help and type of each name, up to "# EOF". */
void metrics_print(const struct metrics *m, FILE *file);

/* Makes [{"name", "labels", "value"}]; NULL: out of memory. */
struct json_object *metrics_json(const struct metrics *m);
