/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly launch, add-disks, add-disk: turn options into a launch_request, and print the result. */
#include "base/fd.h"
#include "base/log.h"
#include "cli/image-options.h"
#include "cli/outcomes.h"
#include "cli/plan.h"
#include "cli/seed-options.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "virt/domain-xml.h"

#include <fcntl.h>
#include <stdio.h>

struct launch_options {
    struct launch_request request;
    const char *key_owner; /* owner of request.key; NULL: the caller */
    struct seed_options seed;
    char *template_xml;        /* what --domain-xml names; request points to it */
    struct secret *seed_image; /* contents of --seed-image; request points to them */
};

static void launch_options_end(struct launch_options *o)
{
    seed_options_end(&o->seed);
    free(o->template_xml);
    secret_free(o->seed_image);
}

static int parse_number(const char *value, uint64_t max, uint32_t *ret, struct error *e)
{
    uint64_t number = 0;
    if (str_to_u64(value, &number) < 0 || number == 0 || number > max)
        return error_set(e, -EINVAL, "'%s' is not a number from 1 to %lu", value, (unsigned long)max);
    *ret = (uint32_t)number;
    return 0;
}

#define REQUEST(target) (&((struct launch_options *)(target))->request)

static int set_count(void *target, const char *value, struct error *e)
{
    REQUEST(target)->numbered = true;
    return parse_number(value, LAUNCH_COUNT_MAX, &REQUEST(target)->count, e);
}

CLI_FLAG(set_shared_key, struct launch_options, request.shared_key)
/* Parses SIZE[,fs=TYPE][,name=NAME]; `fs` NULL: the disk has no choice of file system. */
static int parse_disk(const char *value, uint64_t *ret_bytes, char alias[ALIAS_MAX], char fs[FS_MAX],
                      struct error *e)
{
    _cleanup_free_ char *size = strdup(value);
    char *rest = size, *word = NULL;
    if (!size)
        return error_memory(e);
    (void)strsep(&rest, ",");
    while ((word = strsep(&rest, ","))) {
        int r = -EINVAL;
        if (str_starts(word, "name=") && word[strlen("name=")])
            r = str_copy(alias, ALIAS_MAX, word + strlen("name="));
        else if (fs && str_starts(word, "fs="))
            r = str_copy(fs, FS_MAX, word + strlen("fs="));
        if (r < 0)
            return error_set(e, -EINVAL, "'%s' is not SIZE%s[,name=NAME]", value,
                             fs ? "[,fs=ext4|xfs|vfat]" : "");
    }
    return cli_parse_size(size, ret_bytes, e);
}

static int set_root(void *target, const char *value, struct error *e)
{
    return parse_disk(value, &REQUEST(target)->root_bytes, REQUEST(target)->root_alias, NULL, e);
}

static int set_ephemeral(void *target, const char *value, struct error *e)
{
    struct launch_request *request = REQUEST(target);
    if (request->n_ephemeral == LAUNCH_EPHEMERALS_MAX)
        return error_set(e, -EINVAL, "at most %d ephemeral disks", LAUNCH_EPHEMERALS_MAX);

    struct launch_ephemeral *disk = &request->ephemeral[request->n_ephemeral];
    *disk = (struct launch_ephemeral){.fs = "ext4"};
    int r = parse_disk(value, &disk->size_bytes, disk->alias, disk->fs, e);
    if (r == 0 && !streq(disk->fs, "ext4") && !streq(disk->fs, "xfs") && !streq(disk->fs, "vfat"))
        r = error_set(e, -EINVAL, "'%s' is not a file system for it; use ext4, xfs or vfat", disk->fs);
    request->n_ephemeral += r == 0;
    return r;
}

static int set_swap(void *target, const char *value, struct error *e)
{
    return parse_disk(value, &REQUEST(target)->swap_bytes, REQUEST(target)->swap_alias, NULL, e);
}

static int set_key_owner(void *target, const char *value, struct error *e)
{
    if (!streq(value, "caller") && !streq(value, "mayfly"))
        return error_set(e, -EINVAL, "'%s' is neither caller nor mayfly", value);
    ((struct launch_options *)target)->key_owner = value;
    return 0;
}

static int set_memory(void *target, const char *value, struct error *e)
{
    return cli_parse_size(value, &REQUEST(target)->memory_bytes, e);
}

static int set_vcpus(void *target, const char *value, struct error *e)
{
    return parse_number(value, 1024, &REQUEST(target)->vcpus, e);
}

CLI_TEXT(set_uuid, struct launch_options, request.uuid)
CLI_TEXT(set_key, struct launch_options, request.key)
CLI_TEXT(set_volume_group, struct launch_options, request.volume_group)
CLI_TEXT(set_firmware, struct launch_options, request.firmware)
CLI_FLAG(set_autostart, struct launch_options, request.autostart)
CLI_TEXT(set_network, struct launch_options, request.network)
/* Reads the file now, while mayfly is still root. */
static int set_domain_xml(void *target, const char *path, struct error *e)
{
    struct launch_options *o = target;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    free(TAKE_PTR(o->template_xml)); /* the option was given twice */
    int r = fd < 0 ? -errno : fd_read_text(fd, DOMAIN_XML_MAX_BYTES, &o->template_xml, NULL);
    o->request.template_xml = o->template_xml;
    return r < 0 ? error_set(e, r, "domain XML %s: cannot be read: %s", path, strerrordesc_np(-r)) : 0;
}

/* Reads the file now, while mayfly is still root. */
static int set_seed_image(void *target, const char *path, struct error *e)
{
    struct launch_options *o = target;
    o->seed_image = secret_free(o->seed_image); /* the option was given twice */
    int r = seed_image_read(path, &o->seed_image, e);
    o->request.seed_image = o->seed_image;
    return r;
}

CLI_FLAG(set_no_start, struct launch_options, request.no_start)
CLI_FLAG(set_dry_run, struct launch_options, request.dry_run)
static const struct cli_option launch_options[] = {
    {"count", 0, "N", "make N instances, NAME-1 to NAME-N, or the next free numbers", set_count},
    {"shared-key", 0, NULL, "keep one secret in the key manager for all of them", set_shared_key},
    {"memory", 0, "SIZE", "memory of each instance", set_memory},
    {"vcpus", 0, "N", "virtual processors of each instance", set_vcpus},
    {"firmware", 0, "FIRMWARE", "bios or uefi", set_firmware},
    {"network", 0, "NETWORK", "connect them to this network, bridge=BRIDGE, or none", set_network},
    {"domain-xml", 0, "FILE", "libvirt XML to put the disks into", set_domain_xml},
    {"autostart", 0, NULL, "start them with the host from now on", set_autostart},
    {"no-start", 0, NULL, "define the domains, do not start them", set_no_start},
    {0},
};
static const struct cli_option add_disks_options[] = {
    {"uuid", 0, "UUID", "make them for the domain of this UUID, which others will define", set_uuid},
    {"key", 0, "MANAGER:PLACE/ID", "use this existing key instead of a new one", set_key},
    {"key-owner", 0, "OWNER", "caller: it is never destroyed (default); mayfly: by delete", set_key_owner},
    {0},
};
static const struct cli_option disks_options[] = {
    {"root", 0, "SIZE[,name=NAME]", "the root disk", set_root},
    {"ephemeral", 0, "SIZE[,fs=TYPE][,name=NAME]", "another disk: ext4 (default), xfs, vfat", set_ephemeral},
    {"swap", 0, "SIZE[,name=NAME]", "a swap disk", set_swap},
    {"volume-group", 0, "VG", "make the disks in this volume group", set_volume_group},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};
static const struct cli_option add_disk_options[] = {
    {"ephemeral", 0, "SIZE[,fs=TYPE][,name=NAME]", "another disk: ext4 (default), xfs, vfat", set_ephemeral},
    {"seed-image", 0, "FILE", "a seed disk with these contents, for a domain that others define",
     set_seed_image},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

/* Prints the new instances as they are now, if they can be examined. */
static bool put_launched(struct json_object *document, const struct context *c,
                         const struct launched *launched, uint32_t n)
{
    struct json_object *instances = json_object_new_array();
    bool whole = instances != NULL;
    _cleanup_model_ struct model *m = outcome_look(c);
    for (uint32_t i = 0; whole && i < n; i++) {
        const struct instance *one = outcome_find(m, launched[i].uuid);
        whole = json_append(instances,
                            one ? json_instance(m, one) : json_named(launched[i].name, launched[i].uuid));
    }
    return json_put(document, "instances", instances) && whole;
}

static int print_launched(struct globals *g, const struct context *c, const struct launched *launched,
                          uint32_t n, bool changed, struct error *e)
{
    if (g->json) {
        struct json_object *document = json_changed(g, changed);
        return json_give(g, document, put_launched(document, c, launched, n), e);
    }
    for (uint32_t i = 0; i < n && !log_is_quiet(); i++)
        printf("%s  %s\n", launched[i].name, launched[i].uuid);
    return 0;
}

static int print_added(struct globals *g, const struct context *c, const char *name, const struct volume *v,
                       struct error *e)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);
    if (g->json) {
        struct json_object *document = json_changed(g, true);
        return json_give(g, document, outcome_put_instance(document, c, v->instance, v->role), e);
    }
    if (!log_is_quiet())
        printf("%s: %s added, %s\n", name, v->role, path);
    return 0;
}

/* Parses the options of the verb, of a set of disks, of an image and of a seed, reads the files of the seed,
 * and opens the session. 1: there is nothing to do. */
enum contents { ONE_DISK, DISKS, DISKS_AND_SEED };
static int begin_launch(const struct verb *self, struct globals *g, const struct cli_option *options,
                        enum contents contents, int argc, char **argv, struct launch_options *o,
                        struct session **ret, struct error *e)
{
    const struct cli_group own[] = {{options, o},
                                    {contents >= DISKS ? disks_options : NULL, o},
                                    {contents >= DISKS ? image_options : NULL, &o->request.image},
                                    {contents >= DISKS_AND_SEED ? seed_options : NULL, &o->seed},
                                    {0}};
    int n = 0;
    int r = verb_parse_groups(self, g, own, argc, argv, 0, 1, &n, e);
    if (r == 0 && n == 0 && !o->request.uuid)
        r = error_set(e, -EINVAL, "%s: which one? Usage: mayfly %s %s", self->name, self->name,
                      self->operands);
    if (r == 0 && o->key_owner && !o->request.key)
        r = error_set(e, -EINVAL, "%s: --key-owner needs --key", self->name);
    if (r != 0)
        return r;
    o->request.name = n ? argv[1] : NULL;
    o->request.keep_key = o->request.key && (!o->key_owner || streq(o->key_owner, "caller"));
    r = seed_options_read(&o->seed, e);
    return r < 0 ? r : session_open(g, SESSION_VIRT_NEEDED, ret, e);
}

int verb_launch(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_(launch_options_end) struct launch_options o = {.request = {.count = 1}};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    int r = begin_launch(self, g, launch_options, DISKS_AND_SEED, argc, argv, &o, &s, e);
    if (r == 0)
        r = seed_options_add_configured(&o.seed, s->context.config, e);
    if (r != 0)
        return r;
    o.request.seed = o.seed.seed;
    r = instance_launch(&s->context, &o.request, &launched, o.request.dry_run ? &plan : NULL, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    if (o.request.dry_run)
        return print_plan(g, plan, e);
    return print_launched(g, &s->context, launched, o.request.count, true, e);
}

int verb_add_disks(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    struct launch_options o = {.request = {.count = 1}};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    bool changed = false;
    int r = begin_launch(self, g, add_disks_options, DISKS, argc, argv, &o, &s, e);
    if (r != 0)
        return r;
    r = instance_add_disks(&s->context, &o.request, &launched, &changed, o.request.dry_run ? &plan : NULL, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    return o.request.dry_run ? print_plan(g, plan, e)
                             : print_launched(g, &s->context, launched, 1, changed, e);
}

int verb_add_disk(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_(launch_options_end) struct launch_options o = {.request = {.count = 1}};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    struct volume made;
    int r = begin_launch(self, g, add_disk_options, ONE_DISK, argc, argv, &o, &s, e);
    if (r == 0)
        r = instance_add_disk(&s->context, &o.request, &made, o.request.dry_run ? &plan : NULL, e);
    if (r != 0)
        return r;
    return o.request.dry_run ? print_plan(g, plan, e) : print_added(g, &s->context, o.request.name, &made, e);
}
