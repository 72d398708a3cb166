/* SPDX-License-Identifier: Apache-2.0 */
/* From the files to a checked struct config. parse.c reads the text of each; here it is decided which files,
 * whether they can be believed, and whether the values make sense together.
 *
 * Nothing of a file is believed before its owner is known, and the owner is asked of the open descriptor:
 * what was checked is what is read.
 */
#include "config/config.h"

#include "base/fd.h"
#include "base/str.h"
#include "build-config.h"
#include "config/cipher.h"
#include "config/parse.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT_BYTES (1 << 20) /* nova.conf with all its comments has half of that */

/* 1 where the file or folder is not there. */
#define ABSENT 1

static int check_owner(const struct stat *st, const char *path, struct error *e)
{
    if (st->st_uid != 0)
        return error_set(e, -EPERM, "%s: is not believed: it belongs to user %u; chown it to root", path,
                         st->st_uid);
    if (st->st_mode & 0022)
        return error_set(e, -EPERM, "%s: is not believed: others than root can write to it; chmod go-w it",
                         path);
    return 0;
}

static int check_root_owned(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    return check_owner(&st, path, e);
}

/* Who can write to a folder above can put another one in its place; but not in one like /tmp (sticky), since
 * it is root's. */
static int check_above(int folder_fd, struct error *e)
{
    struct stat st, below;
    _cleanup_close_ int fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(e, errno, "configuration: its folder cannot be looked at: %m");
    do {
        char name[64], path[PATH_MAX] = "a folder above";
        _cleanup_close_ int child = TAKE_FD(fd);
        below = st;
        fd = openat(child, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
            return error_set(e, errno, "configuration: a folder above it cannot be looked at: %m");
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, path, sizeof path - 1);
        path[n > 0 ? n : 0] = '\0';
        if (st.st_mode & S_ISVTX)
            st.st_mode &= ~(mode_t)0022;
        int r = check_owner(&st, path, e);
        if (r < 0)
            return r;
    } while (st.st_ino != below.st_ino || st.st_dev != below.st_dev);
    return 0;
}

static int open_folder(const char *path, enum config_trust trust, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return ABSENT;
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    int r = trust == CONFIG_ROOT_OWNED ? check_root_owned(fd, path, e) : 0;
    if (r == 0 && trust == CONFIG_ROOT_OWNED)
        r = check_above(fd, e);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* From a pipe or a device one could read for ever. */
static int check_regular(int fd, const char *path, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);
    if (S_ISREG(st.st_mode))
        return 0;
    return error_set(e, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, "%s: cannot be read: it is no regular file",
                     path);
}

/* Takes in `path`, whose last part is opened below `folder_fd`. With CONFIG_ROOT_OWNED the folder was checked
 * before (who can write to it can move in another file of root's), and a link is not followed (its target's
 * folder was not). */
static int add_file(struct config_reading *reading, int folder_fd, const char *path, enum config_trust trust,
                    struct error *e)
{
    const char *slash = strrchr(path, '/');
    int follow = trust == CONFIG_ROOT_OWNED ? O_NOFOLLOW : 0;
    _cleanup_close_ int fd =
        openat(folder_fd, slash ? slash + 1 : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);
    if (fd < 0 && errno == ENOENT)
        return ABSENT;
    if (fd < 0 && errno == ELOOP && follow)
        return error_set(e, -EPERM, "%s: is not believed: it is a symbolic link; put the file itself there",
                         path);
    if (fd < 0)
        return error_set(e, errno, "%s: cannot be read: %m", path);

    int r = check_regular(fd, path, e);
    if (r == 0 && trust == CONFIG_ROOT_OWNED)
        r = check_root_owned(fd, path, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    r = fd_read_text(fd, FILE_LIMIT_BYTES, &text, &size);
    if (r == -ENOMEM)
        return error_memory(e);
    if (r < 0)
        return error_set(e, r, "%s: cannot be read: %s", path, strerror(-r));
    return config_reading_add(reading, path, text, size, e);
}

static int ends_with_conf(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, ".conf");
}

/* By bytes: the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct config_reading *reading, int folder_fd, const char *folder, const char *name,
                     enum config_trust trust, struct error *e)
{
    _cleanup_free_ char *path = str_format("%s/%s", folder, name);
    return path ? add_file(reading, folder_fd, path, trust, e) : error_memory(e);
}

/* Every file of mayfly.conf.d. */
static int add_drop_ins(struct config_reading *reading, const char *folder, enum config_trust trust,
                        struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r != 0)
        return r;
    struct dirent **entries = NULL;
    int n = scandirat(fd, ".", &entries, ends_with_conf, by_name);
    if (n < 0)
        return error_set(e, errno, "%s: cannot be read: %m", folder);
    for (int i = 0; i < n; i++) {
        if (r >= 0)
            r = add_entry(reading, fd, folder, entries[i]->d_name, trust, e);
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int add_folder(struct config_reading *reading, const char *folder, enum config_trust trust,
                      struct error *e)
{
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r != 0)
        return r;
    r = add_entry(reading, fd, folder, "mayfly.conf", trust, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *drop_ins = str_format("%s/mayfly.conf.d", folder);
    return drop_ins ? add_drop_ins(reading, drop_ins, trust, e) : error_memory(e);
}

/* A file that the caller named: it must be there. */
static int add_named(struct config_reading *reading, const char *path, enum config_trust trust,
                     struct error *e)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? str_format("%.*s/", (int)(slash - path), path) : str_format("./");
    if (!folder)
        return error_memory(e);
    _cleanup_close_ int fd = -1;
    int r = open_folder(folder, trust, &fd, e);
    if (r == 0)
        r = add_file(reading, fd, path, trust, e);
    if (r == ABSENT)
        return error_set(e, -ENOENT, "%s: cannot be read: there is no such file", path);
    return r;
}

/* -EINVAL, with the sentence that `e` has or gets behind the place where the value stood. */
static int blame(const struct config_reading *reading, enum config_option option, struct error *e)
{
    if (reading->where[option][0])
        error_prefix(e, "%s: ", reading->where[option]);
    return -EINVAL;
}

static int check_volume_groups(const struct config_reading *reading, struct error *e)
{
    const struct config_list *groups = &reading->config.volume_groups;
    for (size_t i = 0; i < groups->n; i++) {
        const char *wrong =
            config_vg_name_valid(groups->item[i]) ? NULL : "cannot be the name of a volume group; see vgs";
        for (size_t j = 0; !wrong && j < i; j++)
            wrong = streq(groups->item[i], groups->item[j]) ? "is there twice" : NULL;
        if (!wrong)
            continue;
        error_set(e, -EINVAL, "[libvirt] images_volume_group: \"%s\" %s", groups->item[i], wrong);
        return blame(reading, config_option_volume_groups, e);
    }
    return 0;
}

static int check_cipher(const struct config_reading *reading, struct error *e)
{
    const struct config *c = &reading->config;
    if (cipher_check(c->cipher, c->key_size_bits, e) == 0)
        return 0;
    bool size_is_wrong = cipher_known(c->cipher) && reading->where[config_option_key_size_bits][0];
    return blame(reading, size_is_wrong ? config_option_key_size_bits : config_option_cipher, e);
}

static int check_path(const struct config_reading *reading, enum config_option option, const char *name,
                      const char *path, struct error *e)
{
    if (!*path || *path == '/')
        return 0;
    error_set(e, -EINVAL, "%s: \"%s\" does not begin with /", name, path);
    return blame(reading, option, e);
}

int config_reading_check(const struct config_reading *reading, struct error *e)
{
    const struct config *c = &reading->config;
    int r = check_cipher(reading, e);
    if (r < 0)
        return r;
    r = check_volume_groups(reading, e);
    if (r < 0)
        return r;
    r = check_path(reading, config_option_pool_path, "[pool] path", c->pool_path, e);
    if (r == 0)
        r = check_path(reading, config_option_local_directory, "[local] directory", c->local_directory, e);
    if (r < 0)
        return r;
    return check_path(reading, config_option_local_sealing_key_file, "[local] sealing_key_file",
                      c->local_sealing_key_file, e);
}

/* Ends each of the ways to read: `r` is how it went. */
static int finish(const struct config_reading *reading, int r, struct config *ret, struct error *e)
{
    if (r < 0)
        return r;
    r = config_reading_check(reading, e);
    if (r < 0)
        return r;
    *ret = reading->config;
    return 0;
}

int config_parse(const char *file, const char *text, size_t size, struct config *ret, struct error *e)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, config_reading_add(&reading, file, text, size, e), ret, e);
}

int config_load_folder(const char *folder, enum config_trust trust, struct config *ret, struct error *e)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, add_folder(&reading, folder, trust, e), ret, e);
}

int config_load(const char *path, enum config_trust trust, struct config *ret, struct error *e)
{
    if (!path)
        return config_load_folder(MAYFLY_SYSCONFDIR "/mayfly", trust, ret, e);
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, add_named(&reading, path, trust, e), ret, e);
}

int config_files(const char *path, char **ret, struct error *e)
{
    const char *file = MAYFLY_SYSCONFDIR "/mayfly/mayfly.conf",
               *folder = MAYFLY_SYSCONFDIR "/mayfly/mayfly.conf.d";
    struct dirent **entries = NULL;
    char *all = strdup(path ? path : access(file, F_OK) == 0 ? file : "");
    int n = path ? 0 : scandir(folder, &entries, ends_with_conf, by_name);
    for (int i = 0; i < n; i++) {
        char *longer =
            all ? str_format("%s%s%s/%s", all, *all ? ", " : "", folder, entries[i]->d_name) : NULL;
        free(all);
        all = longer;
        free(entries[i]);
    }
    free(entries);
    if (!all)
        return error_memory(e);
    *ret = all;
    return 0;
}

void config_defaults(struct config *ret)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    *ret = reading.config;
}

static bool text_ends(const char *text)
{
    return memchr(text, '\0', CONFIG_TEXT_MAX);
}

static bool list_is_whole(const struct config_list *list)
{
    if (list->n > CONFIG_LIST_MAX)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (!text_ends(list->item[i]))
            return false;
    return true;
}

static bool is_truth(const bool *field)
{
    unsigned char byte; /* a bool that is neither may not even be read as one */
    memcpy(&byte, field, sizeof byte);
    return byte <= 1;
}

bool config_is_whole(const struct config *c)
{
    bool whole = true;
#define WHOLE_BOOL(f)                                             is_truth(&c->f)
#define WHOLE_UINT(f)                                             true
#define WHOLE_SIZE(f)                                             true
#define WHOLE_WORD(f)                                             text_ends(c->f)
#define WHOLE_TEXT(f)                                             text_ends(c->f)
#define WHOLE_LIST(f)                                             list_is_whole(&c->f)
#define OPTION(group, name, kind, field, fallback, allowed, text) whole = whole && WHOLE_##kind(field);
#include "config/options.def"
#undef OPTION
#undef WHOLE_BOOL
#undef WHOLE_UINT
#undef WHOLE_SIZE
#undef WHOLE_WORD
#undef WHOLE_TEXT
#undef WHOLE_LIST
    return whole;
}

bool config_vg_name_valid(const char *vg)
{
    return *vg && *vg != '-' && strlen(vg) < VG_NAME_MAX && str_made_of(vg, "+_.-") && !streq(vg, ".") &&
           !streq(vg, "..");
}

bool config_has_volume_group(const struct config *c, const char *vg)
{
    for (size_t i = 0; i < c->volume_groups.n; i++)
        if (streq(c->volume_groups.item[i], vg))
            return true;
    return false;
}
