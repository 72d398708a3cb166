/* SPDX-License-Identifier: Apache-2.0 */
/* Opens clouds.yaml, secure.yaml and files of certificates where openstacksdk looks for them, while this
 * process may still be root. Only the manager parses them. Here clouds.yaml is only searched, as text, for
 * the names of files of certificates. */
#include "keys/context-files.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOUDS_MAX     (1 << 20) /* bytes; a longer file is refused by the manager */
#define LINE_MAX_BYTES 4096

static int copy_name(const char *variable, char **ret, struct error *e)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        return 0;
    *ret = strdup(value);
    return *ret ? 0 : error_memory(e);
}

int key_files_name(struct key_files *f, struct error *e)
{
    int r = copy_name("OS_CLIENT_CONFIG_FILE", &f->clouds, e);
    if (r == 0)
        r = copy_name("OS_CLIENT_SECURE_FILE", &f->secure, e);
    return r < 0 ? r : copy_name("OS_CACERT", &f->cacert, e);
}

void key_files_end(struct key_files *f)
{
    free(f->clouds);
    free(f->secure);
    free(f->cacert);
}

static const char *home(void)
{
    const char *named = getenv("HOME");
    const struct passwd *user = named && *named ? NULL : getpwuid(getuid());
    return user ? user->pw_dir : named;
}

/* Opens regular files only: opening a device may have an effect. */
static int open_regular(const char *path)
{
    struct stat st;
    char name[32];
    _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -EINVAL;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int file = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return file < 0 ? -errno : file;
}

/* Expands "~/x" to a path below the home folder. NULL: out of memory. */
static char *expand(const char *path)
{
    const char *h = home();
    return path[0] == '~' && (path[1] == '/' || !path[1]) && h ? str_format("%s%s", h, path + 1)
                                                               : strdup(path);
}

/* Refuses another user's file: clouds.yaml decides where credentials are sent, and the working directory may
 * be anybody's. */
static int check_owner(int fd, const char *path, struct error *e)
{
    struct stat st;
    char owner[USER_NAME_MAX];
    if (fstat(fd, &st) < 0)
        return error_set(e, -errno, "%s: cannot be read: %s", path, strerror(errno));
    if (st.st_uid != 0 && st.st_uid != getuid())
        return error_set(e, -EACCES,
                         "%s: belongs to user %s, and would say where credentials are sent; name it by "
                         "OS_CLIENT_CONFIG_FILE or OS_CLIENT_SECURE_FILE if it is meant",
                         path, user_name(st.st_uid, owner));
    return 0;
}

/* Opens `name`.yaml, .yml or .json in the first of the folders that has one which can be read. *ret_fd -1:
 * none. */
static int open_first(const char *name, int *ret_fd, struct error *e)
{
    static const char *const suffixes[] = {"yaml", "yml", "json"};
    const char *config = getenv("XDG_CONFIG_HOME"), *site = getenv("XDG_CONFIG_DIRS"), *h = home();
    const struct {
        const char *folder, *below;
    } places[] = {
        {".", ""},
        {config, "/openstack"},
        {h, "/.config/openstack"},
        {site && *site ? site : "/etc/xdg", "/openstack"},
        {"/etc", "/openstack"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        for (size_t n = 0; n < ARRAY_SIZE(suffixes); n++) {
            char path[PATH_MAX];
            const char *folder = places[i].folder;
            if (!folder || !*folder ||
                snprintf(path, sizeof path, "%s%s/%s.%s", folder, places[i].below, name, suffixes[n]) >=
                    (int)sizeof path)
                continue;
            _cleanup_close_ int fd = open_regular(path);
            if (fd < 0)
                continue;
            int r = streq(folder, ".") ? check_owner(fd, path, e) : 0;
            if (r == 0)
                *ret_fd = TAKE_FD(fd);
            return r;
        }
    *ret_fd = -1;
    return 0;
}

static int open_named(const char *variable, const char *path, const char *name, int *ret_fd, struct error *e)
{
    if (!path)
        return open_first(name, ret_fd, e);
    int fd = open_regular(path);
    if (fd < 0)
        return error_set(e, fd, "%s %s: cannot be read: %s", variable, path, strerror(-fd));
    *ret_fd = fd;
    return 0;
}

/* --- files of certificates --- */

static void add_ca(struct key_context *who, const char *path)
{
    _cleanup_free_ char *expanded = NULL;
    for (size_t i = 0; i < KEY_CA_MAX; i++) {
        if (who->ca[i].fd >= 0 && streq(who->ca[i].path, path))
            return;
        if (who->ca[i].fd >= 0)
            continue;
        expanded = expand(path);
        int fd = expanded && strlen(path) < KEY_CA_PATH_MAX ? open_regular(expanded) : -1;
        if (fd >= 0 && str_copy(who->ca[i].path, KEY_CA_PATH_MAX, path) == 0)
            who->ca[i].fd = fd;
        return;
    }
}

/* Notes the value behind `cacert:` or `verify:`, which ends on the same line. */
static void add_value(struct key_context *who, const char *at, const char *end)
{
    char path[KEY_CA_PATH_MAX];
    size_t n = 0;
    at += at < end && (*at == '"' || *at == '\'');
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || *at++ != ':')
        return;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at < end && *at == '&') /* an anchor */
        while (at < end && *at != ' ' && *at != '\n')
            at++;
    while (at < end && *at == ' ')
        at++;
    char quote = at < end && (*at == '"' || *at == '\'') ? *at++ : '\0';
    while (at < end && n < sizeof path - 1 && *at != '\n' && *at != '\r' &&
           (quote ? *at != quote : *at != ',' && *at != '}'))
        path[n++] = *at++;
    while (n > 0 && !quote && (path[n - 1] == ' ' || path[n - 1] == '\t'))
        n--;
    path[n] = '\0';
    char *comment = quote ? NULL : strstr(path, " #");
    while (comment && comment > path && comment[-1] == ' ')
        comment--;
    if (comment)
        *comment = '\0';
    if (strpbrk(path, "/."))
        add_ca(who, path);
}

static void search_line(struct key_context *who, const char *line, const char *end)
{
    static const char *const names[] = {"cacert", "ca_file", "ca-file", "verify"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *at = line;
        while ((at = memmem(at, (size_t)(end - at), names[i], strlen(names[i]))))
            add_value(who, at += strlen(names[i]), end);
    }
}

/* Reads line by line into a buffer that is wiped, since the file may hold passwords. The rest of a line
 * behind LINE_MAX_BYTES is not seen. */
static void search_clouds(struct key_context *who, int fd)
{
    char buffer[LINE_MAX_BYTES];
    off_t offset = 0;
    ssize_t n = 0;
    while (fd >= 0 && (n = pread(fd, buffer, sizeof buffer, offset)) > 0 && offset < CLOUDS_MAX) {
        const char *newline = memrchr(buffer, '\n', (size_t)n);
        const char *end = newline ? newline + 1 : buffer + n;
        for (const char *line = buffer; line < end;) {
            const char *stop = memchr(line, '\n', (size_t)(end - line));
            stop = stop ? stop : end;
            search_line(who, line, stop);
            line = stop + 1;
        }
        offset += end - buffer;
    }
    explicit_bzero(buffer, sizeof buffer);
}

int key_files_open(const struct key_files *f, struct key_context *ret, struct error *e)
{
    int r = 0;
    if (ret->cloud[0])
        r = open_named("OS_CLIENT_CONFIG_FILE", f->clouds, "clouds", &ret->clouds_fd, e);
    if (r == 0 && ret->cloud[0])
        r = open_named("OS_CLIENT_SECURE_FILE", f->secure, "secure", &ret->secure_fd, e);
    if (r < 0)
        return r;
    if (f->cacert)
        add_ca(ret, f->cacert);
    if (f->config->barbican_ca_file[0])
        add_ca(ret, f->config->barbican_ca_file);
    search_clouds(ret, ret->clouds_fd);
    search_clouds(ret, ret->secure_fd);
    return 0;
}
