/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the real broker, and its answer. See client-call.h, and wire.h for the packets.
 *
 * The form of an answer is checked although the other end is root: a broker of another version, or one that
 * died, must end in a sentence. A key crosses in memory that is wiped when the answer is there.
 */
#include "broker/client-call.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "base/process.h"

#include <poll.h>

#define GONE_DEADLINE_MSEC 1000 /* for a broker that has closed the connection by itself */

/* Says why the connection broke, if that can be known. */
static int error_gone(struct remote *b, struct error *e)
{
    if (b->closing.errnum)
        return error_pass(e, b->closing.errnum, &b->closing);
    if (b->pid == 0)
        return error_set(e, -ECONNRESET,
                         "mayfly-broker: ended in the middle of a request; see journalctl -t "
                         "mayfly-broker");
    char text[64] = "did not end";
    int status = process_wait(b->pid, GONE_DEADLINE_MSEC);
    b->pid = 0;
    if (status >= 0)
        process_status_text(status, text, sizeof text);
    return error_set(e, -ECONNRESET, "mayfly-broker: %s in the middle of a request", text);
}

static int abandon(struct remote *b, int r, const char *operation, unsigned waited_sec, struct error *e)
{
    b->abandoned = true;
    b->socket = fd_close(b->socket);
    return error_set(e, r,
                     "mayfly-broker: %s has not ended after %u seconds, and is not waited for any longer; it "
                     "goes on to its end, and what it works on stays locked until then; is a disk slow or "
                     "stuck? see dmesg, then run mayfly recover",
                     operation, waited_sec);
}

/* Waits for an answer, or the end of the connection. LVM takes as long as its disks do, so the caller is
 * asked every second whether to go on. */
static int wait_for_answer(struct remote *b, const char *operation, struct error *e)
{
    struct pollfd p = {.fd = b->socket, .events = POLLIN};
    uint64_t begin = clock_msec();
    for (int r = 0; (r = poll(&p, 1, 1000)) <= 0;) {
        unsigned waited_sec = (unsigned)((clock_msec() - begin) / 1000);
        if (r < 0 && errno != EINTR)
            return error_set(e, errno, "mayfly-broker: cannot be waited for: %m");
        r = b->base.patience ? b->base.patience(b->base.patience_data, operation, waited_sec) : 0;
        if (r < 0)
            return abandon(b, r, operation, waited_sec, e);
    }
    return 0;
}

static int receive_answer(struct remote *b, const struct wire_operation *o, struct answer *a, int *ret_fd,
                          struct error *e)
{
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    int r = wait_for_answer(b, o->name, e);
    if (r < 0)
        return r;
    r = packet_receive(b->socket, a, sizeof *a, &size, &fd);
    if (r == -ECONNRESET)
        return error_gone(b, e);
    if (r < 0)
        return error_set(e, r, "mayfly-broker: its answer cannot be read: %s", strerror(-r));
    if (size != sizeof *a || a->version != wire_version || a->errnum > 0)
        return error_set(e, -EPROTO,
                         "mayfly-broker: is of another version; install both programs of one version "
                         "of Mayfly");
    a->text[sizeof a->text - 1] = '\0';
    if (a->errnum < 0)
        return error_receive(e, a->errnum, a->text, &a->parts);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int exchange(struct remote *b, enum op op, const void *request, int key_fd, struct answer *a,
                    int *ret_fd, struct error *e)
{
    const struct wire_operation *o = &wire_operations[op];
    if (b->abandoned)
        return error_set(e, -ECONNRESET,
                         "mayfly-broker: is still at work on an earlier request; run mayfly recover later");
    b->last_msec = clock_msec();
    int r = wire_send_request(b->socket, op, request, o->request_bytes, key_fd);
    if (r == -ECONNRESET) { /* it may have said why before it went */
        r = receive_answer(b, o, a, ret_fd, e);
        return r < 0 ? r : error_gone(b, e);
    }
    if (r < 0)
        return error_set(e, r, "mayfly-broker: cannot send the request: %s", strerror(-r));
    return receive_answer(b, o, a, ret_fd, e);
}

int remote_ask(struct remote *b, enum op op, const void *request, const struct secret *key,
               struct remote_reply *ret, struct error *e)
{
    _cleanup_handover_ struct secret_handover *handover = NULL;
    _cleanup_close_ int fd = -1;
    struct answer a;
    int r = key ? secret_handover(key, &handover, e) : 0;
    if (r == 0)
        r = exchange(b, op, request, key ? secret_handover_fd(handover) : -1, &a, &fd, e);
    if (r < 0)
        return r;
    if ((fd >= 0) != wire_operations[op].gives_fd)
        return error_set(e, -EPROTO, "mayfly-broker: answered with%s a descriptor",
                         wire_operations[op].gives_fd ? "out" : "");
    if (ret)
        *ret = (struct remote_reply){.a = a, .fd = TAKE_FD(fd)};
    return 0;
}
