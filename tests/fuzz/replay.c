/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a fuzzer without libFuzzer: nothing at all, and then each file of the folders below the one
 * that is named. So every build, with any compiler, sees that the fuzzers can be built and take their seeds.
 */
#include "base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#define SEED_MAX ((size_t)1 << 20)

static unsigned replayed;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *text, size_t size)
{
    _cleanup_free_ uint8_t *data =
        calloc(size ? size : 1, 1); /* of the exact size, so that a read beyond it shows */
    if (!data)
        abort();
    memcpy(data, text, size);
    LLVMFuzzerTestOneInput(data, size);
    replayed++;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *place)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    (void)st;
    (void)place;
    if (type != FTW_F)
        return 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fd_read_text(fd, SEED_MAX, &text, &size) < 0) {
        perror(path);
        return 1;
    }
    replay(text, size);
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fprintf(stderr, "Usage: replay SEEDS\n");
        return 1;
    }
    replay("", 0);
    int r = nftw(argv[1], visit, 8, FTW_PHYS);
    printf("%u inputs\n", replayed);
    return r == 0 && replayed > 1 ? 0 : 1;
}
