/* SPDX-License-Identifier: Apache-2.0 */
/* Syncs the folders of libvirt's definitions, as libvirt does not: a power cut could bring back a definition
 * that was removed. */
#include "virt/connection.h"

#include "base/fd.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

/* Syncs a folder. Returns 1 if this user may not open it. */
static int sync_folder(const char *folder, bool may_lack, struct error *e)
{
    _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && may_lack && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == EACCES)
        return 1;
    if (fd < 0 || fsync(fd) < 0)
        return error_set(e, errno, "%s: cannot be synced, so a power cut may undo changes of its domains: %m",
                         folder);
    return 0;
}

/* Syncs the folders of this user's daemon, found as GLib does. They do not exist before the first
 * definition. */
static int sync_own(struct error *e)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    bool own = config && *config == '/';
    if (!home || *home != '/')
        home = user ? user->pw_dir : "/";
    _cleanup_free_ char *folder = str_format("%s%s/libvirt/qemu", own ? config : home, own ? "" : "/.config");
    _cleanup_free_ char *autostart = folder ? str_format("%s/autostart", folder) : NULL;
    if (!autostart)
        return error_memory(e);
    int r = sync_folder(folder, true, e);
    if (r == 0)
        r = sync_folder(autostart, true, e);
    return r > 0 ? error_set(e, -EACCES, "%s: cannot be synced by its own user", folder) : r;
}

int definitions_make_durable(struct virt *v, struct error *e)
{
    _cleanup_free_ char *uri = vir.ConnectGetURI(libvirt_of(v));
    if (uri && streq(uri, "qemu:///session"))
        return sync_own(e);
    if (!uri || !streq(uri, "qemu:///system"))
        return 0;
    int r = sync_folder(DOMAIN_DEFINITIONS, false, e);
    if (r == 0)
        r = sync_folder(DOMAIN_AUTOSTART, true, e);
    if (r > 0 && v->sync)
        return v->sync(v->sync_data, e);
    return r > 0 ? error_set(e, -EACCES, "%s: cannot be synced by this user", DOMAIN_DEFINITIONS) : r;
}
