/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a launch before anything is made, and changes nothing. A fault that appears later fails in a step,
 * and is undone. */
#include "instance/given-key.h"
#include "instance/group.h"
#include "instance/launch.h"

#include <inttypes.h>
#include <stdio.h>

#define XFS_MIN_BYTES (UINT64_C(300) << 20) /* limit of mkfs.xfs since xfsprogs 5.19 */

#define SIZE_MAX_BYTES (UINT64_C(1) << 60)

static int check_size(const struct launch *l, const char *what, uint64_t bytes, struct error *e)
{
    if (bytes <= SIZE_MAX_BYTES)
        return 0;
    return error_set(e, -EINVAL, "%s: a %s disk of %" PRIu64 " bytes is larger than any that LVM makes",
                     l->verb, what, bytes);
}

static int check_ephemeral(const struct launch *l, const struct launch_ephemeral *disk, size_t number,
                           struct error *e)
{
    if (disk->size_bytes == 0)
        return error_set(e, -EINVAL, "%s: ephemeral disk %zu has no size", l->verb, number);
    if (!streq(disk->fs, "ext4") && !streq(disk->fs, "xfs") && !streq(disk->fs, "vfat"))
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu cannot have file system %.7s; use ext4, xfs or vfat",
                         l->verb, number, disk->fs);
    if (streq(disk->fs, "xfs") && disk->size_bytes < XFS_MIN_BYTES)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too small for xfs, which needs at least 300 MiB; use a "
                         "larger size, or fs=ext4",
                         l->verb, number);
    if (streq(disk->fs, "vfat") && disk->size_bytes > VFAT_MAX_BYTES)
        return error_set(e, -EINVAL,
                         "%s: ephemeral disk %zu is too large for vfat, which is limited to 256 GiB; use "
                         "fs=ext4 or fs=xfs",
                         l->verb, number);
    return check_size(l, "ephemeral", disk->size_bytes, e);
}

/* Checks that the names of root, swap and ephemeral disks, if given, differ. */
static int check_aliases(const struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    const char *alias[LAUNCH_EPHEMERALS_MAX + 2] = {q->root_alias, q->swap_alias};
    size_t n = 2;
    for (size_t i = 0; i < q->n_ephemeral; i++)
        alias[n++] = q->ephemeral[i].alias;
    for (size_t i = 0; i < n; i++) {
        if (*alias[i] && !volume_alias_valid(alias[i]))
            return error_set(
                e, -EINVAL,
                "disk %.64s: cannot have this name; use letters, digits, '_', '.', '-' and '+', and no "
                "role such as root or eph0",
                alias[i]);
        for (size_t before = 0; *alias[i] && before < i; before++)
            if (streq(alias[before], alias[i]))
                return error_set(e, -EINVAL, "disk %s: two disks cannot have the same name; use another",
                                 alias[i]);
    }
    return 0;
}

int launch_check_disks(const struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    if (q->n_ephemeral > LAUNCH_EPHEMERALS_MAX)
        return error_set(e, -EINVAL, "%s: cannot make %zu ephemeral disks; the limit is %d", l->verb,
                         q->n_ephemeral, LAUNCH_EPHEMERALS_MAX);
    if (launch_disks_each(q) == seed_wanted(&q->seed))
        return error_set(e, -EINVAL, "%s: there is nothing to make; use --root, --ephemeral or --swap",
                         l->verb);
    if (q->key && !l->context->config->encryption_enabled)
        return error_set(e, -EINVAL,
                         "key %s: is not used, since encryption is off; set enabled in "
                         "[ephemeral_storage_encryption]",
                         q->key);
    if (q->image.path && !q->root_bytes)
        return error_set(e, -EINVAL, "image %s: there is no root disk to write it to; use --root",
                         q->image.path);
    int r = check_aliases(l, e);
    if (r == 0)
        r = check_size(l, "root", q->root_bytes, e);
    if (r == 0)
        r = check_size(l, "swap", q->swap_bytes, e);
    for (size_t i = 0; r == 0 && i < q->n_ephemeral; i++)
        r = check_ephemeral(l, &q->ephemeral[i], i, e);
    return r;
}

/* Returns the size of whole extents, limited so that the sum of all disks of an instance fits into 64
 * bits. */
static uint64_t room_for(const struct group *g, uint64_t bytes)
{
    uint64_t limit = UINT64_MAX / LAUNCH_DISKS_MAX;
    uint64_t rounded = group_round_up(g, bytes);
    return rounded < limit ? rounded : limit;
}

static int check_room(const struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    const struct group *g = l->group;
    uint64_t each = room_for(g, q->root_bytes) + room_for(g, q->swap_bytes);
    if (seed_wanted(&q->seed))
        each += room_for(g, SEED_BYTES);
    if (q->seed_image)
        each += room_for(g, secret_size(q->seed_image));
    for (size_t i = 0; i < q->n_ephemeral; i++)
        each += room_for(g, q->ephemeral[i].size_bytes);

    uint64_t all = each > UINT64_MAX / q->count ? UINT64_MAX : each * q->count;
    return group_check_room(g, all, launch_disks_each(q) * q->count, e);
}

int launch_check_keys(struct launch *l, struct error *e)
{
    const struct config *c = l->context->config;
    if (!c->encryption_enabled && l->request->shared_key)
        return error_set(e, -EINVAL,
                         "launch: there is no key to share: encryption is off; set enabled in "
                         "[ephemeral_storage_encryption]");
    if (!c->encryption_enabled)
        return 0;
    int r = l->request->key ? given_key_manager(l, e) : context_keymgr(l->context, c->key_backend, &l->km, e);
    if (r < 0)
        return r;
    if (!l->km->durable && l->domain)
        return error_set(e, -EINVAL,
                         "domain %s: key manager %s keeps a key only while the disks are open, but the new "
                         "disks stay closed until the domain starts; set another backend",
                         l->domain->name, l->km->ops->name);
    if (!l->km->durable && l->request->no_start)
        return error_set(e, -EINVAL,
                         "launch: key manager %s keeps a key only while the disks are open, so --no-start "
                         "would lose it; leave that out, or set another backend",
                         l->km->ops->name);
    return 0;
}

static int check_image(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    int r = wanted_image_open(l->context, &q->image, &l->image, e);
    if (r < 0 || !l->image)
        return r;
    char image[32], disk[32];
    if (image_size_bytes(l->image) > group_round_up(l->group, q->root_bytes))
        return error_set(e, -EINVAL,
                         "image %s: its %s (%" PRIu64
                         " bytes) do not fit a root disk of %s; use a larger --root",
                         q->image.path, str_from_bytes(image_size_bytes(l->image), image, sizeof image),
                         image_size_bytes(l->image), str_from_bytes(q->root_bytes, disk, sizeof disk));
    return 0;
}

int launch_check_room(struct launch *l, struct error *e)
{
    int r = group_find(l->context->config, l->model->inventory, l->request->volume_group, &l->group, e);
    if (r == 0)
        r = check_room(l, e);
    return r < 0 ? r : check_image(l, e);
}

/* Checks the network. `said`: its name in the request, else in the configuration. */
static int check_network(struct launch *l, const char *said, struct error *e)
{
    int r = network_parse(said, &l->network, e);
    if (r == 0)
        r = virt_check_network(l->context->virt, &l->network, !l->request->no_start, e);
    if (r < 0 && !l->request->network)
        error_append(e, "; [launch] in the configuration names it, see --network");
    return r;
}

static int check_firmware(struct launch *l, const char *said, struct error *e)
{
    if (!said)
        l->firmware = FIRMWARE_TEMPLATE;
    else if (streq(said, "bios"))
        l->firmware = FIRMWARE_BIOS;
    else if (streq(said, "uefi"))
        l->firmware = FIRMWARE_UEFI;
    else
        return error_set(e, -EINVAL, "firmware: '%.40s' is neither bios nor uefi", said);
    if (l->firmware != FIRMWARE_UEFI || l->request->template_xml || virt_offers(l->context->virt, VIRT_UEFI))
        return 0;
    return error_set(e, -ENOENT,
                     "firmware: libvirt has no UEFI for guests; install one (Debian's package is ovmf)");
}

/* Completes the request from the configuration, for the built-in template. The operator's own template has
 * these things itself. */
static int check_machine(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    const struct config *c = l->context->config;
    bool built_in = !q->template_xml;
    l->memory_bytes = q->memory_bytes || !built_in ? q->memory_bytes : c->launch_memory_bytes;
    l->vcpus = q->vcpus || !built_in ? q->vcpus : c->launch_vcpus;
    l->autostart = q->autostart || c->launch_autostart;
    int r = check_network(l, q->network ? q->network : built_in ? c->launch_network : "none", e);
    if (r < 0)
        return r;
    return check_firmware(l, q->firmware ? q->firmware : built_in ? c->launch_firmware : NULL, e);
}

int launch_check(struct launch *l, struct error *e)
{
    int r = launch_check_name(l->request, e);
    if (r == 0)
        r = launch_check_disks(l, e);
    if (r == 0)
        r = launch_check_seed(l, l->request->name, e);
    if (r == 0)
        r = context_check_virt(l->context, e);
    if (r == 0)
        r = check_machine(l, e);
    if (r == 0)
        r = launch_check_keys(l, e);
    if (r == 0)
        r = launch_lock_name(l, e);
    if (r == 0)
        r = model_load(l->context, &l->model, e);
    if (r == 0)
        r = launch_choose_names(l, e);
    if (r == 0)
        r = launch_check_room(l, e);
    return r < 0 ? r : launch_lock_names(l, e);
}
