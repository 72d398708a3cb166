/* SPDX-License-Identifier: Apache-2.0 */
/* See place.h. Programs in a build folder carry a mark: a run path (meson's build_rpath) that names no real
 * folder. meson removes it from installed programs. */
#include "base/place.h"

#include "base/str.h"
#include "build-config.h"

#include <link.h>
#include <stdio.h>
#include <unistd.h>

/* Returns the run path of this program; NULL if it has none. */
static const char *run_path(void)
{
    const ElfW(Addr) base = _r_debug.r_map ? _r_debug.r_map->l_addr : 0;
    const char *texts = NULL;
    ElfW(Xword) at = 0;
    for (const ElfW(Dyn) *d = _r_debug.r_map ? _r_debug.r_map->l_ld : NULL; d && d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_STRTAB)
            texts = (const char *)(d->d_un.d_ptr < base ? base + d->d_un.d_ptr : d->d_un.d_ptr);
        else if (d->d_tag == DT_RUNPATH || d->d_tag == DT_RPATH)
            at = d->d_un.d_val;
    }
    return texts && at ? texts + at : NULL;
}

/* Finds the root of the build folder above this program: it has src/ and tests/ in it. */
static bool find_root(char root[PATH_MAX])
{
    const char *path = run_path();
    ssize_t n = path && strstr(path, MAYFLY_BUILD_MARK) ? readlink("/proc/self/exe", root, PATH_MAX - 1) : -1;
    if (n <= 0)
        return false;
    root[n] = '\0';
    for (char *slash; (slash = strrchr(root, '/'));) {
        *slash = '\0';
        if (str_ends(root, "/src") || str_ends(root, "/tests") || str_ends(root, "/bench")) {
            *strrchr(root, '/') = '\0';
            return true;
        }
    }
    return false;
}

void place_find(const char *folder, const char *name, char path[PATH_MAX])
{
    char root[PATH_MAX];
    if (!find_root(root))
        snprintf(path, PATH_MAX, MAYFLY_LIBEXECDIR "/%s", name);
    else if (snprintf(path, PATH_MAX, "%s/%s/%s", root, folder, name) >= PATH_MAX)
        path[0] = '\0';
}
