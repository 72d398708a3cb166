/* SPDX-License-Identifier: Apache-2.0 */
/* See local-identity.h. */
#include "keys/local-identity.h"

#include "base/fd.h"
#include "keys/local-folder.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define IDENTITY_NAME "identity"
#define RANDOM_BYTES  8

/* Reads "UID.RANDOM". */
static bool parse_identity(const char *place, unsigned *ret_uid)
{
    char random[2 * RANDOM_BYTES + 1] = "", again[KEY_PLACE_MAX];
    if (sscanf(place, "%10u.%16[0-9a-f]", ret_uid, random) != 2 || strlen(random) != 2 * RANDOM_BYTES)
        return false;
    snprintf(again, sizeof again, "%u.%s", *ret_uid, random);
    return streq(again, place);
}

bool local_identity_foreign(const char *place, char ret_name[64])
{
    unsigned uid = 0;
    if (!parse_identity(place, &uid) || uid == geteuid())
        return false;
    const struct passwd *user = getpwuid(uid);
    snprintf(ret_name, 64, "%.40s (%u)", user ? user->pw_name : "unknown", uid);
    return true;
}

int local_identity_read(int folder_fd, const char *path, char ret[KEY_PLACE_MAX], struct error *e)
{
    _cleanup_close_ int fd = openat(folder_fd, IDENTITY_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    unsigned uid = 0;
    if (fd < 0 && errno == ENOENT) {
        ret[0] = '\0';
        return 0;
    }
    int r = fd < 0 ? -errno : fd_read_text(fd, KEY_PLACE_MAX - 1, &text, &size);
    if (r < 0 && r != -EFBIG)
        return error_set(e, local_errno(r), "key folder %s: its file " IDENTITY_NAME " cannot be read: %s",
                         path, strerror(-r));
    if (r == 0 && size && text[size - 1] == '\n')
        text[--size] = '\0';
    if (r < 0 || strlen(text) != size || !parse_identity(text, &uid))
        return error_set(e, -EKEYREJECTED,
                         "key folder %s: its file " IDENTITY_NAME " is damaged, so nobody can tell which "
                         "folder it is; restore it: the references of its keys have that line (UID.RANDOM)",
                         path);
    memcpy(ret, text, size + 1);
    return 0;
}

/* Looks into the text of the folder's keys for the identity under which one was made; "": none. */
static int identity_of_keys(int folder_fd, char ret[KEY_PLACE_MAX], struct error *e)
{
    _cleanup_free_ char(*ids)[UUID_TEXT] = NULL;
    size_t n = 0;
    int r = local_folder_list(folder_fd, &ids, &n, e);
    ret[0] = '\0';
    for (size_t i = 0; r == 0 && !ret[0] && i < n; i++) {
        uint8_t file[LOCAL_FILE_MAX];
        size_t size = 0, header_bytes = 0;
        struct key_info info;
        if (local_folder_read(folder_fd, ids[i], file, sizeof file, &size) == 0)
            (void)!local_file_parse(file, size, &info, ret, &header_bytes, NULL);
    }
    return r;
}

static int make_identity(int folder_fd, const char *path, struct error *e)
{
    uint8_t random[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1], line[KEY_PLACE_MAX];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return error_set(e, -EIO, "random numbers: the kernel gives none: %m");
    str_hex(random, sizeof random, hex);
    int n = snprintf(line, sizeof line, "%u.%s\n", geteuid(), hex);
    int r = fd_add_file(folder_fd, IDENTITY_NAME, line, (size_t)n);
    if (r == -EOPNOTSUPP)
        return error_set(e, r,
                         "key folder %s: its file system cannot make files that are whole or not there "
                         "(O_TMPFILE); set [local] directory to one on ext4 or XFS",
                         path);
    if (r < 0 && r != -EEXIST) /* -EEXIST: another mayfly was quicker, so there is one */
        return error_set(e, local_errno(r), "key folder %s: its file " IDENTITY_NAME " cannot be made: %s",
                         path, strerror(-r));
    return 0;
}

int local_identity_ensure(int folder_fd, const char *path, char ret[KEY_PLACE_MAX], struct error *e)
{
    char older[KEY_PLACE_MAX];
    int r = local_identity_read(folder_fd, path, ret, e);
    if (r < 0 || ret[0])
        return r;
    r = identity_of_keys(folder_fd, older, e);
    if (r == 0 && older[0]) { /* another mayfly may have made both since the first look */
        r = local_identity_read(folder_fd, path, ret, e);
        return r < 0 || ret[0]
                   ? r
                   : error_set(e, -EKEYREJECTED,
                               "key folder %s: its file " IDENTITY_NAME
                               " is missing, and keys in it were made under %s; restore the file, "
                               "which has that one line",
                               path, older);
    }
    if (r == 0)
        r = make_identity(folder_fd, path, e);
    return r < 0 ? r : local_identity_read(folder_fd, path, ret, e);
}
