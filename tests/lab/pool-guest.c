/* SPDX-License-Identifier: Apache-2.0 */
/* As a guest: `pool-guest write SOCKET TEXT` fills the first block of the disk with that text, and syncs it.
 * `pool-guest read SOCKET...` prints the first line of the first block of each. */
#include "bench/front-end.h"
#include "disks/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096

static const struct front_options small = {.queues = 1, .size = 8, .memory_bytes = 1 << 20};

static void end(const char *path, const char *what)
{
    fprintf(stderr, "pool-guest: %s: %s\n", path, what);
    exit(1);
}

static uint8_t *begin(const char *path, struct front *f)
{
    int fd = front_connect(path, 0);
    if (fd < 0)
        end(path, strerror(-fd));
    if (front_open(f, fd, &small) < 0)
        end(path, "does not negotiate");
    return front_room(f, BLOCK_BYTES, BLOCK_BYTES);
}

static void ask(struct front *f, const char *path, uint32_t type, uint8_t *data, size_t bytes)
{
    if (front_do(f, 0, type, 0, data, bytes) != VIRTIO_BLK_S_OK)
        end(path, "a request has failed");
}

static void write_block(const char *path, const char *text)
{
    struct front f;
    uint8_t *data = begin(path, &f);
    size_t length = strlen(text);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        data[i] = i % (length + 1) < length ? (uint8_t)text[i % (length + 1)] : '\n';
    ask(&f, path, VIRTIO_BLK_T_OUT, data, BLOCK_BYTES);
    ask(&f, path, VIRTIO_BLK_T_FLUSH, NULL, 0);
    front_close(&f);
}

static void read_block(const char *path)
{
    struct front f;
    uint8_t *data = begin(path, &f);
    ask(&f, path, VIRTIO_BLK_T_IN, data, BLOCK_BYTES);
    printf("%.*s\n", (int)strcspn((char *)data, "\n"), (char *)data);
    front_close(&f);
}

int main(int argc, char *argv[])
{
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        write_block(argv[2], argv[3]);
    else if (argc >= 3 && strcmp(argv[1], "read") == 0)
        for (int i = 2; i < argc; i++)
            read_block(argv[i]);
    else
        end("usage", "write SOCKET TEXT, or read SOCKET...");
    return 0;
}
