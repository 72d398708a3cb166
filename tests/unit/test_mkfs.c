/* SPDX-License-Identifier: Apache-2.0 */
/* The real programs, on a file full of noise, as a fresh map is. */
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "broker/sandbox.h"
#include "storage/file-systems.h"
#include "storage/mkfs.h"
#include "unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_BYTES (320LL << 20) /* xfs takes no less than 300 MiB */

/* --wrap: each program runs in the sandbox of mkfs. */
static bool outside;

int __real_process_run_prepared(int input, int (*prepare)(void), const char *const argv[],
                                unsigned deadline_sec, char **ret, struct error *e);
int __wrap_process_run_prepared(int input, int (*prepare)(void), const char *const argv[],
                                unsigned deadline_sec, char **ret, struct error *e);
int __wrap_process_run_prepared(int input, int (*prepare)(void), const char *const argv[],
                                unsigned deadline_sec, char **ret, struct error *e)
{
    outside = prepare != sandbox_mkfs;
    return __real_process_run_prepared(input, prepare, argv, deadline_sec, ret, e);
}

static ino_t synced; /* the last file that this process has synced; the programs' own do not count */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    synced = st.st_ino;
    return __real_fsync(fd);
}

static char path[] = "/tmp/test-mkfs.XXXXXX";

static void has(const char *fs, const char *label)
{
    char noise[1 << 16];
    struct error e = ERROR_NONE;
    _cleanup_free_ char *found = NULL, *type = str_format("TYPE=\"%s\"", fs),
                        *name = str_format("LABEL=\"%s\"", label);
    _cleanup_close_ int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);

    assert_int_equal(getrandom(noise, sizeof noise, 0), sizeof noise);
    for (int i = 0; i < 32; i++)
        assert_int_equal(fd_write_all(fd, noise, sizeof noise), 0);
    assert_int_equal(ftruncate(fd, SIZE_BYTES), 0);
    outside = true;
    synced = 0;
    assert_ok(
        mkfs_make(&(struct mkfs){.fs = fs, .label = label, .noise = true, .prepare = sandbox_mkfs}, path, &e),
        e);
    assert_false(outside);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, SIZE_BYTES);
    assert_int_equal(synced, st.st_ino); /* it is there after a power cut, when it is said to be ready */

    const char *blkid[] = {"blkid", "-p", path, NULL};
    assert_ok(process_run(blkid, 10, &found, &e), e);
    if (!strstr(found, type) && !streq(fs, "vfat"))
        fail_msg("no %s in: %s", type, found);
    if (*label && !strstr(found, name))
        fail_msg("no %s in: %s", name, found);
}

static void each_kind_is_made(void **state)
{
    (void)state;
    has("ext4", "ephemeral0");
    has("ext4", "");
    has("xfs", "ephemeral0");
    has("swap", "swap-1");
}

static void vfat_has_sectors_of_512_bytes_and_is_sound(void **state)
{
    (void)state;
    uint8_t sector[512];
    struct error e = ERROR_NONE;
    const char *fsck[] = {"fsck.vfat", "-n", path, NULL};
    has("vfat", "EPHEMERAL0");
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_pread_all(fd, sector, sizeof sector, 0), 0);
    assert_int_equal(sector[11] | sector[12] << 8, 512);
    assert_ok(process_run(fsck, 10, NULL, &e), e);
}

/* Its tables would fill the host's memory. */
static void a_vfat_has_a_limit(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_int_equal(truncate(path, (off_t)file_system_find("vfat")->max_bytes + 512), 0);
    assert_error(mkfs_make(&(struct mkfs){.fs = "vfat", .label = "", .noise = true}, path, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "256 GiB"));
}

static void labels_are_judged(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"ext4", "a b"},          {"ext4", "a/b"}, {"ext4", "-n"}, {"vfat", "abcdefghijkl"},
        {"xfs", "abcdefghijklm"}, {"ext3", ""},    {"", ""},       {"swap", "a\n"}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(mkfs_check(bad[i][0], bad[i][1], NULL), -EINVAL);
}

static int make_file(void **state)
{
    (void)state;
    return fd_close(mkstemp(path)) == -1 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_made),
        cmocka_unit_test(vfat_has_sectors_of_512_bytes_and_is_sound),
        cmocka_unit_test(a_vfat_has_a_limit),
        cmocka_unit_test(labels_are_judged),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
