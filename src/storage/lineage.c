/* SPDX-License-Identifier: Apache-2.0 */
/* See lineage.h. What cannot be read leads nowhere: /sys is the kernel's, and can be read by everybody. */
#include "storage/lineage.h"

#include "base/fd.h"
#include "storage/dmcrypt.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEPTH_MAX 8   /* maps over maps that are followed */
#define DM_TEXT   256 /* a name or uuid in device-mapper */

struct walk {
    const char *root;
    const char *own;
};

/* Reads the first line of a file of the device; empty if there is none. */
static void read_line(const struct walk *w, dev_t device, const char *file, char *line, size_t size)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/sys/dev/block/%u:%u/%s", w->root, major(device), minor(device), file);
    file_line(path, line, size);
}

/* Reads "254:3"; 0 if it is not such a text. */
static dev_t parse_number(const char *text)
{
    unsigned major_number = 0, minor_number = 0;
    return sscanf(text, "%u:%u", &major_number, &minor_number) == 2 ? makedev(major_number, minor_number) : 0;
}

/* Copies the next part of the name that LVM gives a device: GROUP-VOLUME-LAYER, with each hyphen of a part
 * doubled. Returns the rest of the name. */
static const char *next_part(const char *name, char *part, size_t size)
{
    size_t n = 0;
    while (*name && !(name[0] == '-' && name[1] != '-')) {
        if (n + 1 < size)
            part[n++] = *name;
        name += name[0] == '-' ? 2 : 1;
    }
    part[n] = '\0';
    return *name ? name + 1 : name;
}

/* Whether that is the name of an instance's volume: UUID_disk, or UUID_disk.ROLE. */
static bool take_instance(const char *lv, char instance[UUID_TEXT])
{
    snprintf(instance, UUID_TEXT, "%.36s", lv);
    return strlen(lv) >= UUID_TEXT - 1 && uuid_valid(instance) && str_starts(lv + UUID_TEXT - 1, "_disk");
}

/* Reads a map's name: the volume below it, and the instance of that volume. */
static bool take_map(const char *name, struct reached *ret)
{
    bool suffix = str_ends(name, MAP_NAME_SUFFIX);
    snprintf(ret->lv, sizeof ret->lv, "%.*s", (int)(strlen(name) - (suffix ? strlen(MAP_NAME_SUFFIX) : 0)),
             name);
    return take_instance(ret->lv, ret->instance) && suffix;
}

/* Whether the name says that this is an instance's volume. `through_lvm`: the walk came here through another
 * volume. Then the layers of a snapshot do not count as a way to its origin. */
static bool is_volume(const char *dm_name, bool through_lvm, struct reached *ret)
{
    char layer[32];
    const char *rest = next_part(dm_name, ret->vg, sizeof ret->vg);
    rest = next_part(rest, ret->lv, sizeof ret->lv);
    next_part(rest, layer, sizeof layer);
    return take_instance(ret->lv, ret->instance) &&
           !(through_lvm && (streq(layer, "real") || streq(layer, "cow")));
}

static enum lineage look(const struct walk *w, dev_t device, unsigned depth, bool through_lvm,
                         struct reached *ret);

/* Looks at each device in `folder` of sysfs, which is "slaves" or "holders". */
static enum lineage look_at_all(const struct walk *w, dev_t device, const char *folder, unsigned depth,
                                bool through_lvm, struct reached *ret)
{
    char path[PATH_MAX], number[32];
    enum lineage found = LINEAGE_NONE;
    snprintf(path, sizeof path, "%s/sys/dev/block/%u:%u/%s", w->root, major(device), minor(device), folder);
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *entry; !found && d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%.100s/dev", folder, entry->d_name);
        read_line(w, device, path, number, sizeof number);
        dev_t next = parse_number(number);
        if (next && streq(folder, "slaves"))
            found = look(w, next, depth + 1, through_lvm, ret);
        else if (next) { /* upwards only volumes count: a user of the physical volume reaches them */
            char uuid[DM_TEXT], name[DM_TEXT];
            read_line(w, next, "dm/uuid", uuid, sizeof uuid);
            read_line(w, next, "dm/name", name, sizeof name);
            found = str_starts(uuid, "LVM-") && is_volume(name, false, ret) ? LINEAGE_VOLUME : LINEAGE_NONE;
        }
    }
    return found;
}

static enum lineage look_below(const struct walk *w, dev_t device, unsigned depth, bool through_lvm,
                               struct reached *ret)
{
    char line[PATH_MAX];
    struct stat st;
    read_line(w, device, "loop/backing_file", line, sizeof line);
    if (line[0] && stat(line, &st) == 0 && S_ISBLK(st.st_mode))
        return look(w, st.st_rdev, depth + 1, through_lvm, ret);
    read_line(w, device, "partition", line, sizeof line);
    if (line[0]) {
        read_line(w, device, "../dev", line, sizeof line);
        dev_t whole = parse_number(line);
        return whole ? look(w, whole, depth + 1, through_lvm, ret) : LINEAGE_NONE;
    }
    return look_at_all(w, device, "slaves", depth, through_lvm, ret);
}

static enum lineage look(const struct walk *w, dev_t device, unsigned depth, bool through_lvm,
                         struct reached *ret)
{
    char uuid[DM_TEXT], name[DM_TEXT];
    if (depth > DEPTH_MAX)
        return LINEAGE_NONE;
    read_line(w, device, "dm/uuid", uuid, sizeof uuid);
    read_line(w, device, "dm/name", name, sizeof name);
    bool lvm = str_starts(uuid, "LVM-");
    if (lvm && is_volume(name, through_lvm, ret))
        return LINEAGE_VOLUME;
    if (str_starts(uuid, MAP_UUID_PREFIX)) {
        take_map(name, ret);
        return streq(ret->instance, w->own) ? LINEAGE_NONE : LINEAGE_MAP;
    }
    if (str_starts(uuid, "CRYPT-")) /* what is written there is enciphered before it comes down */
        return LINEAGE_NONE;
    enum lineage found = look_below(w, device, depth, through_lvm || lvm, ret);
    return found || depth > 0 ? found : look_at_all(w, device, "holders", depth, false, ret);
}

enum lineage lineage_of(const char *root, dev_t device, const char *own, struct reached *ret)
{
    const struct walk w = {root, own};
    memset(ret, 0, sizeof *ret);
    ret->kind = look(&w, device, 0, false, ret);
    return ret->kind;
}

/* Whether the path is that of the host's folder of sockets, or ".../mayfly/<lv>", in whatever folder the user
 * had for sockets when he defined the domain. */
static bool is_socket(const char *path, const char *lv, struct reached *ret)
{
    static const char host[] = SOCKETS_OF_HOST, folder[] = "/mayfly";
    size_t n = sizeof folder - 1, length = (size_t)(lv - path);
    bool of_host = length == sizeof host - 1 && memcmp(path, host, length) == 0;
    if (!of_host && (length < n || memcmp(lv - n, folder, n) != 0))
        return false;
    if (strlen(lv + 1) >= sizeof ret->lv)
        return false;
    snprintf(ret->lv, sizeof ret->lv, "%.63s", lv + 1);
    return take_instance(ret->lv, ret->instance);
}

void lineage_plain_path(const char *path, char field[PATH_MAX])
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *name = strrchr(path, '/');
    snprintf(field, PATH_MAX, "%s", path);
    if (!name || (size_t)(name - path) + 1 >= sizeof folder)
        return;
    snprintf(folder, sizeof folder, "%.*s", (int)(name - path) + 1, path);
    if (realpath(folder, real) && strlen(real) + strlen(name) < PATH_MAX) {
        strcpy(field, real);
        strcat(field, name);
    }
}

enum lineage lineage_of_name(const char *name, const char *own, struct reached *ret)
{
    static const char maps[] = "/dev/mapper/", devices[] = "/dev/";
    char path[PATH_MAX];
    lineage_plain_path(name, path);
    const char *lv = strrchr(path, '/');
    memset(ret, 0, sizeof *ret);
    if (str_starts(path, maps) && take_map(path + strlen(maps), ret))
        ret->kind = streq(ret->instance, own) ? LINEAGE_NONE : LINEAGE_MAP;
    else if (str_starts(path, maps))
        ret->kind = is_volume(path + strlen(maps), false, ret) ? LINEAGE_VOLUME : LINEAGE_NONE;
    else if (str_starts(path, devices) && lv > path + strlen(devices)) {
        snprintf(ret->vg, sizeof ret->vg, "%.*s", (int)(lv - path - (int)strlen(devices)),
                 path + strlen(devices));
        snprintf(ret->lv, sizeof ret->lv, "%s", lv + 1);
        ret->kind = take_instance(ret->lv, ret->instance) ? LINEAGE_VOLUME : LINEAGE_NONE;
    } else if (!str_starts(path, devices) && lv && is_socket(path, lv, ret))
        ret->kind = streq(ret->instance, own) ? LINEAGE_NONE : LINEAGE_MAP;
    return ret->kind;
}
