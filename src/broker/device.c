/* SPDX-License-Identifier: Apache-2.0 */
/* Opens device nodes, and checks them by what the kernel says of them. See device.h.
 *
 *     name --> node --open--> descriptor --fstat--> major:minor --sysfs--> the device-mapper's name and uuid
 *
 * The node is the kernel's own, /dev/dm-N, which is there as soon as the device is. udev makes the names that
 * people know, late and sometimes not at all; they are used only where /dev lacks the kernel's nodes. An open
 * descriptor is believed only when /sys names the map or volume that was meant. Nothing here follows a name
 * twice.
 */
#include "broker/device.h"

#include "base/fd.h"
#include "storage/dm.h"
#include "storage/dmcrypt.h"
#include "storage/facts.h"
#include "storage/holders.h"
#include "storage/served.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_NODE      "/dev/dm-%u"
#define DM_NAME_ROOM     128          /* DM_NAME_LEN of the kernel */
#define ZERO_CHUNK_BYTES (4ULL << 20) /* one request */
#define ZERO_ALIGN_BYTES 4096
#define TRIES            40 /* of 50 ms each */

/* Reads the line in the device's file `name` of sysfs; empty if there is none. */
static void read_attribute(int fd, const char *name, char *line, size_t size)
{
    struct stat st;
    line[0] = '\0';
    if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
        device_attribute(st.st_rdev, name, line, size);
}

/* Opens the node of that device-mapper device, by the kernel's name or else by `path`. */
static int open_node(const char *dm_name, const char *path, int access)
{
    char kernel_path[32];
    struct dm_device f;
    if (dm_look_up(dm_name, NULL, &f, NULL) == 0) {
        snprintf(kernel_path, sizeof kernel_path, KERNEL_NODE, f.info.minor);
        int fd = open(kernel_path, access | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT)
            return fd;
    }
    return open(path, access | O_CLOEXEC);
}

/* Opens the device-mapper device of this name, by `path` if /dev lacks the kernel's node. Its uuid must start
 * with `uuid_start`. */
static int open_mapped(const char *path, int access, const char *dm_name, const char *uuid_start, int *ret_fd,
                       struct error *e)
{
    _cleanup_close_ int fd = open_node(dm_name, path, access);
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be opened: %m", path);

    char name[DM_NAME_ROOM + 1], uuid[DM_NAME_ROOM + 1];
    read_attribute(fd, "dm/name", name, sizeof name);
    read_attribute(fd, "dm/uuid", uuid, sizeof uuid);
    if (!streq(name, dm_name) || !str_starts(uuid, uuid_start))
        return error_set(e, -EUNSAFE,
                         "%s: is not the device %s that it should be; look at ls -lL, dmsetup info -c", path,
                         dm_name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int device_open_map(const struct volume *v, bool read_only, int *ret_fd, struct error *e)
{
    char path[DEVICE_PATH_MAX], name[MAP_NAME_MAX], uuid[MAP_UUID_MAX];
    volume_map_name(v, name);
    snprintf(path, sizeof path, "/dev/mapper/%s", name);
    snprintf(uuid, sizeof uuid, MAP_UUID_PREFIX "%s", v->disk);
    return open_mapped(path, read_only ? O_RDONLY : O_RDWR, name, uuid, ret_fd, e);
}

/* Appends a part of a name as LVM does for device-mapper: with its hyphens doubled, since a single one stands
 * between parts. */
static char *append_doubled(char *to, const char *name)
{
    for (; *name; name++) {
        *to++ = *name;
        if (*name == '-')
            *to++ = '-';
    }
    *to = '\0';
    return to;
}

int device_open_volume(const struct volume *v, int access, int *ret_fd, struct error *e)
{
    char path[DEVICE_PATH_MAX], name[2 * (VG_NAME_MAX + LV_NAME_MAX) + 1];
    char *end = append_doubled(name, v->vg);
    *end++ = '-';
    append_doubled(end, v->lv);
    snprintf(path, sizeof path, "/dev/%s/%s", v->vg, v->lv);
    return open_mapped(path, access, name, "LVM-", ret_fd, e);
}

int device_path(int fd, const struct volume *v, char path[DEVICE_PATH_MAX], struct error *e)
{
    struct stat held;
    if (fstat(fd, &held) < 0)
        return error_set(e, errno, "device: does not tell what it is: %m");
    snprintf(path, DEVICE_PATH_MAX, KERNEL_NODE, minor(held.st_rdev));
    if (device_is_at(path, held.st_rdev))
        return 0;
    dmcrypt_settle();
    volume_device_path(v, path);
    if (device_is_at(path, held.st_rdev))
        return 0;
    return error_set(e, -EUNSAFE, "%s: does not lead to the device that it should; look at ls -lL", path);
}

int device_size(int fd, uint64_t *ret_bytes, struct error *e)
{
    uint64_t bytes = 0;
    if (ioctl(fd, BLKGETSIZE64, &bytes) < 0)
        return error_set(e, errno, "device: does not tell its size: %m");
    *ret_bytes = bytes;
    return 0;
}

/* Returns how many times the device is open, as device-mapper counts; or a negative errno. */
static int open_count(int fd)
{
    struct stat st;
    struct dm_info info;
    if (fstat(fd, &st) < 0)
        return -errno;
    struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
    bool told = task && dm_task_set_major(task, (int)major(st.st_rdev)) &&
                dm_task_set_minor(task, (int)minor(st.st_rdev)) && dm_task_run(task) &&
                dm_task_get_info(task, &info) && info.exists;
    if (task)
        dm_task_destroy(task);
    return told ? info.open_count : -ENODEV;
}

static const struct timespec pause_between = {.tv_nsec = 50 * 1000 * 1000};

int device_check_unused(int fd, int ours, struct error *e)
{
    int count = open_count(fd);
    for (int i = 0; i < TRIES && count > ours; i++) {
        nanosleep(&pause_between, NULL);
        count = open_count(fd);
    }
    if (count < 0)
        return error_set(e, count, "device: device-mapper does not tell whether it is in use");
    if (count <= ours)
        return 0;
    struct stat st;
    char by[256] = "";
    if (fstat(fd, &st) == 0)
        holders_name(st.st_rdev, by, sizeof by);
    return error_set(e, -EBUSY, "it is in use%s; shut down what uses it, see lsblk and fuser -v", by);
}

/* Whether some keeper says that it serves the disk. */
static bool keeper_lives(const struct volume *v)
{
    char path[DEVICE_PATH_MAX + sizeof KEEPER_SUFFIX];
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET}; /* which a keeper's excludes */
    volume_device_path(v, path);
    strcat(path, KEEPER_SUFFIX);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type == F_WRLCK;
}

/* A keeper locks the device (flock). So may others (flock(1), udevadm lock), and only a keeper has the lock
 * of its state, too. */
bool device_has_keeper(const struct volume *v, int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK && keeper_lives(v);
    flock(fd, LOCK_UN);
    return false;
}

bool device_suspended(int fd)
{
    char suspended[8];
    read_attribute(fd, "dm/suspended", suspended, sizeof suspended);
    for (int i = 0; i < TRIES && streq(suspended, "1"); i++) {
        nanosleep(&pause_between, NULL);
        read_attribute(fd, "dm/suspended", suspended, sizeof suspended);
    }
    return streq(suspended, "1");
}

static int write_zeros(int fd, const char *zeros, uint64_t size_bytes)
{
    int r = 0;
    for (uint64_t at = 0; r == 0 && at < size_bytes; at += ZERO_CHUNK_BYTES) {
        uint64_t rest = size_bytes - at;
        r = fd_pwrite_all(fd, zeros, rest < ZERO_CHUNK_BYTES ? rest : ZERO_CHUNK_BYTES, at);
    }
    return r == 0 && fdatasync(fd) < 0 ? -errno : r;
}

/* Writes zeros itself. BLKZEROOUT would become WRITE ZEROES, after which a device may just read as zeros, and
 * keep the old blocks. */
int device_zero(int fd, const struct volume *v, struct error *e)
{
    uint64_t size_bytes = 0;
    int flags = fcntl(fd, F_GETFL);
    _cleanup_free_ char *zeros = aligned_alloc(ZERO_ALIGN_BYTES, ZERO_CHUNK_BYTES);
    int r = device_size(fd, &size_bytes, e);
    if (r < 0)
        return r;
    if (!zeros)
        return error_memory(e);
    memset(zeros, 0, ZERO_CHUNK_BYTES);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
        return error_set(e, errno, "volume %s: cannot be written past the page cache: %m", v->lv);
    r = write_zeros(fd, zeros, size_bytes);
    fcntl(fd, F_SETFL, flags);
    if (r < 0)
        return error_set(e, r, "volume %s: cannot be overwritten with zeros: %s", v->lv, strerror(-r));
    return 0;
}

/* Chooses as libcryptsetup: the physical block, where that is larger than the logical one and no more than
 * 4096. */
uint32_t device_luks_sector_bytes(int fd)
{
    int logical = 512;
    unsigned physical = 0;
    (void)!ioctl(fd, BLKSSZGET, &logical);
    (void)!ioctl(fd, BLKPBSZGET, &physical);
    return logical == 4096 || physical == 4096 ? 4096 : 512;
}
