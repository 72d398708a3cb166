/* SPDX-License-Identifier: Apache-2.0 */
/* What a front end sends, to a worker and then another, over a disk in memory: a byte for how many
 * descriptors come with it, and of what kind; two for the length; the message, from its header on; and so on.
 */
#include "base/fd.h"
#include "crypt/cipher.h"
#include "disks/device.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISK_BYTES   65536
#define MEMORY_BYTES 65536
#define MESSAGES_MAX 32
#define CHANGE_AFTER 8 /* messages, before another worker goes on */

static struct disk *the_disk(void)
{
    static struct disk d = {.id = "fuzzed", .key_fd = -1, .sector_bytes = 512, .queues = 2, .mark = -1};
    struct error e;
    if (d.unit_bytes)
        return &d;
    d.fd = fd_memfd_empty("disk", 0);
    if (cipher_begin(&e) < 0 || ftruncate(d.fd, DISK_BYTES) < 0 || disk_look(&d, &e) < 0 ||
        disk_begin(&d, &e) < 0)
        abort();
    return &d;
}

static void send_bytes(int socket, const uint8_t *data, size_t size, const int *fds, unsigned n)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(16 * sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)data, size};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    if (n > 0) {
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    if (size > 0 && sendmsg(socket, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

/* Sends one message; returns how much of the input it took. */
static size_t send_one(int socket, const uint8_t *data, size_t size, int memory, int event)
{
    int fds[9];
    size_t length = (size_t)(data[1] | data[2] << 8);
    if (length > size - 3)
        length = size - 3;
    unsigned n = (data[0] & 15) % 10;
    for (unsigned i = 0; i < n; i++)
        fds[i] = data[0] & 16 ? event : memory;
    send_bytes(socket, data + 3, length, fds, n);
    return 3 + length;
}

static void forget_answers(int socket)
{
    char answer[512];
    while (recv(socket, answer, sizeof answer, MSG_DONTWAIT) > 0) {
    }
}

struct session {
    struct device device;
    struct connection connection; /* the keeper's */
    int keeper, worker;           /* note_pair() */
};

static void session_begin(struct session *s, int socket)
{
    if (note_pair(&s->keeper, &s->worker) < 0 || connection_new(&s->connection) < 0)
        abort();
    s->connection.socket = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    device_init(&s->device, the_disk(), 0, s->worker);
    device_connect(&s->device, socket);
}

static void session_end(struct session *s)
{
    device_leave(&s->device);
    connection_free(&s->connection);
    fd_close(s->keeper);
    fd_close(s->worker);
}

/* Does what the keeper would. */
static void take_note(struct session *s)
{
    struct note n;
    if (note_receive(s->keeper, &n) < 0)
        abort();
    if (n.kind == NOTE_HANDLED)
        connection_handled(&s->connection, &n);
    s->device.awaits_keeper = false;
    note_end(&n);
}

/* Another worker goes on. */
static void change_worker(struct session *s)
{
    int socket = fcntl(s->connection.socket, F_DUPFD_CLOEXEC, 3);
    device_leave(&s->device);
    device_adopt(&s->device, &s->connection);
    s->connection.socket = socket;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct session session;
    int ends[2];
    int memory = fd_memfd_empty("guest", 0), event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 || memory < 0 ||
        ftruncate(memory, MEMORY_BYTES) < 0)
        abort();
    session_begin(&session, ends[1]);
    for (int i = 0; i < MESSAGES_MAX && size > 3; i++) {
        size_t used = send_one(ends[0], data, size, memory, event);
        data += used;
        size -= used;
    }
    shutdown(ends[0], SHUT_WR); /* so nobody waits for the rest of a message */
    for (int i = 0; session.device.socket >= 0; i++) {
        if (i == CHANGE_AFTER)
            change_worker(&session);
        if (session.device.socket >= 0)
            device_receive(&session.device);
        take_note(&session);
        forget_answers(ends[0]);
    }
    session_end(&session);
    fd_close(ends[0]);
    fd_close(memory);
    fd_close(event);
    return 0;
}
