/* SPDX-License-Identifier: Apache-2.0 */
/* See vhost-server.h. qemu-storage-daemon has a thread for the device, no cache and io_uring, as mayfly-disks
 * has it. */
#include "bench/vhost-server.h"

#include "base/fd.h"
#include "base/process.h"
#include "bench/disks-server.h"

#include <stdio.h>
#include <sys/wait.h>

#define QSD            "qemu-storage-daemon"
#define END_LIMIT_MSEC 1000 /* for a server that has closed its connection */

/* The listening socket has number 3, as qemu_start() hands it over. */
static int start_qemu(int fd, int listening, struct vhost_server *ret, struct error *e)
{
    _cleanup_(qemu_view_release) struct qemu_view view = {.sandbox = NULL};
    int r = qemu_view_make(
        &(struct qemu_file){
            .fd = fd, .format = IMAGE_RAW, .device = true, .writes = true, .exports = true, .lent = true},
        &view, e);
    if (r < 0)
        return r;
    char device[200];
    snprintf(device, sizeof device,
             "{\"driver\":\"%s\",\"node-name\":\"device\",\"filename\":\"%s\",\"locking\":\"off\","
             "\"aio\":\"io_uring\",\"cache\":{\"direct\":true}}",
             view.file.device ? "host_device" : "file", qemu_file_name);
    const char *argv[] = {QSD,
                          "--object",
                          "iothread,id=thread",
                          "--blockdev",
                          device,
                          "--export",
                          "type=vhost-user-blk,id=export,node-name=device,addr.type=fd,addr.str=3,"
                          "writable=on,num-queues=1,iothread=thread",
                          NULL};
    return qemu_start(&view, argv, listening, &ret->program, e);
}

static const char *name_of(enum bench_column column)
{
    return column == BENCH_VHOST ? QSD : "mayfly-disks";
}

int vhost_server_start(int fd, const struct bench_cell *cell, struct vhost_server *ret, struct error *e)
{
    _cleanup_close_ int listening = -1;
    ret->column = cell->column;
    int r = qemu_listen(name_of(cell->column), 1, &listening, &ret->socket, e);
    if (r < 0)
        return r;
    return cell->column == BENCH_VHOST ? start_qemu(fd, listening, ret, e)
                                       : disks_server_start(fd, cell, listening, &ret->program, &ret->key, e);
}

void vhost_server_explain(struct vhost_server *s, struct error *e)
{
    char field[4096], end[64];
    int status = s->program.pid > 0 ? process_await(s->program.pid, END_LIMIT_MSEC) : -ESRCH;
    if (status >= 0)
        s->program.pid = -1;
    const char *words = s->program.words < 0 ? "" : qemu_last_words(&s->program, field, sizeof field);
    if (status >= 0 && (WIFSIGNALED(status) || !*words))
        error_append(e, " (%s %s)", name_of(s->column), process_status_text(status, end, sizeof end));
    else if (*words)
        error_append(e, " (%s: %.300s)", name_of(s->column), words);
}

void vhost_server_end(struct vhost_server *s)
{
    if (s->column == BENCH_VHOST)
        qemu_end(&s->program);
    else
        disks_server_end(&s->program);
    s->key = secret_handover_end(s->key);
    s->socket = fd_close(s->socket);
}
