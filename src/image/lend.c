/* SPDX-License-Identifier: Apache-2.0 */
/* See lend.h, and seccomp_unotify(2). */
#include "image/lend.h"

#include "base/packet.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int load(scmp_filter_ctx filter)
{
    /* the C library opens by openat alone */
    int r = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, O_DIRECT, O_DIRECT));
    return r < 0 ? r : seccomp_load(filter); /* sets no_new_privs too */
}

int lend_begin(int socket)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    int r = load(filter);
    if (r == 0)
        r = packet_send(socket, "", 1, seccomp_notify_fd(filter));
    close(seccomp_notify_fd(filter)); /* its only holder is the parent, so that it ends with the program */
    seccomp_release(filter);
    return r;
}

int lend_listen(int socket, int *ret_listener, struct error *e)
{
    char nothing;
    size_t size;
    int r = packet_receive(socket, &nothing, sizeof nothing, &size, ret_listener);
    if (r == 0 && *ret_listener < 0)
        r = -EPROTO;
    return r < 0 ? error_set(
                       e, r,
                       "a device or file cannot be lent to a program (%s); that needs a kernel with seccomp, "
                       "Linux 5.14 or newer",
                       strerrordesc_np(-r))
                 : 0;
}

void lend_answer(int listener, int fd)
{
    struct seccomp_notif request;
    memset(&request, 0, sizeof request);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
        return; /* the program was killed meanwhile */
    struct seccomp_notif_addfd answer = {
        .id = request.id,
        .flags = SECCOMP_ADDFD_FLAG_SEND, /* the open returns the new descriptor */
        .srcfd = (unsigned)fd,
        .newfd_flags = O_CLOEXEC,
    };
    (void)!ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &answer);
}
