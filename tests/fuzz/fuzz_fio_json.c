/* SPDX-License-Identifier: Apache-2.0 */
/* What fio printed, of a job that reads and of one that writes. */
#include "bench/fio-json.h"

#include "text.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    for (int writes = 0; writes < 2; writes++) {
        struct error e = ERROR_NONE;
        struct measured found = {.ios = 0};
        int r = fio_parse(text, writes, &found, &e);
        if ((r == 0) != (found.ios > 0) || (r < 0) != (e.errnum != 0) || !isfinite(found.figures.iops) ||
            found.figures.p999_usec < 0)
            abort();
    }
    free(text);
    return 0;
}
