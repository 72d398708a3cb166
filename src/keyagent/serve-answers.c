/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to mayfly: see keys/agent-wire.h. */
#include "keyagent/serve-internal.h"

#include "base/fd.h"
#include "base/packet.h"

int send_answer(const struct connection *c, struct agent_answer *a, const struct error *why, int fd)
{
    if (a->errnum < 0 || a->incomplete < 0) {
        a->parts = why->parts;
        (void)!str_copy(a->text, sizeof a->text, why->text);
    }
    if (c->km && c->km->ops->asker)
        c->km->ops->asker(c->km, &a->asker);
    return packet_send(c->socket, a, sizeof *a, a->errnum < 0 ? -1 : fd);
}

int answer_plain(const struct connection *c, int r, const struct error *why)
{
    struct agent_answer a = {.errnum = r};
    return send_answer(c, &a, why, -1);
}

int answer_records(const struct connection *c, const void *records, size_t n, size_t size)
{
    _cleanup_close_ int fd = -1;
    struct error why = ERROR_NONE;
    struct agent_answer a = {.n = (uint32_t)n};
    if (n > 0 && (a.errnum = fd_memfd("mayfly records", records, n * size, &fd)) < 0)
        error_set(&why, a.errnum, "mayfly-keyagent: cannot answer: %s", strerror(-a.errnum));
    return send_answer(c, &a, &why, fd);
}
