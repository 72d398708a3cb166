/* SPDX-License-Identifier: Apache-2.0 */
/* Syncs the folders of libvirt's definitions, as libvirt does not: a power cut could bring back a definition
 * that was removed. */
#include "virt/connection.h"

#include "base/fd.h"
#include "base/user.h"

#include <fcntl.h>
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

int definitions_of_user(char **ret, struct error *e)
{
    _cleanup_free_ char *config = NULL;
    int r = user_config_folder(&config);
    if (r == -ENOENT)
        return error_set(e, r, "user %u: has no home folder, where libvirt keeps domains; set HOME",
                         geteuid());
    *ret = r == 0 ? str_format("%s/libvirt/qemu", config) : NULL;
    return *ret ? 0 : error_memory(e);
}

/* Syncs the folders of this user's daemon. They do not exist before the first definition. */
static int sync_own(struct error *e)
{
    _cleanup_free_ char *folder = NULL;
    int r = definitions_of_user(&folder, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *autostart = str_format("%s/autostart", folder);
    if (!autostart)
        return error_memory(e);
    r = sync_folder(folder, true, e);
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
