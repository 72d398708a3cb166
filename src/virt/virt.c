/* SPDX-License-Identifier: Apache-2.0 */
/* The table of struct virt_ops as plain functions. Which libvirt stands behind it (the real one, or a
 * test's double) is no concern of this file. */
#include "virt/virt.h"

const char *domain_state_name(enum domain_state state)
{
    static const char *const names[] = {
        [DOMAIN_NO_STATE] = "no state", [DOMAIN_RUNNING] = "running",         [DOMAIN_IDLE] = "idle",
        [DOMAIN_PAUSED] = "paused",     [DOMAIN_IN_SHUTDOWN] = "in shutdown", [DOMAIN_SHUT_OFF] = "shut off",
        [DOMAIN_CRASHED] = "crashed",   [DOMAIN_PMSUSPENDED] = "pmsuspended",
    };
    return (size_t)state < ARRAY_SIZE(names) ? names[state] : names[DOMAIN_NO_STATE];
}

struct virt *virt_disconnect(struct virt *v)
{
    if (v)
        v->ops->disconnect(v);
    return NULL;
}

int virt_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e)
{
    return v->ops->list(v, metadata, ret, ret_n, e);
}

int virt_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e)
{
    return v->ops->find_name(v, name, ret, e);
}

int virt_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e)
{
    return v->ops->find_uuid(v, uuid, ret, e);
}

int virt_ram(struct virt *v, const char *uuid, struct domain_ram *ret, struct error *e)
{
    return v->ops->ram(v, uuid, ret, e);
}

int virt_define(struct virt *v, const char *xml, struct error *e)
{
    return v->ops->define(v, xml, e);
}

int virt_try(struct virt *v, const char *trial_xml, const char *name, struct error *e)
{
    return v->ops->try(v, trial_xml, name, e);
}

int virt_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e)
{
    return v->ops->remove_trials(v, dry_run, ret_n, e);
}

int virt_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e)
{
    *ret_kept = NULL;
    return v->ops->undefine(v, uuid, ret_kept, e);
}

int virt_settle(struct virt *v, struct error *e)
{
    return v->ops->settle(v, e);
}

int virt_definition(struct virt *v, const char *uuid, char **ret, struct error *e)
{
    return v->ops->definition(v, uuid, ret, e);
}

int virt_redefine(struct virt *v, const char *xml, struct error *e)
{
    return v->ops->redefine(v, xml, e);
}

int virt_start(struct virt *v, const char *uuid, struct error *e)
{
    return v->ops->start(v, uuid, e);
}

int virt_shutdown(struct virt *v, const char *uuid, struct error *e)
{
    return v->ops->shutdown(v, uuid, e);
}

int virt_reboot(struct virt *v, const char *uuid, struct error *e)
{
    return v->ops->reboot(v, uuid, e);
}

int virt_destroy(struct virt *v, const char *uuid, struct error *e)
{
    return v->ops->destroy(v, uuid, e);
}

int virt_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                     struct error *e)
{
    return v->ops->attach_disk(v, uuid, disk, sides, e);
}

int virt_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                     struct error *e)
{
    return v->ops->detach_disk(v, uuid, device_path, side, e);
}

int virt_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side, bool *ret,
                  struct error *e)
{
    return v->ops->has_disk(v, uuid, device_path, side, ret, e);
}

int virt_resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                     struct error *e)
{
    return v->ops->resize_disk(v, uuid, device_path, size_bytes, e);
}

int virt_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
              struct error *e)
{
    return v->ops->view(v, uuid, side, ret, e);
}

int virt_drop_save(struct virt *v, const char *uuid, struct error *e)
{
    return v->ops->drop_save(v, uuid, e);
}

bool virt_offers_kvm(struct virt *v)
{
    return v->ops->offers_kvm(v);
}
