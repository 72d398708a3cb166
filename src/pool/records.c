/* SPDX-License-Identifier: Apache-2.0 */
/* See records.h. */
#include "pool/records.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAGS_FILE "tags"
#define NEXT_FILE "tags.new"
#define TAGS_MAX  ((size_t)1 << 20)

#define SIZE_WITHOUT_FILE 4096 /* a disk without a size would count as damaged */

void records_free(struct records *r)
{
    free(r->r);
    free(r->strays);
    *r = (struct records){.n = 0};
}

const char *record_file(const struct volume *v)
{
    return v->lv + UUID_TEXT; /* behind "<instance>_" */
}

struct record *records_find(const struct records *r, const char *lv)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->r[i].wrong.errnum && streq(r->r[i].v.lv, lv))
            return &r->r[i];
    return NULL;
}

struct record *records_add(struct records *r)
{
    struct record *more = reallocarray(r->r, r->n + 1, sizeof *more);
    if (!more)
        return NULL;
    r->r = more;
    memset(&r->r[r->n], 0, sizeof *more);
    return &r->r[r->n++];
}

void records_drop(struct records *r, struct record *one)
{
    size_t at = (size_t)(one - r->r);
    memmove(one, one + 1, (r->n - at - 1) * sizeof *one);
    r->n--;
}

int records_folder(int pool_fd, const char *instance, int *ret_fd)
{
    *ret_fd = openat(pool_fd, instance, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd < 0 ? -errno : 0;
}

/* ------------------------------------------------------------------ reading */

/* Parses the line; sets `wrong` if it is damaged. */
static void parse_line(struct record *one, const struct records *all, const char *group)
{
    struct volume *v = &one->v;
    if (tags_parse(one->text, v, &one->wrong) < 0)
        return;
    struct volume here = *v; /* the folder decides which instance has the disk, whatever the line says */
    memcpy(here.instance, all->instance, sizeof here.instance);
    volume_set_lv_name(&here);
    memcpy(v->lv, here.lv, sizeof v->lv);
    snprintf(v->vg, sizeof v->vg, "%s", group);
    if (!streq(v->instance, all->instance))
        error_set(&one->wrong, -EINVAL, "tag mayfly.instance: is not that of the folder");
    for (const struct record *before = all->r; before < one; before++)
        if (!before->wrong.errnum && streq(before->v.lv, v->lv))
            error_set(&one->wrong, -EINVAL, "tag mayfly.role: two lines have the same");
}

/* Takes the size of the disk from its file. */
static void look_at_file(struct record *one, int folder_fd)
{
    struct stat st;
    int r = fstatat(folder_fd, record_file(&one->v), &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    one->has_file = r != -ENOENT;
    if (r == -ENOENT && (one->v.state == VOLUME_BUILDING || one->v.state == VOLUME_DOOMED)) {
        st.st_mode = S_IFREG;
        st.st_size = SIZE_WITHOUT_FILE;
        r = 0;
    }
    if (r < 0) {
        error_set(&one->wrong, r, "file %s: cannot be found: %s", record_file(&one->v), strerror(-r));
        return;
    }
    one->v.size_bytes = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (volume_check(&one->v, &one->wrong) == 0 && !volume_encrypted(&one->v))
        error_set(&one->wrong, -EINVAL,
                  "tag mayfly.cipher: is none, but each disk of a pool of files has one");
}

static int parse_lines(struct records *all, const char *group, int folder_fd, const char *text,
                       struct error *e)
{
    for (size_t length; *text; text += length + (text[length] == '\n')) {
        length = strcspn(text, "\n");
        struct record *one = records_add(all);
        if (!one)
            return error_memory(e);
        snprintf(one->text, sizeof one->text, "%.*s", (int)(length < TAGS_TEXT_MAX ? length : TAGS_TEXT_MAX),
                 text);
        parse_line(one, all, group);
        if (!one->wrong.errnum)
            look_at_file(one, folder_fd);
    }
    return 0;
}

/* True if a line is for this file. A line that cannot be parsed at all may be that of any file. */
static bool has_line(const struct records *all, const char *file)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct record *one = &all->r[i];
        if (!one->v.lv[0] || streq(record_file(&one->v), file))
            return true;
    }
    return false;
}

static int find_strays(struct records *all, int folder_fd, struct error *e)
{
    int again = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *folder = again < 0 ? NULL : fdopendir(again);
    if (!folder) {
        int r = error_set(e, errno, "instance %s: its folder cannot be read: %m", all->instance);
        fd_close(again);
        return r;
    }
    for (struct dirent *d; (d = readdir(folder));) {
        char lv[sizeof d->d_name + UUID_TEXT];
        snprintf(lv, sizeof lv, "%s_%s", all->instance, d->d_name);
        if (!volume_lv_name_valid(lv) || has_line(all, d->d_name))
            continue;
        void *more = reallocarray(all->strays, all->n_strays + 1, sizeof *all->strays);
        if (!more)
            return error_memory(e);
        all->strays = more;
        snprintf(all->strays[all->n_strays++], FILE_NAME_MAX, "%.*s", FILE_NAME_MAX - 1, d->d_name);
    }
    return 0;
}

int records_read(int pool_fd, const char *group, const char *instance, struct records *ret, struct error *e)
{
    _cleanup_records_ struct records all = {.n = 0};
    _cleanup_close_ int folder_fd = -1, fd = -1;
    _cleanup_free_ char *text = NULL;
    snprintf(all.instance, sizeof all.instance, "%s", instance);
    int r = records_folder(pool_fd, instance, &folder_fd);
    if (r == 0) {
        fd = openat(folder_fd, TAGS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? (errno == ENOENT ? 0 : -errno) : fd_read_text(fd, TAGS_MAX, &text, NULL);
    }
    if (r < 0 && r != -ENOENT)
        return error_set(e, r, "instance %s: its tags cannot be read: %s", instance, strerror(-r));
    if (r == 0)
        r = text ? parse_lines(&all, group, folder_fd, text, e) : 0;
    if (r == 0)
        r = find_strays(&all, folder_fd, e);
    if (r < 0 && r != -ENOENT)
        return r;
    *ret = TAKE(all, (struct records){.n = 0});
    return 0;
}

/* ------------------------------------------------------------------ writing */

static char *format_lines(const struct records *r)
{
    char *text = NULL, tags[TAGS_TEXT_MAX];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < r->n; i++) {
        if (!r->r[i].wrong.errnum)
            tags_format(&r->r[i].v, tags);
        fprintf(out, "%s\n", r->r[i].wrong.errnum ? r->r[i].text : tags);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int make_folder(int pool_fd, const char *instance, int *ret_fd)
{
    if (mkdirat(pool_fd, instance, 0700) < 0) {
        if (errno != EEXIST)
            return -errno;
    } else if (fsync(pool_fd) < 0)
        return -errno;
    return records_folder(pool_fd, instance, ret_fd);
}

static int replace_tags(int folder_fd, const char *text)
{
    _cleanup_close_ int fd =
        openat(folder_fd, NEXT_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
    if (r < 0)
        return r;
    return fsync(fd) < 0 || renameat(folder_fd, NEXT_FILE, folder_fd, TAGS_FILE) < 0 || fsync(folder_fd) < 0
               ? -errno
               : 0;
}

/* Removes the folder of an instance, unless it holds other files. */
static int remove_folder(int pool_fd, const char *instance)
{
    _cleanup_close_ int folder_fd = -1;
    int r = records_folder(pool_fd, instance, &folder_fd);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if ((unlinkat(folder_fd, NEXT_FILE, 0) < 0 && errno != ENOENT) ||
        (unlinkat(folder_fd, TAGS_FILE, 0) < 0 && errno != ENOENT))
        return -errno;
    if (unlinkat(pool_fd, instance, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    return fsync(folder_fd) < 0 || fsync(pool_fd) < 0 ? -errno : 0;
}

bool records_none(int pool_fd, const char *instance)
{
    int fd = -1;
    _cleanup_closedir_ DIR *folder = records_folder(pool_fd, instance, &fd) < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        fd_close(fd);
        return false;
    }
    for (struct dirent *d; (d = readdir(folder));)
        if (!streq(d->d_name, ".") && !streq(d->d_name, "..") && !streq(d->d_name, NEXT_FILE))
            return false;
    return true;
}

int records_write(int pool_fd, const struct records *all, struct error *e)
{
    _cleanup_close_ int folder_fd = -1;
    _cleanup_free_ char *text = all->n ? format_lines(all) : NULL;
    int r = 0;
    if (all->n && !text)
        return error_memory(e);
    if (!all->n)
        r = remove_folder(pool_fd, all->instance);
    else
        r = make_folder(pool_fd, all->instance, &folder_fd);
    if (r == 0 && all->n)
        r = replace_tags(folder_fd, text);
    return r < 0 ? error_set(e, r, "instance %s: its tags cannot be written: %s", all->instance, strerror(-r))
                 : 0;
}
