/* SPDX-License-Identifier: Apache-2.0 */
/* What could whoever takes over mayfly-keyagent reach? Preloaded, this takes the place of the first thing
 * that it does for a network: a look-up of a name. It tries what /tmp/takeover has, a file or socket a line,
 * and tells on standard error what it got. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char list[8192];

/* Before any sandbox. */
__attribute__((constructor)) static void read_list(void)
{
    int fd = strcmp(program_invocation_short_name, "mayfly-keyagent") == 0
                 ? open("/tmp/takeover", O_RDONLY | O_CLOEXEC)
                 : -1;
    if (fd >= 0 && read(fd, list, sizeof list - 1) < 0)
        list[0] = '\0';
    close(fd);
}

static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, type, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static int reach(const char *path)
{
    char byte;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        return connect_to(path, SOCK_STREAM) || connect_to(path, SOCK_SEQPACKET) ||
               connect_to(path, SOCK_DGRAM);
    int fd = open(path, O_RDONLY);
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    char *rest = list;
    (void)name, (void)service, (void)hints, (void)ret;
    for (char *path; (path = strsep(&rest, "\n"));)
        if (*path)
            dprintf(STDERR_FILENO, "takeover: %s %s\n", reach(path) ? "reached" : "not", path);
    return EAI_FAIL;
}
