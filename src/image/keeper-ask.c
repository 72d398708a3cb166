/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the process that makes the file. See keeper.h. */
#include "image/keeper-internal.h"

#include "base/fd.h"
#include "base/packet.h"
#include "base/str.h"

int image_keeper_ask(struct image_keeper *k, enum keeper_task task, const char *path, int *ret_fd,
                     struct error *e)
{
    struct keeper_question q = {.task = task};
    struct keeper_answer a;
    size_t size = 0;
    _cleanup_close_ int fd = -1;
    if (path && (*path == '\0' || str_copy(q.path, sizeof q.path, path) < 0))
        return error_set(e, -EINVAL, "file %.200s: cannot be made: its path is empty or too long", path);
    int r = packet_send(k->socket, &q, sizeof q, -1);
    if (r == 0)
        r = packet_receive(k->socket, &a, sizeof a, &size, &fd);
    if (r < 0 || size != sizeof a)
        return error_set(e, r < 0 ? r : -EPROTO, "the process that makes the file is gone");
    if (a.result < 0)
        return error_receive(e, a.result, a.text, &a.parts);
    if (ret_fd)
        *ret_fd = TAKE_FD(fd);
    return 0;
}
