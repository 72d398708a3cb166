/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h. */
#include "memory.h"

#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#define PLACES_MAX 4096

static bool watching, noting;
static unsigned calls, fail_at; /* the call that fails, from 1 */
static bool failed;

/* Who has asked, and at which call first: later ones of the same place end as that one. */
static const void *places[PLACES_MAX];
static unsigned first[PLACES_MAX];
static size_t n_places;

static void note(const void *place)
{
    for (size_t i = 0; i < n_places; i++)
        if (places[i] == place)
            return;
    if (n_places == PLACES_MAX)
        abort();
    places[n_places] = place;
    first[n_places++] = calls;
}

bool memory_fails(const void *place)
{
    if (!watching || world_allocates)
        return false;
    calls++;
    if (noting)
        note(place);
    else if (calls == fail_at)
        failed = true;
    return !noting && calls == fail_at;
}

void memory_note(void)
{
    calls = 0;
    n_places = 0;
    watching = noting = true;
}

size_t memory_noted(const unsigned **ret)
{
    watching = noting = false;
    *ret = first;
    return n_places;
}

void memory_fail(unsigned at)
{
    calls = 0;
    fail_at = at;
    failed = false;
    watching = true;
}

bool memory_failed(void)
{
    watching = false;
    return failed;
}

WRAP_ALLOCATIONS
WRAP(void *, reallocarray, NO_MEMORY, (void *old, size_t n, size_t size), (old, n, size))
WRAP(int, mlock, (errno = ENOMEM, -1), (const void *map, size_t size), (map, size))

char *__wrap_str_format(const char *format, ...) _printf_(1, 2);
char *__wrap_str_format(const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    if (memory_fails(__builtin_return_address(0)))
        return NO_MEMORY;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        text = NULL;
    va_end(ap);
    return text;
}
