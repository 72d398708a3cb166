/* SPDX-License-Identifier: Apache-2.0 */
/* The real client and the real server, over the storage in memory: that double passes the suite which LVM and
 * device-mapper pass in the lab. */
#include "broker-suite.h"
#include "broker-threads.h"
#include "fake-storage.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static void add_stranger(const char *lv, uint64_t size_bytes)
{
    struct volume v = {.size_bytes = size_bytes};
    snprintf(v.vg, sizeof v.vg, "%s", suite.vg);
    snprintf(v.lv, sizeof v.lv, "%s", lv);
    snprintf(v.instance, sizeof v.instance, "%.36s", lv);
    fake_storage_add_stranger(&v);
}

/* libvirt's folder of this machine, if there is one. */
static int sync_domains(void)
{
    _cleanup_close_ int fd = open("/etc/libvirt/qemu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {BROKER_SUITE};
    suite = (struct broker_suite){.connect = broker_threads_connect,
                                  .ended = broker_threads_wait,
                                  .vg = "vg0",
                                  .extent_bytes = 4 << 20,
                                  .other_vg = "vg1",
                                  .add_stranger = add_stranger,
                                  .sync_domains = sync_domains};
    return cmocka_run_group_tests_name("the server over the storage in memory", tests, broker_threads_begin,
                                       broker_threads_end);
}
