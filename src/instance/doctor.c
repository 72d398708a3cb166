/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly doctor: first the checks that need no network, then the key managers. A failure does not hide
 * others: checks that do not need the failed part still run.
 *
 *     configuration -> processor, memory, host -> broker -> volume groups -> libvirt, hook, instances
 *     -> key managers
 */
#include "instance/doctor.h"

#include "instance/group.h"
#include "storage/facts.h"

#include <inttypes.h>
#include <stdio.h>

/* The finding shows percent and number: a large area may be nearly full and still have room for years. */
#define METADATA_LOW_PERCENT 25
#define METADATA_LOW_DISKS   1000

/* ------------------------------------------------------------- configuration */

static void examine_configuration(struct examination *x, const char *files)
{
    const struct config *c = x->context->config;
    const struct error *bad = &x->lacks->config;
    struct error why = ERROR_NONE;
    if (bad->errnum) {
        examination_fail(x, "configuration", bad->errnum, bad->text);
        return;
    }
    if (c->volume_groups.n == 0) {
        error_set(&why, -EINVAL, "no volume group is configured; set images_volume_group in mayfly.conf");
        examination_fail(x, "configuration", why.errnum, why.text);
    } else if (!c->encryption_enabled)
        examination_warn(x, "configuration",
                         "%s: encryption is off, so the disks of new instances will be plain; set enabled in "
                         "[ephemeral_storage_encryption]",
                         *files ? files : "no file");
    else
        examination_ok(x, "configuration", "%s: encryption is on (%s, %u bits), keys are kept by %s",
                       *files ? files : "no file", c->cipher, c->key_size_bits, c->key_backend);
    if (x->lacks->who.errnum)
        examination_fail(x, "credentials", x->lacks->who.errnum, x->lacks->who.text);
}

/* Examines the instructions for AES. No processor has any for Serpent, Twofish and Camellia. */
static void examine_processor(struct examination *x)
{
    const struct config *c = x->context->config;
    if (!c->encryption_enabled)
        return;
    if (!processor_has_aes())
        examination_warn(x, "processor", "has no instructions for AES, so encryption is slow: %s", c->cipher);
    else if (!str_starts(c->cipher, "aes-"))
        examination_warn(x, "processor", "has instructions for AES, which %s cannot use, so it is slow",
                         c->cipher);
    else
        examination_ok(x, "processor", "has instructions for AES: %s", c->cipher);
}

/* Keys are in pages locked into RAM: one for the key, one to hand it over. A launch has 64 keys at a time,
 * and the buffer of an encrypted image takes 2 MiB. */
#define PAGES_NEEDED 2
#define PAGES_WANTED ((2 << 20) / 4096 + 2 * 64)

static void examine_memory(struct examination *x)
{
    const char *what = "locked memory";
    size_t pages = secret_pages_max();
    if (pages < PAGES_NEEDED)
        examination_fail(x, what, -EPERM,
                         "RLIMIT_MEMLOCK lets this process lock no memory for keys; raise it: ulimit -l, "
                         "LimitMEMLOCK=, limits.conf(5)");
    else if (pages < PAGES_WANTED)
        examination_warn(
            x, what,
            "RLIMIT_MEMLOCK lets this process lock %zu pages; large launches and encrypted images "
            "take up to %d; raise it: ulimit -l, LimitMEMLOCK=, limits.conf(5)",
            pages, PAGES_WANTED);
    else
        examination_ok(x, what, "there is enough for keys");
}

/* -------------------------------------------------------------------- broker */

/* Examines the broker, which works if it gives the lock that the trial keys need. */
static void examine_broker(struct examination *x)
{
    struct error why = x->lacks->broker;
    uuid_make(x->owner);
    int r = why.errnum ? why.errnum : broker_lock(x->context->broker, x->owner, &why);
    x->locked = r == 0;
    if (r < 0)
        examination_fail(x, "broker", r, why.text);
    else if (*x->context->config->pool_path)
        examination_ok(x, "broker", "is not needed: disks are files below %s", x->context->config->pool_path);
    else
        examination_ok(x, "broker", "mayfly-broker answers");
}

static void examine_metadata(struct examination *x, const struct group *g)
{
    char what[sizeof x->findings->what], room[32];
    snprintf(what, sizeof what, "LVM metadata of %s", g->name);
    uint64_t usable = g->metadata_size_bytes / 2; /* LVM writes the next version beside the current one */
    uint64_t disks = group_room_disks(g);
    uint64_t percent = usable ? g->metadata_free_bytes * 100 / usable : 0;
    str_from_room(g->metadata_free_bytes, room, sizeof room);
    if (percent < METADATA_LOW_PERCENT && disks < METADATA_LOW_DISKS)
        examination_warn(x, what,
                         "room for about %" PRIu64 " more disks is left (%s, %" PRIu64
                         "%%); delete instances, or make a group by vgcreate --metadatasize 64m",
                         disks, room, percent);
    else
        examination_ok(x, what, "room for about %" PRIu64 " more disks is left (%s, %" PRIu64 "%%)", disks,
                       room, percent);
}

static void examine_group(struct examination *x, const char *name)
{
    const struct group *g = inventory_group(x->model->inventory, name);
    char what[sizeof x->findings->what], size[32], left[32];
    struct error why = ERROR_NONE;
    snprintf(what, sizeof what, "%s %.63s", volume_group_is_folder(name) ? "pool" : "volume group", name);
    if (!g)
        error_set(&why, -ENOENT,
                  "it does not exist on this host; see vgs, or correct images_volume_group in mayfly.conf");
    else if (!g->complete)
        error_set(&why, -ENODEV, "it lacks a physical volume; see pvs, and attach the disk that is missing");
    if (why.errnum) {
        examination_fail(x, what, why.errnum, why.text);
        return;
    }
    examination_ok(x, what, "%s of %s are free", str_from_room(g->free_bytes, left, sizeof left),
                   str_from_room(g->size_bytes, size, sizeof size));
    if (!volume_group_is_folder(name))
        examine_metadata(x, g);
}

static void examine_damaged(struct examination *x, const struct damaged_volume *d)
{
    char what[sizeof x->findings->what];
    snprintf(what, sizeof what, "volume %.30s/%.60s", d->vg, d->lv);
    examination_warn(x, what, "has Mayfly's tags, but is left alone: %.400s", d->reason.text);
}

static void examine_suspended(struct examination *x)
{
    _cleanup_free_ struct suspended *list = NULL;
    struct error why = ERROR_NONE;
    char what[sizeof x->findings->what];
    size_t n = 0;
    int r = broker_suspended(x->context->broker, &list, &n, &why);
    if (r < 0)
        examination_fail(x, "suspended volumes", r, why.text);
    for (size_t i = 0; i < n; i++) {
        snprintf(what, sizeof what, "volume %.30s/%.60s", list[i].vg, list[i].lv);
        examination_warn(x, what,
                         "is suspended, so its users stand still; unless LVM is at work on it, an lvm was "
                         "killed: run mayfly recover");
    }
}

static void examine_groups(struct examination *x)
{
    const struct config_list *groups = &x->context->config->volume_groups;
    struct error why = ERROR_NONE;
    if (!x->locked || groups->n == 0)
        return;
    int r = broker_list(x->context->broker, &x->model->inventory, &why);
    if (r < 0) {
        examination_fail(x, "volume groups", r, why.text);
        return;
    }
    for (size_t i = 0; i < groups->n; i++)
        examine_group(x, groups->item[i]);
    for (size_t i = 0; i < x->model->inventory->n_damaged; i++)
        examine_damaged(x, &x->model->inventory->damaged[i]);
    examine_suspended(x);
}

int instance_doctor(const struct context *c, const struct lacks *lacks, const struct doctor_paths *paths,
                    struct finding **ret, size_t *ret_n, struct error *e)
{
    _cleanup_model_ struct model *m = calloc(1, sizeof *m);
    struct examination x = {.context = c, .lacks = lacks, .paths = paths, .model = m};
    int r = m ? active_load(paths->root, &x.active, e) : error_memory(e);
    if (r < 0)
        return r;
    examine_configuration(&x, paths->config_files);
    if (!lacks->config.errnum) {
        examine_processor(&x);
        examine_memory(&x);
        examine_host(&x);
        examine_broker(&x);
        examine_groups(&x);
        examine_elsewhere(&x);
        examine_orphans(&x);
        examine_libvirt(&x);
        examine_instances(&x);
        examine_nova(&x);
        examine_key_managers(&x);
    }
    active_end(&x.active);
    if (x.out_of_memory) {
        free(x.findings);
        return error_memory(e);
    }
    *ret = x.findings;
    *ret_n = x.n;
    return 0;
}
