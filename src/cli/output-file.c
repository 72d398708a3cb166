/* SPDX-License-Identifier: Apache-2.0 */
/* See output-file.h. The text in the pipe ends with a byte that marks it as whole. */
#include "cli/output-file.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHOLE     '\0'
#define SIZE_MOST (16 << 20)

/* Writes a new file beside the old one, then renames it. */
static int replace(const char *path, const char *text, size_t size)
{
    _cleanup_free_ char *beside = str_format("%s.XXXXXX", path);
    if (!beside)
        return -ENOMEM;
    _cleanup_close_ int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, 0644) < 0 ? -errno : fd_write_all(fd, text, size);
    if (r == 0 && (fsync(fd) < 0 || rename(beside, path) < 0))
        r = -errno;
    if (r < 0)
        unlink(beside);
    return r;
}

/* Becomes the writer, whose exit status is the errno of a failure. */
static _Noreturn void be_writer(int fd, const char *path)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r = fd_read_text(fd, SIZE_MOST, &text, &size);
    if (r == 0 && (size == 0 || text[size - 1] != WHOLE))
        _exit(0); /* the text was not completed */
    if (r == 0)
        r = replace(path, text, size - 1);
    _exit(-r);
}

int output_file_begin(const char *path, struct output_file *ret, struct error *e)
{
    int ends[2];
    *ret = (struct output_file){.path = path};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(e, errno, "%s: cannot be written: %m", path);
    ret->writer = fork();
    if (ret->writer == 0) {
        close(ends[1]);
        be_writer(ends[0], path);
    }
    close(ends[0]);
    ret->text = ret->writer < 0 ? NULL : fdopen(ends[1], "w");
    if (ret->text)
        return 0;
    close(ends[1]);
    return error_set(e, errno, "%s: cannot be written: %m", path);
}

int output_file_end(struct output_file *o, bool whole, struct error *e)
{
    int status = 0;
    if (!o->text)
        return 0;
    if (whole)
        fputc(WHOLE, o->text);
    bool failed = ferror(o->text) != 0;
    failed = fclose(o->text) != 0 || failed;
    o->text = NULL;
    while (waitpid(o->writer, &status, 0) < 0 && errno == EINTR)
        ;
    int r = !WIFEXITED(status) ? -EIO : WEXITSTATUS(status) ? -WEXITSTATUS(status) : failed ? -EIO : 0;
    return r < 0 && whole ? error_set(e, r, "%s: cannot be written: %s", o->path, strerror(-r)) : 0;
}
