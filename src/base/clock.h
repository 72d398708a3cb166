/* SPDX-License-Identifier: Apache-2.0 */
/* The clock for deadlines and durations, which nobody can set. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <time.h>

/* Returns the milliseconds since a fixed moment in the past. */
static inline uint64_t clock_msec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Returns the seconds since the host was started, with the time that it slept; the same for all processes. */
static inline uint32_t clock_boot_sec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint32_t)t.tv_sec;
}

/* Sleeps for `msec`; signals do not shorten that. */
static inline void clock_sleep_msec(uint64_t msec)
{
    struct timespec t = {(time_t)(msec / 1000), (long)(msec % 1000) * 1000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}
