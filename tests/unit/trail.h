/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail as a test reads it: a socket in its folder that stands for journald's. */
#pragma once

#include "base/str.h"
#include "folder.h"

#include <sys/socket.h>
#include <sys/un.h>

/* A datagram socket with this name in the test's folder. */
static inline int trail_listen(void **folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_int_equal(str_copy(address.sun_path, sizeof address.sun_path, folder_path(folder, name)), 0);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The next entry; "" where there is none. */
static inline const char *trail_next(int fd)
{
    static char text[16384];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Does the entry have this line? */
static inline bool trail_has(const char *entry, const char *line)
{
    size_t length = strlen(line);
    for (const char *at = strstr(entry, line); at; at = strstr(at + 1, line))
        if ((at == entry || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}
