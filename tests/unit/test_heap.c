/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of mayfly-keyagent wipes what is freed: this program has it too, and searches its own memory. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATTERN_SIZE 48

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

extern void __libc_free(void *block); /* as it would be without our heap */

/* Nowhere in the program in this form; only where pattern_write() puts it. */
static const uint8_t hidden[PATTERN_SIZE] = "zG-9w4-heap-test-pattern-not-to-be-found-q7Xk2b";

static uint8_t pattern_byte(size_t i)
{
    return (uint8_t)(((const volatile uint8_t *)hidden)[i] ^ (0xa5 + 3 * i));
}

static void pattern_write(volatile uint8_t *to)
{
    for (size_t i = 0; i < PATTERN_SIZE; i++)
        to[i] = pattern_byte(i);
}

/* How often the end of the pattern is in [from, from + size): the beginning of a freed block is overwritten
 * by glibc's lists in any case. */
static size_t search_range(int mem, uint64_t from, uint64_t size)
{
    static uint8_t window[1 << 16];
    const size_t skip = 16, tail = PATTERN_SIZE - skip;
    size_t found = 0;
    for (uint64_t at = 0; at < size; at += sizeof window - tail) {
        uint64_t want = size - at < sizeof window ? size - at : sizeof window;
        ssize_t n = pread(mem, window, want, (off_t)(from + at));
        for (ssize_t i = 0; i + (ssize_t)tail <= n; i++) {
            size_t same = 0;
            while (same < tail && window[i + (ssize_t)same] == pattern_byte(skip + same))
                same++;
            found += same == tail;
        }
    }
    explicit_bzero(window, sizeof window);
    return found;
}

static size_t search_memory(void)
{
    static char line[1024], buffer[8192];
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_true(mem >= 0);
    assert_non_null(maps);
    setvbuf(maps, buffer, _IOFBF, sizeof buffer);
    size_t found = 0;
    while (fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        char mode[5];
        if (sscanf(line, "%llx-%llx %4s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w')
            found += search_range(mem, from, to - from);
    }
    fclose(maps);
    close(mem);
    return found;
}

/* tcache, unsorted bin, a mapping of its own */
static const size_t sizes[] = {64, 1000, 5000, 300000};

static void the_search_finds_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(search_memory(), 0);
    uint8_t *guard = NULL;
    for (size_t i = 0; i < 3; i++) {
        uint8_t *block = malloc(sizes[i]);
        guard = malloc(64); /* so that the block stays apart from the free end of the heap */
        assert_non_null(block);
        pattern_write(block + sizes[i] - PATTERN_SIZE);
        assert_int_equal(search_memory(), 1);
        __libc_free(block);
        assert_int_equal(search_memory(), 1); /* without our heap it stays */
        block = malloc(sizes[i]);
        assert_non_null(block);
        memset(block, 0, sizes[i]);
        free(block);
        free(guard);
    }
    assert_int_equal(search_memory(), 0);
}

static void what_is_freed_is_wiped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *block = malloc(sizes[i]);
        assert_non_null(block);
        pattern_write(block + sizes[i] - PATTERN_SIZE);
        assert_int_equal(search_memory(), 1);
        free(block);
        assert_int_equal(search_memory(), 0);
    }
}

/* Contents move along, and stay nowhere else; up, down, and with glibc's own use of it (getline). */
static void what_is_resized_is_moved(void **state)
{
    (void)state;
    static const size_t to[] = {200, 4000, 100000, 500000, 80, 64};
    uint8_t *block = malloc(64);
    assert_non_null(block);
    pattern_write(block);
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        uint8_t *moved = i % 2 ? reallocarray(block, 2, to[i] / 2) : realloc(block, to[i]);
        assert_non_null(moved);
        block = moved;
        assert_int_equal(search_memory(), 1);
        for (size_t k = 0; k < PATTERN_SIZE; k++)
            assert_int_equal(block[k], pattern_byte(k));
    }
    block = realloc(block, 16);
    assert_non_null(block);
    assert_int_equal(search_memory(), 0);
    free(block);
    size_t too_many = SIZE_MAX / 2; /* not known to be so by the compiler */
    assert_null(reallocarray(NULL, *(volatile size_t *)&too_many, 3));
}

static void glibc_frees_by_it(void **state)
{
    (void)state;
    char name[] = "/tmp/mayfly-heap-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    FILE *f = fdopen(fd, "w+");
    assert_non_null(f);
    uint8_t pattern[PATTERN_SIZE];
    pattern_write(pattern);
    assert_int_equal(fwrite(pattern, 1, sizeof pattern, f), sizeof pattern);
    explicit_bzero(pattern, sizeof pattern);
    fflush(f);
    assert_true(search_memory() > 0); /* in the stream's buffer */
    fclose(f);
    assert_int_equal(search_memory(), 0);
}

int main(void)
{
#ifdef SANITIZED
    return 77; /* the sanitizer's heap is not ours */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_what_is_there),
        cmocka_unit_test(what_is_freed_is_wiped),
        cmocka_unit_test(what_is_resized_is_moved),
        cmocka_unit_test(glibc_frees_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
