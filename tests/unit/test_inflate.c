/* SPDX-License-Identifier: Apache-2.0 */
/* inflate.so, linked in so that it stands before zlib's: what zlib takes comes out the same, what zlib
 * refuses is refused, and nothing is written behind the buffer. */
#include "unit.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CLUSTER 65536
#define GUARD   64

static uint8_t plain[CLUSTER], packed[2 * CLUSTER];

typedef int inflate_fn(z_streamp, int);

struct outcome {
    int result;
    unsigned left;
    uint8_t out[CLUSTER + GUARD];
};

/* As QEMU does it. */
static void unpack(inflate_fn *fn, size_t bytes, int window, size_t room, struct outcome *o)
{
    z_stream s = {
        .next_in = packed, .avail_in = (unsigned)bytes, .next_out = o->out, .avail_out = (unsigned)room};
    memset(o->out, 0xa5, sizeof o->out);
    assert_int_equal(inflateInit2(&s, window), Z_OK);
    o->result = fn(&s, Z_FINISH);
    o->left = s.avail_out;
    assert_int_equal(s.next_out - o->out, room - o->left);
    inflateEnd(&s);
    for (size_t i = room; i < sizeof o->out; i++)
        assert_int_equal(o->out[i], 0xa5);
}

static size_t pack(int level, int window)
{
    z_stream s = {.next_in = plain, .avail_in = CLUSTER, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&s, level, Z_DEFLATED, window, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    deflateEnd(&s);
    return s.total_out;
}

/* QEMU takes what filled its buffer, and calls all else an error. */
static bool qemu_takes(const struct outcome *o)
{
    return (o->result == Z_STREAM_END || o->result == Z_BUF_ERROR) && o->left == 0;
}

static void compare(size_t bytes, int window, size_t room)
{
    static struct outcome ours, zlibs;
    unpack(inflate, bytes, window, room, &ours);
    unpack((inflate_fn *)dlsym(RTLD_NEXT, "inflate"), bytes, window, room, &zlibs);
    if (qemu_takes(&zlibs)) {
        assert_true(qemu_takes(&ours));
        assert_memory_equal(ours.out, zlibs.out, room);
    }
}

/* Text, noise, one byte over and over. */
static void fill(int kind)
{
    for (size_t i = 0; i < CLUSTER; i++)
        plain[i] = (uint8_t)(kind == 0   ? (size_t) "mayfly "[i % 7] + i / 5000
                             : kind == 1 ? (size_t)random()
                                         : 7);
}

static void it_does_as_zlib(void **state)
{
    (void)state;
    srandom(1);
    for (int kind = 0; kind < 3; kind++)
        for (int level = 0; level <= 9; level++)
            for (int window = -15; window <= -12; window += 3) {
                fill(kind);
                size_t n = pack(level, window);
                compare(n, window, CLUSTER);
                compare(n + 512, window, CLUSTER); /* QEMU gives whole sectors */
                compare(n, window, CLUSTER - 1);   /* more than there is room for */
                compare(n - 1, window, CLUSTER);   /* cut off */
                compare(n / 2, window, CLUSTER);
            }
    fill(0);
    compare(pack(6, 15), 15, CLUSTER); /* not raw: zlib's, with its header */
}

static void damage_is_no_harm(void **state)
{
    (void)state;
    srandom(2);
    for (int i = 0; i < 3000; i++) {
        fill(i % 3);
        size_t n = pack(6, -12);
        for (int k = 0; k <= i % 4; k++)
            packed[(size_t)random() % n] ^= (uint8_t)(1 << random() % 8);
        compare(n, -12, CLUSTER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_as_zlib),
        cmocka_unit_test(damage_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
