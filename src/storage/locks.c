/* SPDX-License-Identifier: Apache-2.0 */
/* One file for all locks: 62 bits of a uuid are the offset of its byte, which an "open file description" lock
 * covers. Such a lock goes when the last descriptor of its opening is closed, however the process ends:
 * nothing piles up, nothing has to be cleaned.
 *
 * The kernel does not tell who holds such a lock. So a process that takes one writes its name into the file,
 * into one of NOTES places that the uuid chooses. Notes are only for messages: one that is overwritten, or
 * left of an earlier holder, decides nothing.
 *
 * The file is never removed: two processes could then lock two different files of one name.
 */
#include "storage/locks.h"

#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uuid/uuid.h>

#define NOTES 4096

/* Who took the lock of a uuid last. */
struct note {
    char uuid[UUID_TEXT];
    char verb[VERB_MAX];
    int32_t pid;
    uint32_t uid;
    int64_t since_sec; /* of CLOCK_BOOTTIME */
};

/* Checks that the folder is ours alone: another user with write access could put another file in place of the
 * locks. */
static int check_folder(const char *path, struct error *e)
{
    char copy[PATH_MAX];
    struct stat st;
    int r = str_copy(copy, sizeof copy, path);
    if (r < 0)
        return error_set(e, r, "locks: the name of their file is too long");

    const char *folder = dirname(copy);
    if (mkdir(folder, 0755) == 0)
        r = chmod(folder, 0755); /* whatever our umask: the broker's socket is there too */
    else
        r = errno == EEXIST ? 0 : -1;
    if (r < 0 || lstat(folder, &st) < 0)
        return error_set(e, errno, "%s: cannot be made, for the locks: %m", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return error_set(e, -EPERM,
                         "%s: the locks cannot be there, since others may write to it; chown it to "
                         "root, chmod it to 755",
                         folder);
    return 0;
}

int locks_open(struct locks *l, const char *path, struct error *e)
{
    int r = l->fd >= 0 ? 0 : check_folder(path, e);
    if (r < 0 || l->fd >= 0)
        return r;
    l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return l->fd < 0 ? error_set(e, errno, "%s: cannot be opened, for the locks: %m", path) : 0;
}

static off_t offset_of(const char *uuid)
{
    uuid_t binary;
    uint64_t offset = 0;
    uuid_parse(uuid, binary);                  /* checked by the caller */
    for (size_t i = 0; i < sizeof binary; i++) /* both halves, since many uuids may have one half in common */
        offset = (offset << 8 | offset >> 56) ^ binary[i];
    return (off_t)(offset & (UINT64_MAX >> 2));
}

/* -------------------------------------------------------------------- notes */

static int64_t now_sec(void)
{
    struct timespec t = {.tv_sec = 0};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec;
}

static off_t note_offset(const char *uuid)
{
    return offset_of(uuid) % NOTES * (off_t)sizeof(struct note);
}

static void write_note(const struct locks *l, const char *uuid, const char *verb)
{
    struct note n;
    memset(&n, 0, sizeof n);
    memcpy(n.uuid, uuid, sizeof n.uuid);
    (void)!str_copy(n.verb, sizeof n.verb, verb);
    n.pid = l->pid;
    n.uid = l->uid;
    n.since_sec = now_sec();
    (void)!pwrite(l->fd, &n, sizeof n, note_offset(uuid));
}

static int busy(const struct locks *l, const char *uuid, struct error *e)
{
    struct note n;
    bool known = pread(l->fd, &n, sizeof n, note_offset(uuid)) == (ssize_t)sizeof n &&
                 memcmp(n.uuid, uuid, sizeof n.uuid) == 0 && memchr(n.verb, '\0', sizeof n.verb) && n.pid > 0;
    if (!known)
        return error_set(e, -EBUSY, "%s: another mayfly works on it; try again when that one is done", uuid);
    bool gone = kill(n.pid, 0) < 0 && errno == ESRCH;
    return error_set(e, -EBUSY,
                     "%s: another mayfly works on it: mayfly%s%s, process %" PRId32 " of user %" PRIu32
                     ", for %" PRId64 " s%s; try again when that one is done",
                     uuid, n.verb[0] ? " " : "", n.verb, n.pid, n.uid, now_sec() - n.since_sec,
                     gone ? " (the process has ended; its last operation is being finished)" : "");
}

/* -------------------------------------------------------------------- locks */

static int set_lock(const struct locks *l, const char *uuid, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset_of(uuid), .l_len = 1};
    return fcntl(l->fd, F_OFD_SETLK, &lock);
}

bool locks_held(const struct locks *l, const char *uuid)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->held[i], uuid))
            return true;
    return false;
}

int locks_take(struct locks *l, const char *path, const char *uuid, const char *verb, struct error *e)
{
    if (locks_held(l, uuid))
        return 0;
    if (l->n == LOCKS_MAX)
        return error_set(e, -ENOLCK, "%s: cannot be locked: this connection holds %d locks already", uuid,
                         LOCKS_MAX);
    int r = locks_open(l, path, e);
    if (r < 0)
        return r;
    char(*held)[UUID_TEXT] = realloc(l->held, (l->n + 1) * sizeof *held);
    if (!held)
        return error_memory(e);
    l->held = held;

    if (set_lock(l, uuid, F_WRLCK) < 0)
        return errno == EAGAIN || errno == EACCES
                   ? busy(l, uuid, e)
                   : error_set(e, errno, "%s: cannot be locked in %s: %m", uuid, path);
    memcpy(held[l->n++], uuid, UUID_TEXT);
    write_note(l, uuid, verb);
    return 0;
}

void locks_give_back(struct locks *l, const char *uuid)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!streq(l->held[i], uuid))
            continue;
        set_lock(l, uuid, F_UNLCK);
        memmove(l->held[i], l->held[--l->n], UUID_TEXT);
        return;
    }
}

void locks_drop(struct locks *l)
{
    free(l->held);
    fd_close(l->fd);
    l->held = NULL;
    l->n = 0;
    l->fd = -1;
}
