/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that change no volume: looks, locks, uuids. See operations.c. */
#include "broker/operations.h"

#include "base/fd.h"
#include "storage/dmcrypt.h"
#include "storage/suspended.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int reply_with_file(const char *name, const void *data, size_t size, struct reply *reply,
                           struct error *e)
{
    int r = fd_memfd(name, data, size, &reply->fd);
    if (r < 0)
        return error_set(e, r, "answer: cannot be put into a memory file: %s", strerror(-r));
    reply->size_bytes = size;
    return 0;
}

int do_LIST(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    const char *groups[CONFIG_LIST_MAX];
    size_t n_groups = session_groups(s, groups);
    struct lvm *lvm = NULL;

    UNUSED(q), UNUSED(fd);
    if (n_groups == 0)
        return error_set(e, -EINVAL,
                         "volume groups: none may be used; set images_volume_group in mayfly.conf");
    int r = session_lvm(s, &lvm, e);
    if (r == 0)
        r = reply_with_file("mayfly-list", "", 0, reply, e);
    if (r == 0)
        r = lvm_report(lvm, groups, n_groups, reply->fd, e);
    if (r == 0)
        reply->size_bytes = (uint64_t)lseek(reply->fd, 0, SEEK_CUR);
    else
        reply->fd = fd_close(reply->fd);
    return r;
}

int do_MAPS(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    _cleanup_free_ struct map *maps = NULL;
    size_t n = 0;

    UNUSED(s), UNUSED(q), UNUSED(fd);
    int r = dmcrypt_list(&maps, &n, e);
    reply->crypt_version = dmcrypt_version();
    return r < 0 ? r : reply_with_file("mayfly-maps", maps, n * sizeof *maps, reply, e);
}

int do_SUSPENDED(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    const char *groups[CONFIG_LIST_MAX];
    size_t n_groups = session_groups(s, groups);
    _cleanup_free_ struct suspended *list = NULL;
    size_t n = 0;

    UNUSED(q), UNUSED(fd);
    int r = suspended_list(groups, n_groups, &list, &n, e);
    return r < 0 ? r : reply_with_file("mayfly-suspended", list, n * sizeof *list, reply, e);
}

int do_LOCK(struct session *s, const struct op_lock *q, int fd, struct reply *reply, struct error *e)
{
    UNUSED(fd), UNUSED(reply);
    return locks_take(&s->locks, s->locks_path, q->uuid, q->verb, e);
}

int do_UNLOCK(struct session *s, const struct op_unlock *q, int fd, struct reply *reply, struct error *e)
{
    UNUSED(fd), UNUSED(reply), UNUSED(e);
    locks_give_back(&s->locks, q->uuid);
    session_forget_instance(s, q->uuid);
    return 0;
}

int do_DISK_UUIDS(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    UNUSED(q), UNUSED(fd);
    return session_make_disk_uuids(s, reply->disks, e);
}

int do_ALIVE(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    UNUSED(s), UNUSED(q), UNUSED(fd), UNUSED(reply), UNUSED(e);
    return 0;
}

int do_SYNC_DOMAINS(struct session *s, const struct op_none *q, int fd, struct reply *reply, struct error *e)
{
    static const char *const folders[] = {"/etc/libvirt/qemu", "/etc/libvirt/qemu/autostart"};
    UNUSED(s), UNUSED(q), UNUSED(fd), UNUSED(reply);
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_close_ int folder_fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder_fd < 0 && errno == ENOENT && i > 0) /* no domain has ever had autostart */
            continue;
        if (folder_fd < 0 || fsync(folder_fd) < 0)
            return error_set(e, -errno,
                             "%s: cannot be synced, so that the domains in it outlive a power cut: %m",
                             folders[i]);
    }
    return 0;
}
