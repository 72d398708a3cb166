/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that does nothing wakes nobody: keeper and worker sleep without a limit, and each queue does. */
#include "bench/front-end.h"
#include "crypt/cipher.h"
#include "served.h"

#include "unit.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#define DISK_BYTES ((uint64_t)1 << 20)
#define QUEUES     2
#define TRIES      60000 /* of a millisecond */

static unsigned *asleep; /* threads of all processes of this program that wait for ever */

int __real_poll(struct pollfd *fds, nfds_t n, int msec);
int __wrap_poll(struct pollfd *fds, nfds_t n, int msec);
int __wrap_poll(struct pollfd *fds, nfds_t n, int msec)
{
    if (msec < 0)
        __atomic_add_fetch(asleep, 1, __ATOMIC_SEQ_CST);
    int r = __real_poll(fds, n, msec);
    if (msec < 0)
        __atomic_sub_fetch(asleep, 1, __ATOMIC_SEQ_CST);
    return r;
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size);
int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int msec, size_t size)
{
    (void)size;
    return __wrap_poll(fds, n, msec);
}

/* All of them do, and stay so. */
static void all_sleep(unsigned wanted)
{
    for (int i = 0; i < TRIES && __atomic_load_n(asleep, __ATOMIC_SEQ_CST) != wanted; i++)
        usleep(1000);
    assert_int_equal(__atomic_load_n(asleep, __ATOMIC_SEQ_CST), wanted);
}

static void work(struct front *f, uint8_t *data)
{
    for (unsigned q = 0; q < QUEUES; q++) {
        assert_int_equal(front_do(f, q, VIRTIO_BLK_T_OUT, 0, data, 4096), VIRTIO_BLK_S_OK);
        assert_int_equal(front_do(f, q, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
        assert_int_equal(front_do(f, q, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    }
}

static void nobody_wakes_for_an_idle_guest(void **state)
{
    static const struct front_options front = {.queues = QUEUES, .size = 16, .memory_bytes = 4 << 20};
    const struct served_options disk = {
        .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = QUEUES, .poll_usec = 50, .folder = *state};
    struct served s;
    struct front f;
    *asleep = 0;
    served_start(&s, &disk);
    all_sleep(2); /* keeper, worker: no front end has come */
    assert_int_equal(front_open(&f, served_connect(&s), &front), 0);
    uint8_t *data = front_room(&f, 4096, 4096);
    all_sleep(2 + QUEUES);
    work(&f, data);
    all_sleep(2 + QUEUES);
    front_close(&f);
    all_sleep(2);
    assert_int_equal(served_stop(&s), 0);
}

int main(void)
{
    static char on_disk[] = "/var/tmp", in_memory[] = "/dev/shm";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(nobody_wakes_for_an_idle_guest, on_disk),
        cmocka_unit_test_prestate(nobody_wakes_for_an_idle_guest, in_memory), /* transfers at once */
    };
    struct error e = ERROR_NONE;
    asleep = mmap(NULL, sizeof *asleep, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (asleep == MAP_FAILED || cipher_begin(&e) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
