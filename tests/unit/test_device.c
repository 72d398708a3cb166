/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of volumes and maps, over device-mapper in memory: a node is believed only if the kernel names the
 * device that was meant. */
#include "fake-dm.h"
#include "unit.h"
#include "volume-sample.h"

#include "base/fd.h"
#include "broker/device.h"
#include "broker/operations.h"
#include "storage/dmcrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- nodes: files in memory, of which the kernel says that they are devices ---- */

static const struct fake_dm_device *leads_to; /* each node; NULL: the one that it should */
static bool no_kernel_nodes;                  /* /dev has no dm-N */
static int opened_fd = -1;
static dev_t opened_device;
static int opened_access;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    const struct fake_dm_device *d = leads_to;
    unsigned number = 0;
    if (!str_starts(path, "/dev/"))
        return __real_open64(path, flags);
    if (sscanf(path, "/dev/dm-%u", &number) == 1 && no_kernel_nodes)
        return errno = ENOENT, -1;
    for (size_t i = 0; !d && i < fake_dm.n_devices; i++)
        if (number ? minor(fake_dm.devices[i].device) == number : streq(path, "/dev/vg0/of-its-name"))
            d = &fake_dm.devices[i];
    if (!d)
        return errno = ENXIO, -1;
    opened_access = flags & O_ACCMODE;
    opened_device = d->device;
    return opened_fd = memfd_create("node", MFD_CLOEXEC);
}

int __wrap___open64_2(const char *path, int flags); /* with _FORTIFY_SOURCE */
int __wrap___open64_2(const char *path, int flags)
{
    return __wrap_open64(path, flags);
}

int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st)
{
    int r = __real_fstat64(fd, st);
    if (r == 0 && fd == opened_fd) {
        st->st_mode = S_IFBLK | 0600;
        st->st_rdev = opened_device;
    }
    return r;
}

static struct volume v;
static struct fake_dm_device *volume, *map;

static int begin(void **state)
{
    char name[MAP_NAME_MAX], uuid[MAP_UUID_MAX];
    (void)state;
    fake_dm_clear();
    leads_to = NULL;
    no_kernel_nodes = false;
    v = sample_volume();
    volume_map_name(&v, name);
    snprintf(uuid, sizeof uuid, MAP_UUID_PREFIX "%s", v.disk);
    volume = fake_dm_add("vg0-11111111--1111--4111--8111--111111111111_disk.eph0", "LVM-abc", 2048, "linear",
                         makedev(8, 0));
    map = fake_dm_add(name, uuid, 2048, "crypt", volume->device);
    return 0;
}

static void assert_opened(int fd, const struct fake_dm_device *d, int access)
{
    assert_int_equal(fd, opened_fd);
    assert_true(opened_device == d->device);
    assert_int_equal(opened_access, access);
    fd_close(fd);
}

#define OPENS(call, device, access)                                                                          \
    do {                                                                                                     \
        int fd = -1;                                                                                         \
        OK(call);                                                                                            \
        assert_opened(fd, device, access);                                                                   \
    } while (0)

static void the_device_that_was_meant_is_opened(void **state)
{
    (void)state;
    OPENS(device_open_volume(&v, O_RDWR, &fd, &e), volume, O_RDWR);
    OPENS(device_open_map(&v, false, &fd, &e), map, O_RDWR);
    OPENS(device_open_map(&v, true, &fd, &e), map, O_RDONLY);
    strcat(map->uuid, MAP_UUID_OPENED);
    OPENS(device_open_map(&v, false, &fd, &e), map, O_RDWR);
}

#define REFUSED(wanted, call) REFUSED_WITH(wanted, "", call)
#define NOT_OPENED(wanted, call)                                                                             \
    do {                                                                                                     \
        int fd = -1;                                                                                         \
        REFUSED(wanted, call);                                                                               \
        assert_int_equal(fd, -1);                                                                            \
        assert_int_equal(fcntl(opened_fd, F_GETFD), -1); /* nor does it stay open */                         \
    } while (0)

/* Who may make devices can give one a volume's name, but LVM alone gives LVM's uuids. */
static void a_device_of_our_name_is_not_ours(void **state)
{
    (void)state;
    strcpy(volume->uuid, "other");
    NOT_OPENED(-EUNSAFE, device_open_volume(&v, O_RDWR, &fd, &e));
    volume->uuid[0] = '\0';
    NOT_OPENED(-EUNSAFE, device_open_volume(&v, O_RDWR, &fd, &e));
    strcpy(map->uuid, "CRYPT-PLAIN-x");
    NOT_OPENED(-EUNSAFE, device_open_map(&v, false, &fd, &e));
    strcpy(map->uuid, MAP_UUID_PREFIX "33333333-3333-4333-8333-333333333333");
    NOT_OPENED(-EUNSAFE, device_open_map(&v, false, &fd, &e));
}

static void a_node_that_leads_elsewhere_is_not_believed(void **state)
{
    (void)state;
    leads_to = map;
    NOT_OPENED(-EUNSAFE, device_open_volume(&v, O_RDWR, &fd, &e));
    leads_to = fake_dm_add("vg0-another", "LVM-def", 2048, "linear", makedev(8, 0));
    NOT_OPENED(-EUNSAFE, device_open_volume(&v, O_RDWR, &fd, &e));
    NOT_OPENED(-EUNSAFE, device_open_map(&v, false, &fd, &e));
    no_kernel_nodes = true; /* by the name that people use */
    NOT_OPENED(-EUNSAFE, device_open_volume(&v, O_RDWR, &fd, &e));
    leads_to = volume;
    OPENS(device_open_volume(&v, O_RDWR, &fd, &e), volume, O_RDWR);
}

static void what_is_not_there_is_not_opened(void **state)
{
    (void)state;
    no_kernel_nodes = true;
    NOT_OPENED(-ENXIO, device_open_volume(&v, O_RDWR, &fd, &e));
    fake_dm_clear();
    NOT_OPENED(-ENXIO, device_open_volume(&v, O_RDWR, &fd, &e));
    NOT_OPENED(-ENXIO, device_open_map(&v, true, &fd, &e));
}

static void a_map_leads_to_its_volume_alone(void **state)
{
    (void)state;
    _cleanup_close_ int fd = -1;
    OK(device_open_volume(&v, O_RDWR, &fd, &e));
    assert_true(dmcrypt_leads_to(map->name, fd));
    assert_false(dmcrypt_leads_to(volume->name, fd));
    map->live.below[1] = volume->device + 9;
    assert_false(dmcrypt_leads_to(map->name, fd));
    assert_false(dmcrypt_leads_to(map->name, STDIN_FILENO));
}

static void what_is_held_is_in_use(void **state)
{
    (void)state;
    _cleanup_close_ int fd = -1;
    OK(device_open_volume(&v, O_RDWR, &fd, &e));
    OK(device_check_unused(fd, 1, &e)); /* the map over it */
    assert_int_equal(fake_dm.now_msec, 0);
    REFUSED(-EBUSY, device_check_unused(fd, 0, &e));
    assert_in_range(fake_dm.now_msec, 1900, 2100);
    volume->held = 1;
    volume->held_msec = fake_dm.now_msec + 300;
    OK(device_check_unused(fd, 1, &e)); /* who leaves is waited for */
    fake_dm_clear();
    REFUSED(-ENODEV, device_check_unused(fd, 1, &e));
    fd = fd_close(fd);
    REFUSED(-EBADF, device_check_unused(fd, 1, &e));
}

static void a_suspended_device_is_waited_for(void **state)
{
    (void)state;
    _cleanup_close_ int fd = -1;
    OK(device_open_volume(&v, O_RDWR, &fd, &e));
    assert_false(device_suspended(fd));
    assert_int_equal(fake_dm.now_msec, 0);
    volume->suspended = true;
    assert_true(device_suspended(fd));
    assert_in_range(fake_dm.now_msec, 1900, 2100);
    assert_false(device_suspended(STDIN_FILENO));
}

static bool remove_fails(const char *request)
{
    return streq(request, "remove");
}

/* All that a failing open_map() says on standard error. */
static void open_with(const struct secret *key, char *said, size_t size)
{
    struct map_options options = {.below = volume->device};
    struct reply reply = {.fd = -1};
    int before = dup(STDERR_FILENO), file = memfd_create("said", MFD_CLOEXEC);
    dup2(file, STDERR_FILENO);
    struct error e = ERROR_NONE;
    int r = open_map(&v, key, &options, &reply, &e);
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t n = pread(file, said, size - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    close(file);
    assert_error(r, -EUNSAFE, e);
    assert_int_equal(reply.fd, -1);
    assert_false(reply.was_open);
}

/* One that is made, and cannot be opened then, does not stay open with its key. If it does, that is told. */
static void a_map_that_cannot_be_opened_is_closed(void **state)
{
    (void)state;
    char name[MAP_NAME_MAX], said[400];
    _cleanup_secret_ struct secret *key = NULL;
    volume_map_name(&v, name);
    OK(secret_new(64, &key, &e));
    memset(secret_bytes(key), 'k', 64);
    fake_dm_clear();
    volume = fake_dm_add("vg0-11111111--1111--4111--8111--111111111111_disk.eph0", "LVM-abc", 2048, "linear",
                         makedev(8, 0));
    leads_to = volume;
    open_with(key, said, sizeof said);
    assert_null(fake_dm_find(name));
    assert_string_equal(said, "");
    fake_dm.fails = remove_fails;
    open_with(key, said, sizeof said);
    assert_non_null(fake_dm_find(name));
    assert_non_null(strstr(said, "cannot be closed again"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(the_device_that_was_meant_is_opened),
        TEST(a_device_of_our_name_is_not_ours),
        TEST(a_node_that_leads_elsewhere_is_not_believed),
        TEST(what_is_not_there_is_not_opened),
        TEST(a_map_leads_to_its_volume_alone),
        TEST(what_is_held_is_in_use),
        TEST(a_suspended_device_is_waited_for),
        TEST(a_map_that_cannot_be_opened_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
