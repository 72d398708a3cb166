/* SPDX-License-Identifier: Apache-2.0 */
/* broker-suite PROGRAM VG OTHER-VG (groups of lab_vg): the suite of all brokers, over mayfly-broker with LVM
 * and dm-crypt. */
#include "broker-suite.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *program;

static struct broker *fork_broker(void)
{
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    assert_ok(broker_fork(program, NULL, &b, &e), e);
    return b;
}

static void add_stranger(const char *lv, uint64_t size_bytes)
{
    _cleanup_free_ char *command =
        str_format("lvcreate -qq -Wy -Zy -y -n %s -L %llub %s && head -c %llu /dev/zero >/dev/%s/%s", lv,
                   (unsigned long long)size_bytes, suite.vg, (unsigned long long)size_bytes, suite.vg, lv);
    assert_int_equal(system(command), 0);
}

/* libvirt's folder of this machine, if there is one. */
static int sync_domains(void)
{
    _cleanup_close_ int fd = open("/etc/libvirt/qemu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : 0;
}

static bool has_node(const char *map)
{
    char path[DEVICE_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "/dev/mapper/%s", map);
    return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {BROKER_SUITE};
    if (argc != 4)
        return EXIT_USAGE;
    program = argv[1];
    suite = (struct broker_suite){.connect = fork_broker,
                                  .vg = argv[2],
                                  .extent_bytes = 1 << 20,
                                  .other_vg = argv[3],
                                  .add_stranger = add_stranger,
                                  .has_node = has_node,
                                  .sync_domains = sync_domains};
    return cmocka_run_group_tests_name("mayfly-broker", tests, NULL, NULL);
}
