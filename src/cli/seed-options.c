/* SPDX-License-Identifier: Apache-2.0 */
/* See seed-options.h. */
#include "cli/seed-options.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX   (64 << 10)
#define SEED_IMAGE_MAX (4 << 20)
#define BLOCK_BYTES    4096

static int set_ssh_key(void *target, const char *value, struct error *e)
{
    struct seed_options *o = target;
    if (streq(value, "none")) {
        o->no_keys = true;
        return 0;
    }
    if (o->key_paths.n == CONFIG_LIST_MAX)
        return error_set(e, -EINVAL, "at most %d files with keys", CONFIG_LIST_MAX);
    if (str_copy(o->key_paths.item[o->key_paths.n], CONFIG_TEXT_MAX, value) < 0 || !*value)
        return error_set(e, -EINVAL, "this file name is empty, or too long");
    o->key_paths.n++;
    return 0;
}

CLI_TEXT(set_user_data, struct seed_options, user_data_path)
CLI_TEXT(set_hostname, struct seed_options, seed.hostname)
const struct cli_option seed_options[] = {
    {"ssh-key", 0, "FILE", "public SSH keys, on the seed disk; or none", set_ssh_key},
    {"user-data", 0, "FILE", "user data for cloud-init, on the seed disk", set_user_data},
    {"hostname", 0, "NAME", "host name, on the seed disk; else the instance's name", set_hostname},
    {0},
};

static int open_file(const char *what, const char *path, int *ret, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set(e, errno, "%s %s: cannot be opened: %m", what, path);
    *ret = fd;
    return 0;
}

/* Appends a file to the keys that were read so far. */
static int add_keys(struct seed_options *o, const char *path, struct error *e)
{
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r = open_file("SSH key", path, &fd, e);
    if (r < 0)
        return r;
    r = fd_read_text(fd, KEY_FILE_MAX, &text, &size);
    if (r < 0)
        return error_set(e, r, "SSH key %s: cannot be read: %s", path, strerrordesc_np(-r));
    struct error why = ERROR_NONE;
    r = strlen(text) < size ? error_set(&why, -EINVAL, "SSH keys: it is not a text file; name a .pub file")
                            : seed_check_ssh_keys(text, &why);
    if (r < 0) {
        error_prefix(&why, "%s: ", path);
        return error_pass(e, r, &why);
    }
    char *both = str_format("%s%s\n", o->keys ? o->keys : "", text);
    if (!both)
        return error_memory(e);
    free(o->keys);
    o->seed.ssh_keys = o->keys = both;
    return 0;
}

/* Reads the user data to its end, since a pipe does not tell its size. */
static int read_user_data(struct seed_options *o, struct error *e)
{
    _cleanup_secret_ struct secret *most = NULL;
    _cleanup_close_ int fd = -1;
    size_t n = 0;
    ssize_t got = 1;
    int r = open_file("user data", o->user_data_path, &fd, e);
    if (r == 0)
        r = secret_new(SEED_USER_DATA_MAX + 1, &most, e);
    if (r < 0)
        return r;
    while (got > 0 && n < secret_size(most)) {
        got = read(fd, secret_bytes(most) + n, secret_size(most) - n);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            return error_set(e, errno, "user data %s: cannot be read: %m", o->user_data_path);
        else
            n += (size_t)got;
    }
    if (n == 0 || n > SEED_USER_DATA_MAX)
        return error_set(e, -EINVAL, "user data %s: is %s", o->user_data_path,
                         n == 0 ? "empty" : "larger than 256 KiB");
    r = secret_new(n, &o->user_data, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(o->user_data), secret_peek(most), n);
    o->seed.user_data = o->user_data;
    return 0;
}

int seed_options_read(struct seed_options *o, struct error *e)
{
    int r = 0;
    if (o->no_keys && o->key_paths.n)
        return error_set(e, -EINVAL, "--ssh-key: none and a file exclude each other");
    for (size_t i = 0; r == 0 && i < o->key_paths.n; i++)
        r = add_keys(o, o->key_paths.item[i], e);
    return r < 0 || !o->user_data_path ? r : read_user_data(o, e);
}

int seed_options_add_configured(struct seed_options *o, const struct config *c, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && !o->no_keys && !o->key_paths.n && i < c->launch_ssh_keys.n; i++)
        r = add_keys(o, c->launch_ssh_keys.item[i], e);
    if (r < 0)
        error_append(e, "; [launch] ssh_key in the configuration names it");
    return r;
}

int seed_image_read(const char *path, struct secret **ret, struct error *e)
{
    _cleanup_secret_ struct secret *image = NULL;
    _cleanup_close_ int fd = -1;
    struct stat st;
    int r = open_file("seed image", path, &fd, e);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return error_set(e, errno, "seed image %s: cannot be read: %m", path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size > SEED_IMAGE_MAX)
        return error_set(e, -EINVAL, "seed image %s: is %s", path,
                         !S_ISREG(st.st_mode) ? "not a regular file"
                         : st.st_size == 0    ? "empty"
                                              : "larger than 4 MiB");
    size_t size = (size_t)st.st_size;
    r = secret_new((size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES, &image, e);
    if (r < 0)
        return r;
    r = fd_pread_all(fd, secret_bytes(image), size, 0);
    if (r < 0)
        return error_set(e, r, "seed image %s: cannot be read: %s", path, strerrordesc_np(-r));
    *ret = TAKE_PTR(image);
    return 0;
}

void seed_options_end(struct seed_options *o)
{
    free(o->keys);
    secret_free(o->user_data);
}
