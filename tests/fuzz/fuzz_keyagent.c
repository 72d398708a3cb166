/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile mayfly may send to mayfly-keyagent: any packets, with any descriptors. The key manager
 * behind it looks that what reaches it has its ends, and no descriptor is left open. The first byte: does the
 * manager refuse, and is there a good hello? */
#include "base/str.h"
#include "fake-manager.h"
#include "keyagent/serve.h"
#include "packets.h"

#define OWNER       "6f1e8a8e-0000-4000-8000-000000000000"
#define PACKETS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_hello(const struct step *s, int socket)
{
    static struct agent_hello hello;
    hello = (struct agent_hello){.version = agent_version, .manager = "fake", .cloud = "lab"};
    config_defaults(&hello.config);
    step_send(s, socket, &hello, sizeof hello, -1);
}

/* The good request that the step begins with; GIVE comes for each kind of gift. */
static void send_request(const struct step *s, int socket)
{
    static const char token[64] = "to-ken";
    struct key_info want[2] = {{.owner = OWNER, .vg = "vg0", .bits = 512},
                               {.owner = OWNER, .vg = "vg0", .bits = 256}};
    struct agent_request q = {.op = s->which % (AGENT_DONE + 1u),
                              .n = s->which / (AGENT_DONE + 1u) % AGENT_GIFTS,
                              .size = sizeof token,
                              .id = OWNER,
                              .user = "u"};
    struct agent_id ids[2] = {{OWNER}, {"1"}};
    int fd = -1;
    if (q.op == AGENT_FETCH || q.op == AGENT_MAY_DESTROY || q.op == AGENT_DESTROY) {
        q.n = ARRAY_SIZE(ids);
        if (s->flags & STEP_ON_FILE)
            step_lay(s, ids, sizeof ids);
        if (fd_memfd("ids", ids, sizeof ids, &fd) < 0)
            abort();
    } else if (q.op == AGENT_CREATE) {
        q.n = ARRAY_SIZE(want);
        if (s->flags & STEP_ON_FILE)
            step_lay(s, want, sizeof want);
        if (fd_memfd("wants", want, sizeof want, &fd) < 0)
            abort();
    } else if (q.op == AGENT_GIVE)
        fd = step_sealed_file(token, sizeof token);
    step_send(s, socket, &q, sizeof q, fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s = {.flags = 0};
    int ends[2], next = step_next_fd();
    if (size == 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        abort();
    *fake_manager() = (struct fake_manager){.refuses = (data[0] & 5) == 5, .refuses_keys = data[0] & 1};
    if (data[0] & 2)
        send_hello(&s, ends[0]);
    data++;
    size--;
    for (int i = 0; i < PACKETS_MAX && step_take(&data, &size, &s); i++)
        if (s.which == UINT8_MAX)
            send_hello(&s, ends[0]);
        else
            send_request(&s, ends[0]);
    shutdown(ends[0], SHUT_WR);
    (void)!keyagent_serve(ends[1], NULL, NULL);
    fd_close(ends[0]);
    fd_close(ends[1]);
    if (step_next_fd() != next || fake_manager()->open)
        abort();
    return 0;
}
