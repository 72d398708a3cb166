/* SPDX-License-Identifier: Apache-2.0 */
/* A socket for a server, without a name by which others could connect. See qemu.h. */
#include "base/fd.h"
#include "image/qemu.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Binds the socket, opens its name, and removes the name and its folder. */
static int listen_in(const char *folder, int listening, int backlog, int *ret_name_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    int r = length < 0 || bind(listening, (const struct sockaddr *)&address, sizeof address) < 0 ||
                    listen(listening, backlog) < 0
                ? -errno
                : 0;
    *ret_name_fd = r == 0 ? open(address.sun_path, O_PATH | O_CLOEXEC) : -1;
    if (r == 0 && *ret_name_fd < 0)
        r = -errno;
    unlink(address.sun_path);
    rmdir(folder);
    return r;
}

int qemu_listen(const char *program, int backlog, int *ret_listening, int *ret_name_fd, struct error *e)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path - 4];
    _cleanup_close_ int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listening < 0)
        return error_set(e, errno, "%s: a socket for it cannot be made: %m", program);
    int r = fd_temporary_folder(folder, sizeof folder);
    if (r < 0)
        return error_set(e, r, "%s: a folder for its socket cannot be made in TMPDIR or /tmp: %s", program,
                         strerrordesc_np(-r));
    r = listen_in(folder, listening, backlog, ret_name_fd);
    if (r < 0)
        return error_set(e, r, "%s: a socket for it in %s cannot be made: %s", program, folder,
                         strerrordesc_np(-r));
    *ret_listening = TAKE_FD(listening);
    return 0;
}
