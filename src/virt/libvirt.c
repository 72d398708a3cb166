/* SPDX-License-Identifier: Apache-2.0 */
/* See libvirt.h. */
#include "virt/libvirt.h"

#include <dlfcn.h>
#include <string.h>

#define SONAME "libvirt.so.0"

struct libvirt vir;

/* Finds a function of libvirt. `function` points to a function pointer: dlsym() returns another type of the
 * same size. */
static int find(void *library, const char *name, void *function, struct error *e)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found ? 0 : error_set(e, -ENOENT, "libvirt: %s has no %s; install a newer libvirt", SONAME, name);
}

int libvirt_load(struct error *e)
{
    static void *library; /* never unloaded: libvirt has threads and thread-local keys */
    if (library)
        return 0;
    void *opened = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!opened)
        return error_set(e, -ENOENT, "libvirt: cannot be loaded: %s; install libvirt0", dlerror());
    int r = 0;
#define LIBVIRT(name) r = r < 0 ? r : find(opened, "vir" #name, &vir.name, e);
#include "virt/libvirt.def"
#undef LIBVIRT
    library = r < 0 ? NULL : opened;
    return r;
}
