/* SPDX-License-Identifier: Apache-2.0 */
/* See recover-note.h. */
#include "cli/recover-note.h"

#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RECOVER_NOTE
#define RECOVER_NOTE "/run/mayfly/last-recover"
#endif
#define NOTE_MAX 80

int recover_note_open(void)
{
    int fd = open(RECOVER_NOTE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0 && fchmod(fd, 0644) < 0) /* everybody may read it, whatever the umask */
        return fd_close(fd);
    return fd;
}

void recover_note_write(int fd, const struct recover_note *note)
{
    char line[NOTE_MAX];
    if (fd < 0)
        return;
    /* written at once, and padded to one length: a reader sees the old line or the new one */
    snprintf(line, sizeof line, "%20" PRIu64 " %3u %10u\n", note->at_sec, note->status, note->n_remaining);
    (void)!pwrite(fd, line, strlen(line), 0);
    fd_close(fd);
}

int recover_note_read(struct recover_note *ret)
{
    char line[NOTE_MAX] = "";
    struct recover_note note;
    _cleanup_close_ int fd = open(RECOVER_NOTE, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (read(fd, line, sizeof line - 1) <= 0 ||
        sscanf(line, "%" SCNu64 " %u %u", &note.at_sec, &note.status, &note.n_remaining) != 3)
        return -EINVAL;
    *ret = note;
    return 0;
}
