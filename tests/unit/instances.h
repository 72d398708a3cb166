/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of operations: a world, a process on it, and short ways to act. */
#pragma once

#include "unit.h"

#include "base/clock.h"
#include "world.h"

#include <stdio.h>

#define GIB (UINT64_C(1) << 30)

struct bench {
    struct world *w;
    struct fake f;
    char warning[700]; /* the last one */
    unsigned warnings;
    struct reporter reporter;
};

static void bench_warning(void *data, const char *text)
{
    struct bench *b = data;
    size_t n = strnlen(text, sizeof b->warning - 1);
    memcpy(b->warning, text, n);
    b->warning[n] = '\0';
    b->warnings++;
}

static int bench_setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->w = world_new();
    fake_begin(&b->f, b->w);
    b->reporter = (struct reporter){.warning = bench_warning, .data = b};
    b->f.context.reporter = &b->reporter;
    *state = b;
    return 0;
}

static int bench_teardown(void **state)
{
    struct bench *b = *state;
    fake_end(&b->f);
    world_free(b->w);
    free(b);
    return 0;
}

static inline int bench_launch(struct bench *b, const struct launch_request *q, struct error *e)
{
    _cleanup_free_ struct launched *launched = NULL;
    return instance_launch(&b->f.context, q, &launched, NULL, e);
}

/* An instance of one root disk (and swap), which must come about. */
static inline void bench_make(struct bench *b, const char *name, bool no_start)
{
    const struct launch_request q = {
        .name = name, .count = 1, .disks = {.root_bytes = GIB, .swap_bytes = GIB}, .no_start = no_start};
    struct error e = ERROR_NONE;
    assert_ok(bench_launch(b, &q, &e), e);
}

static inline void bench_use_barbican(struct bench *b)
{
    strcpy(b->f.config.key_backend, "barbican");
    strcpy(b->f.config.host_access, "read");
}

/* As if the maps that are open for a start had been opened so long ago. */
static inline void bench_age_maps(struct bench *b, uint32_t sec)
{
    for (size_t i = 0; i < b->w->host.n_maps; i++) {
        char *uuid = b->w->host.maps[i].map.uuid;
        if (map_uuid_use(uuid) == MAP_FOR_START)
            snprintf(uuid + strlen(uuid) - 8, 9, "%08x", clock_boot_sec() - sec);
    }
}

#define bench_test(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
