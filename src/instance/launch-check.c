/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a launch before anything is made, and changes nothing. A fault that appears later fails in a step,
 * and is undone. */
#include "instance/launch.h"

static int check_keys(struct launch *l, struct error *e)
{
    const struct config *c = l->new.context->config;
    if (!c->encryption_enabled && l->request->shared_key)
        return error_set(e, -EINVAL,
                         "launch: there is no key to share: encryption is off; set enabled in "
                         "[ephemeral_storage_encryption]");
    if (!c->encryption_enabled)
        return 0;
    int r = context_keymgr(l->new.context, c->key_backend, &l->new.km, e);
    if (r < 0)
        return r;
    if (!l->new.km->durable && l->request->no_start)
        return error_set(e, -EINVAL,
                         "launch: key manager %s keeps a key only while the disks are open, so --no-start "
                         "would lose it; leave that out, or set another backend",
                         l->new.km->ops->name);
    return 0;
}

/* Checks the network. `said`: its name in the request, else in the configuration. */
static int check_network(struct launch *l, const char *said, struct error *e)
{
    int r = network_parse(said, &l->network, e);
    if (r == 0)
        r = virt_check_network(l->new.context->virt, &l->network, !l->request->no_start, e);
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
    if (l->firmware != FIRMWARE_UEFI || l->request->template_xml ||
        virt_offers(l->new.context->virt, VIRT_UEFI))
        return 0;
    return error_set(e, -ENOENT,
                     "firmware: libvirt has no UEFI for guests; install one (Debian's package is ovmf)");
}

/* Completes the request from the configuration, for the built-in template. The operator's own template has
 * these things itself. */
static int check_machine(struct launch *l, struct error *e)
{
    const struct launch_request *q = l->request;
    const struct config *c = l->new.context->config;
    bool built_in = !q->template_xml;
    l->memory_bytes = q->memory_bytes || !built_in ? q->memory_bytes : c->launch_memory_bytes;
    l->vcpus = q->vcpus || !built_in ? q->vcpus : c->launch_vcpus;
    l->autostart = q->autostart || c->launch_autostart;
    int r = check_network(l, q->network ? q->network : built_in ? c->launch_network : "none", e);
    if (r < 0)
        return r;
    return check_firmware(l, q->firmware ? q->firmware : built_in ? c->launch_firmware : NULL, e);
}

/* Checks that a process can serve the new disks. */
static int check_served(const struct launch *l, struct error *e)
{
    const struct context *c = l->new.context;
    if (!streq(c->config->cipher, ENGINE_USER_CIPHER))
        return error_set(e, -EINVAL,
                         "engine user: cannot encrypt with %s; set cipher = " ENGINE_USER_CIPHER
                         " in [ephemeral_storage_encryption], or use --engine dm-crypt",
                         c->config->cipher);
    if (!l->new.km->durable)
        return error_set(
            e, -EINVAL,
            "engine user: key manager %s keeps a key only while the disks are open, and its process "
            "ends with the guest; set another backend, or use --engine dm-crypt",
            l->new.km->ops->name);
    if (c->broker->engine && !served_by_us(c->broker->engine))
        return error_set(e, -EACCES,
                         "engine user: disks of this host are opened by root's mayfly and by libvirt's hook "
                         "alone; run mayfly as root, or use --engine dm-crypt");
    return 0;
}

/* Chooses who opens the disks for a guest. Those of a pool of files need no tag for it. */
static int check_engine(struct launch *l, struct error *e)
{
    const struct config *c = l->new.context->config;
    const char *said = l->request->engine;
    enum volume_engine engine = ENGINE_DM_CRYPT;
    int r = volume_engine_parse(said ? said : c->engine, &engine);
    if (r < 0)
        return error_set(e, r, "engine: '%.40s' is neither dm-crypt nor user", said ? said : c->engine);
    if (volume_group_is_folder(l->new.group->name))
        return said && engine != ENGINE_USER
                   ? error_set(e, -EINVAL, "engine %s: cannot open disks that are files; leave --engine out",
                               said)
                   : 0;
    if (engine == ENGINE_USER && !l->new.km)
        return said ? error_set(e, -EINVAL,
                                "engine user: is for encrypted disks, and encryption is off; set enabled in "
                                "[ephemeral_storage_encryption]")
                    : 0;
    l->new.engine = engine;
    return engine == ENGINE_USER ? check_served(l, e) : 0;
}

static int look(struct launch *l, struct error *e)
{
    int r = launch_lock_name(l, e);
    if (r == 0)
        r = model_load(l->new.context, &l->model, e);
    if (r == 0)
        l->new.before = l->model->inventory;
    return r;
}

int launch_check(struct launch *l, struct error *e)
{
    const struct context *c = l->new.context;
    const struct launch_request *q = l->request;
    int r = launch_check_name(q, e);
    if (r == 0)
        r = new_disks_check(&l->new, e);
    if (r == 0)
        r = wanted_seed_check(c, &q->seed, q->name, e);
    if (r == 0)
        r = context_check_virt(c, e);
    if (r == 0)
        r = check_machine(l, e);
    if (r == 0)
        r = check_keys(l, e);
    if (r == 0)
        r = look(l, e);
    if (r == 0)
        r = launch_choose_names(l, e);
    if (r == 0)
        r = new_disks_check_room(&l->new, q->count, e);
    if (r == 0)
        r = check_engine(l, e);
    return r < 0 ? r : launch_lock_names(l, e);
}
