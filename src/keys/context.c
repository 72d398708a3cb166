/* SPDX-License-Identifier: Apache-2.0 */
/* See context.h. */
#include "keys/context.h"

#include "base/fd.h"
#include "base/str.h"
#include "keys/context-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

#define TOKEN_MAX 16384
#define PREFIX    "OS_"

/* Whether the variable may hold a secret. Better one too many: OS_PASSWORD, OS_ACCESS_TOKEN,
 * OS_CLIENT_SECRET, OS_PASSCODE, ... */
static bool holds_secret(const char *variable)
{
    static const char *const parts[] = {"PASSWORD", "PASSCODE", "TOKEN", "SECRET", "OAUTH"};
    size_t n = strcspn(variable, "=");
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (memmem(variable, n, parts[i], strlen(parts[i])))
            return true;
    return false;
}

static int copy_variables(struct secret **ret, struct error *e)
{
    size_t size = 0, at = 0;
    for (char **v = environ; v && *v; v++)
        if (str_starts(*v, PREFIX))
            size += strlen(*v) + 1;
    if (size == 0)
        return 0;
    if (size > KEY_ENVIRONMENT_MAX)
        return error_set(e, -E2BIG, "OS_* variables: are longer than %d bytes", KEY_ENVIRONMENT_MAX);
    int r = secret_new(size, ret, e);
    for (char **v = environ; r == 0 && *v; v++)
        if (str_starts(*v, PREFIX)) {
            size_t n = strlen(*v) + 1;
            memcpy(secret_bytes(*ret) + at, *v, n);
            at += n;
        }
    return r;
}

/* Clears the variables. Secrets are overwritten where the kernel put them at exec, since /proc/PID/environ
 * shows that memory. */
static void clear_variables(void)
{
    for (char **v = environ; v && *v;) {
        if (!str_starts(*v, PREFIX)) {
            v++;
            continue;
        }
        char *value = strchr(*v, '=');
        if (value && holds_secret(*v))
            explicit_bzero(value + 1, strlen(value + 1));
        for (char **next = v; (next[0] = next[1]); next++) {
        }
    }
}

static int read_token(int fd, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *room = NULL;
    size_t n = 0;
    int r = secret_new(TOKEN_MAX + 1, &room, e);
    if (r < 0)
        return r;
    for (;;) {
        ssize_t got = read(fd, secret_bytes(room) + n, TOKEN_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(e, errno, "--token-fd %d: cannot be read: %m", fd);
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > TOKEN_MAX)
            return error_set(e, -EINVAL, "--token-fd %d: has more than the %d bytes of a token", fd,
                             TOKEN_MAX);
    }
    while (n > 0 && (secret_peek(room)[n - 1] == '\n' || secret_peek(room)[n - 1] == '\r'))
        n--;
    if (n == 0)
        return error_set(e, -EINVAL, "--token-fd %d: has no token", fd);
    r = secret_new(n, ret, e);
    if (r == 0)
        memcpy(secret_bytes(*ret), secret_peek(room), n);
    return r;
}

static int open_in(const char *folder, const char *below, const char *name)
{
    char path[PATH_MAX];
    if (!folder || !*folder ||
        snprintf(path, sizeof path, "%s%s/%s", folder, below, name) >= (int)sizeof path)
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

/* Opens the host's password, which only root may read. A systemd credential lies in a folder that only its
 * service can read, so its mode is not checked. */
static int open_host_secret(const struct config *c, int *ret_fd, struct error *e)
{
    _cleanup_close_ int fd = open_in(getenv("CREDENTIALS_DIRECTORY"), "", "mayfly.barbican");
    struct stat st;
    if (fd >= 0) {
        *ret_fd = TAKE_FD(fd);
        return 0;
    }
    fd = *c->host_password_file ? open(c->host_password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
                                : -1;
    if (fd < 0) /* missing, or not readable by this user: then the host's credentials are not for him */
        return 0;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077))
        return error_set(
            e, -EPERM,
            "%s: holds the password or secret of the host, but others than its owner can read it; chmod 600",
            c->host_password_file);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int key_context_take(const struct config *c, const char *cloud, int token_fd, struct key_context *ret,
                     struct error *e)
{
    _cleanup_(key_files_end) struct key_files files = {.config = c};
    *ret = KEY_CONTEXT_NONE;
    if (!cloud && !(cloud = getenv("OS_CLOUD")))
        cloud = "";
    int r = str_copy(ret->cloud, sizeof ret->cloud, cloud);
    if (r < 0)
        return error_set(e, r, "cloud %.64s: its name is too long", cloud);
    r = key_files_name(&files, e);
    if (r == 0)
        r = copy_variables(&ret->environment, e);
    clear_variables();
    if (r == 0 && token_fd >= 0)
        r = read_token(token_fd, &ret->token, e);
    if (r == 0)
        r = key_files_open(&files, ret, e);
    return r < 0 ? r : open_host_secret(c, &ret->host_secret_fd, e);
}

/* Whether it is a variable that openstack.c takes for somebody's credentials. Others only say where to ask,
 * and for what. */
static bool names_caller(const char *variable)
{
    static const char *const names[] = {"OS_AUTH_URL=",
                                        "OS_USERNAME=",
                                        "OS_USER_NAME=",
                                        "OS_USER_ID=",
                                        "OS_TOKEN=",
                                        "OS_AUTH_TOKEN=",
                                        "OS_APPLICATION_CREDENTIAL_SECRET="};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_starts(variable, names[i]))
            return variable[strlen(names[i])] != '\0';
    return false;
}

bool key_context_names_caller(const struct key_context *who)
{
    bool names = who->token || who->cloud[0];
    size_t size = who->environment ? secret_size(who->environment) : 0;
    for (size_t at = 0; !names && at < size;) {
        const char *variable = (const char *)secret_peek(who->environment) + at;
        names = names_caller(variable);
        at += strlen(variable) + 1;
    }
    return names;
}

void key_context_end(struct key_context *who)
{
    who->environment = secret_free(who->environment);
    who->token = secret_free(who->token);
    who->clouds_fd = fd_close(who->clouds_fd);
    who->secure_fd = fd_close(who->secure_fd);
    who->host_secret_fd = fd_close(who->host_secret_fd);
    for (size_t i = 0; i < KEY_CA_MAX; i++)
        who->ca[i].fd = fd_close(who->ca[i].fd);
}
