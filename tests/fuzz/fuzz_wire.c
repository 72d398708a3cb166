/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for the broker's server, over the storage in memory: a byte for the operation, one for "of the
 * right size" and "with a descriptor", two for the length, the request; and so on. The lock of one instance
 * is held. */
#include "base/fd.h"
#include "broker/server.h"
#include "fake-storage.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSTANCE    "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e"
#define PACKETS_MAX 64

static const size_t sizes[] = {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) sizeof(struct request),
#include "broker/ops.def"
#undef OP
};

/* Sends one packet; returns how much of the input it took. */
static size_t send_one(int socket, const uint8_t *data, size_t size)
{
    static uint8_t body[UINT16_MAX];
    size_t length = (size_t)(data[2] | data[3] << 8);
    if (length > size - 4)
        length = size - 4;
    memset(body, 0, sizeof(struct op_mark));
    memcpy(body, data + 4, length);
    size_t sent = (data[1] & 1) && data[0] < OP_COUNT ? sizes[data[0]] : length;
    int r = wire_send_request(socket, data[0], body, sent, data[1] & 2 ? STDIN_FILENO : -1);
    return r < 0 ? size : 4 + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct session s = {.config = &config, .locks_path = "/nonexistent/mayfly/locks", .locks = LOCKS_NONE};
    int ends[2];

    config_defaults(&config);
    config.volume_groups.n = 1;
    memcpy(config.volume_groups.item[0], "vg0", sizeof "vg0");
    s.locks.held = malloc(UUID_TEXT);
    memcpy(s.locks.held[s.locks.n++], INSTANCE, UUID_TEXT);
    struct volume v = {.vg = "vg0",
                       .instance = INSTANCE,
                       .disk = INSTANCE,
                       .name = "ci",
                       .role = "root",
                       .cipher = "none",
                       .size_bytes = FAKE_EXTENT_BYTES};
    volume_set_lv_name(&v);
    fake_storage_add(&v);

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        abort();
    for (int i = 0; i < PACKETS_MAX && size > 4; i++) {
        size_t used = send_one(ends[0], data, size);
        data += used;
        size -= used;
    }
    shutdown(ends[0], SHUT_WR);
    int r = server_serve(ends[1], -1, &s, NULL);
    if (r < 0 && r != -EAGAIN) /* nobody reads the answers */
        abort();
    session_end(&s);
    fd_close(ends[0]);
    fd_close(ends[1]);
    fake_storage_clear();
    return 0;
}
