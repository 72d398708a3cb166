/* SPDX-License-Identifier: Apache-2.0 */
/* See latencies.h. */
#include "bench/latencies.h"

/* All below 64 ns are taken for 64. */
static unsigned bucket_of(uint64_t nsec)
{
    uint64_t n = nsec < 64 ? 64 : nsec;
    unsigned power = 63 - (unsigned)__builtin_clzll(n);
    return (power - 6) * 64 + (unsigned)(n >> (power - 6) & 63);
}

static uint64_t nsec_of(unsigned bucket)
{
    return (uint64_t)(64 + bucket % 64) << bucket / 64;
}

void latencies_add(struct latencies *l, uint64_t nsec)
{
    l->n++;
    l->sum_nsec += nsec;
    l->bucket[bucket_of(nsec)]++;
}

void latencies_join(struct latencies *l, const struct latencies *more)
{
    l->n += more->n;
    l->sum_nsec += more->sum_nsec;
    for (unsigned i = 0; i < LATENCIES_BUCKETS; i++)
        l->bucket[i] += more->bucket[i];
}

double latencies_mean_nsec(const struct latencies *l)
{
    return l->n ? (double)l->sum_nsec / (double)l->n : 0;
}

uint64_t latencies_percentile_nsec(const struct latencies *l, double share)
{
    uint64_t sum = 0;
    for (unsigned i = 0; l->n && i < LATENCIES_BUCKETS; i++) {
        sum += l->bucket[i];
        if ((double)sum >= share * (double)l->n)
            return nsec_of(i);
    }
    return 0;
}
