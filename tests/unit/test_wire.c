/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/packet.h"
#include "broker/wire.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void make_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

/* The lowest number that is free: it tells whether descriptors were left open. */
static int next_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void send_fds(int socket, size_t n)
{
    int fds[16];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct iovec part = {.iov_base = (char[]){"x"}, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    m.msg_controllen = CMSG_SPACE(n * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        fds[i] = 0;
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    assert_int_equal(sendmsg(socket, &m, 0), 1);
}

static void a_packet_and_its_descriptor_arrive(void **state)
{
    (void)state;
    int ends[2], got = -1;
    char buffer[64];
    size_t size = 0;
    make_pair(ends);
    _cleanup_close_ int file = -1;
    assert_int_equal(fd_memfd("t", "hello", 5, &file), 0);

    struct op_lock request = {.uuid = "x"};
    assert_int_equal(wire_send_request(ends[0], OP_LOCK, &request, sizeof request, file), 0);
    assert_int_equal(packet_receive(ends[1], buffer, sizeof buffer, &size, &got), 0);
    assert_int_equal(size, sizeof(struct wire_header) + sizeof request);
    assert_int_equal(((struct wire_header *)(void *)buffer)->op, OP_LOCK);
    assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
    char text[5];
    assert_int_equal(fd_pread_all(got, text, 5, 0), 0);
    assert_memory_equal(text, "hello", 5);
    fd_close(got);

    assert_int_equal(packet_send(ends[1], "abc", 3, -1), 0);
    assert_int_equal(packet_receive(ends[0], buffer, sizeof buffer, &size, &got), 0);
    assert_int_equal(size, 3);
    assert_int_equal(got, -1);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

static void more_descriptors_are_refused_and_closed(void **state)
{
    (void)state;
    int ends[2], got = -1;
    char buffer[8];
    size_t size = 0;
    make_pair(ends);
    int before = next_fd();
    for (size_t n = 2; n <= 16; n++) { /* from 9 on, the kernel cuts the list */
        send_fds(ends[0], n);
        assert_int_equal(packet_receive(ends[1], buffer, sizeof buffer, &size, &got), -EPROTO);
        assert_int_equal(next_fd(), before);
    }
    assert_int_equal(got, -1);
    send_fds(ends[0], 1);
    assert_int_equal(packet_receive(ends[1], buffer, sizeof buffer, &size, &got), 0);
    fd_close(got);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

static void what_is_too_long_is_refused_with_its_descriptor(void **state)
{
    (void)state;
    int ends[2], got = -1;
    char buffer[8], packet[100] = {0};
    size_t size = 0;
    make_pair(ends);
    int before = next_fd();
    assert_int_equal(packet_send(ends[0], packet, sizeof packet, 0), 0);
    assert_int_equal(packet_receive(ends[1], buffer, sizeof buffer, &size, &got), -EPROTO);
    assert_int_equal(next_fd(), before);
    fd_close(ends[0]);
    fd_close(ends[1]);
}

static void the_end_is_told(void **state)
{
    (void)state;
    int ends[2], got = -1;
    char buffer[8];
    size_t size = 0;
    make_pair(ends);
    fd_close(ends[0]);
    assert_int_equal(packet_receive(ends[1], buffer, sizeof buffer, &size, &got), -ECONNRESET);
    assert_int_equal(packet_send(ends[1], "x", 1, -1), -ECONNRESET);
    fd_close(ends[1]);
}

#define I "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e"

static void names_are_judged(void **state)
{
    (void)state;
    static const struct volume_ref good[] = {
        {"vg0", I "_disk"}, {"vg-0.a+b_c", I "_disk.eph0"}, {"v", I "_disk.swap"}};
    static const struct volume_ref bad[] = {{"", I "_disk"},
                                            {"-vg", I "_disk"},
                                            {".", I "_disk"},
                                            {"..", I "_disk"},
                                            {"a/b", I "_disk"},
                                            {"vg0", ""},
                                            {"vg0", I},
                                            {"vg0", I "_disks"},
                                            {"vg0", I "_disk."},
                                            {"vg0", I "_disk./"},
                                            {"vg0", I "_disk.a/b"},
                                            {"vg0", I "_disk.."},
                                            {"vg0", "../" I "_disk"},
                                            {"vg0", I "_disk.a.b"},
                                            {"vg 0", I "_disk"},
                                            {"vg0", I "_disk "},
                                            {"vg0", "6E3A5A1E-0C8F-4F0E-9D38-0B3F5F6C7D8E_disk"},
                                            {"vg0", I "-disk"}};
    struct error e = ERROR_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_ok(volume_ref_check(&good[i], &e), e);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (volume_ref_check(&bad[i], NULL) != -EINVAL)
            fail_msg("%s/%s was let through", bad[i].vg, bad[i].lv);

    struct volume_ref endless = good[0];
    memset(endless.vg, 'a', sizeof endless.vg);
    assert_int_equal(volume_ref_check(&endless, NULL), -EPROTO);
    endless = good[0];
    memset(endless.lv + UUID_TEXT + 4, 'a', sizeof endless.lv - UUID_TEXT - 4);
    assert_int_equal(volume_ref_check(&endless, NULL), -EPROTO);

    char instance[UUID_TEXT];
    volume_ref_instance(&good[1], instance);
    assert_string_equal(instance, I);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_and_its_descriptor_arrive),
        cmocka_unit_test(more_descriptors_are_refused_and_closed),
        cmocka_unit_test(what_is_too_long_is_refused_with_its_descriptor),
        cmocka_unit_test(the_end_is_told),
        cmocka_unit_test(names_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
