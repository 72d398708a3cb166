/* SPDX-License-Identifier: Apache-2.0 */
/* How long many requests took: their number, their mean, and percentiles that are exact to a 64th. */
#pragma once

#include <stdint.h>

#define LATENCIES_BUCKETS 3712 /* 64 for each power of two of nanoseconds, from the sixth on */

struct latencies {
    uint64_t n, sum_nsec;
    uint64_t bucket[LATENCIES_BUCKETS];
};

void latencies_add(struct latencies *l, uint64_t nsec);

/* Adds all of `more`. */
void latencies_join(struct latencies *l, const struct latencies *more);

/* Both return 0 if there is none. `share`: 0.99 for the time that 99 of 100 requests did not exceed. */
double latencies_mean_nsec(const struct latencies *l);
uint64_t latencies_percentile_nsec(const struct latencies *l, double share);
