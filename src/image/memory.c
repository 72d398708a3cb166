/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the contents of an image. See image-internal.h. */
#include "image/image-internal.h"

#include <string.h>
#include <sys/mman.h>

int image_memory_new(struct image_memory *m, size_t bytes, bool locked, const char *name, struct error *e)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return error_memory(e);
    *m = (struct image_memory){.data = memory, .bytes = bytes, .locked = locked};
    if (!locked)
        return 0;
    if (mlock(memory, bytes) < 0 || madvise(memory, bytes, MADV_DONTDUMP) < 0 ||
        madvise(memory, bytes, MADV_DONTFORK) < 0)
        return error_set(e, errno == ENOMEM || errno == EAGAIN ? EPERM : errno,
                         "image %.200s: %zu KiB for its plaintext cannot be locked into RAM; raise "
                         "RLIMIT_MEMLOCK, see ulimit -l",
                         name, bytes >> 10);
    return 0;
}

void image_memory_free(struct image_memory *m)
{
    if (!m->data)
        return;
    if (m->locked)
        explicit_bzero(m->data, m->bytes);
    munmap(m->data, m->bytes);
    *m = (struct image_memory){.data = NULL};
}
