/* SPDX-License-Identifier: Apache-2.0 */
/* Has qemu-img make an empty image in a file that we have made. See qemu.h. */
#include "base/str.h"
#include "image/qemu.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>

#define MAKE_LIMIT_SEC 120 /* long, since LUKS measures for a while how fast this host is */
#define MAKE_TRIES     20

static int create_once(const struct qemu_view *v, const char *format, const char *options, const char *name,
                       uint64_t size_bytes, bool *ret_again, struct error *e)
{
    char size[24], field[4096], status_text[64];
    const char *argv[] = {"qemu-img", "create",      "-q",           "-f", format, "-o",
                          options,    v->key_option, qemu_file_name, size, NULL};
    _cleanup_(qemu_end) struct qemu q = QEMU_NONE;

    snprintf(size, sizeof size, "%" PRIu64, size_bytes);
    int r = qemu_start(v, argv, -1, &q, e);
    if (r < 0)
        return r;
    int status = qemu_wait(&q, MAKE_LIMIT_SEC * 1000);
    if (status == 0)
        return 0;
    if (status == -ETIMEDOUT)
        return error_set(e, status, "image %.200s: cannot be made: qemu-img needs more than %d seconds", name,
                         MAKE_LIMIT_SEC);
    const char *words = qemu_last_words(&q, field, sizeof field);
    *ret_again = strstr(words, "accurate CPU usage") != NULL;
    return error_set(e, -EIO, "image %.200s: cannot be made: qemu-img%s %.250s", name, *words ? ":" : "",
                     *words ? words : qemu_status_text(status, status_text, sizeof status_text));
}

/* Makes an image. Tries again when QEMU 7.2 fails, as it does when the kernel counts the first milliseconds
 * of its measurement as system time. */
int qemu_create(const struct qemu_view *v, const char *format, const char *options, const char *name,
                uint64_t size_bytes, struct error *e)
{
    for (int tries = 1;; tries++) {
        struct error why = ERROR_NONE;
        bool again = false;
        int r = create_once(v, format, options, name, size_bytes, &again, &why);
        if (r == 0 || !again || tries == MAKE_TRIES)
            return r < 0 ? error_pass(e, r, &why) : 0;
    }
}
