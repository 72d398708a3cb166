/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly launch: makes instances. */
#include "base/fd.h"
#include "cli/disks-options.h"
#include "cli/image-options.h"
#include "cli/launched.h"
#include "cli/plan.h"
#include "cli/seed-options.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "virt/domain-xml.h"

#include <fcntl.h>

struct launch_options {
    struct launch_request request;
    struct seed_options seed;
    char *template_xml; /* what --domain-xml names; request points to it */
};

static void launch_options_end(struct launch_options *o)
{
    seed_options_end(&o->seed);
    free(o->template_xml);
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

static int set_memory(void *target, const char *value, struct error *e)
{
    return cli_parse_size(value, &REQUEST(target)->memory_bytes, e);
}

static int set_vcpus(void *target, const char *value, struct error *e)
{
    return parse_number(value, 1024, &REQUEST(target)->vcpus, e);
}

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

CLI_FLAG(set_shared_key, struct launch_options, request.shared_key)
CLI_TEXT(set_engine, struct launch_options, request.engine)
CLI_TEXT(set_firmware, struct launch_options, request.firmware)
CLI_TEXT(set_network, struct launch_options, request.network)
CLI_FLAG(set_autostart, struct launch_options, request.autostart)
CLI_FLAG(set_no_start, struct launch_options, request.no_start)
CLI_FLAG(set_dry_run, struct launch_options, request.dry_run)
static const struct cli_option launch_options[] = {
    {"count", 0, "N", "make N instances, NAME-1 to NAME-N, or the next free numbers", set_count},
    {"shared-key", 0, NULL, "keep one secret in the key manager for all of them", set_shared_key},
    {"memory", 0, "SIZE", "memory of each instance", set_memory},
    {"vcpus", 0, "N", "virtual processors of each instance", set_vcpus},
    {"firmware", 0, "FIRMWARE", "bios or uefi", set_firmware},
    {"engine", 0, "ENGINE", "who opens the disks for the guest: dm-crypt or user", set_engine},
    {"network", 0, "NETWORK", "connect them to this network, bridge=BRIDGE, or none", set_network},
    {"domain-xml", 0, "FILE", "libvirt XML to put the disks into", set_domain_xml},
    {"autostart", 0, NULL, "start them with the host from now on", set_autostart},
    {"no-start", 0, NULL, "define the domains, do not start them", set_no_start},
    {"dry-run", 0, NULL, "print what would be done", set_dry_run},
    {0},
};

int verb_launch(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    _cleanup_(launch_options_end) struct launch_options o = {.request = {.count = 1}};
    _cleanup_session_ struct session *s = NULL;
    _cleanup_free_ struct launched *launched = NULL;
    _cleanup_steps_ struct steps *plan = NULL;
    const struct cli_group own[] = {{launch_options, &o},
                                    {disks_options, &o.request.disks},
                                    {image_options, &o.request.disks.image},
                                    {seed_options, &o.seed},
                                    {0}};
    int n = 0;
    int r = verb_parse_groups(self, g, own, argc, argv, 1, 1, &n, e);
    if (r == 0)
        r = seed_options_read(&o.seed, e);
    if (r == 0)
        r = session_open(g, SESSION_VIRT_NEEDED, &s, e);
    if (r == 0)
        r = seed_options_add_configured(&o.seed, s->context.config, e);
    if (r != 0)
        return r;
    o.request.name = argv[1];
    o.request.seed = o.seed.seed;
    r = instance_launch(&s->context, &o.request, &launched, o.request.dry_run ? &plan : NULL, e);
    progress_end(&s->progress);
    if (r < 0)
        return r;
    if (o.request.dry_run)
        return print_plan(g, plan, e);
    return print_launched(g, &s->context, launched, o.request.count, true, e);
}
