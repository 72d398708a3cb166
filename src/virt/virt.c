/* SPDX-License-Identifier: Apache-2.0 */
/* The table of struct virt_ops as plain functions. A call whose connection breaks is made once more, on a new
 * connection: libvirtd may be restarted while an image is written. The libvirt behind the table is the real
 * one, or a test's double. */
#include "virt/virt.h"

#include "virt/domain-xml.h"

const char *domain_state_name(enum domain_state state)
{
    static const char *const names[] = {
        [DOMAIN_NO_STATE] = "no state", [DOMAIN_RUNNING] = "running",         [DOMAIN_IDLE] = "idle",
        [DOMAIN_PAUSED] = "paused",     [DOMAIN_IN_SHUTDOWN] = "in shutdown", [DOMAIN_SHUT_OFF] = "shut off",
        [DOMAIN_CRASHED] = "crashed",   [DOMAIN_PMSUSPENDED] = "pmsuspended",
    };
    return (size_t)state < ARRAY_SIZE(names) ? names[state] : names[DOMAIN_NO_STATE];
}

/* Connects anew if the connection broke. Every call may be repeated: the second call finds done what the
 * first has done. A definition is the exception: see virt_define(). */
static bool connect_again(struct virt *v, int r, struct error *why)
{
    struct error ignored = ERROR_NONE;
    if (r != -ECONNREFUSED || v->ops->reconnect(v, &ignored) < 0)
        return false;
    *why = ERROR_NONE;
    return true;
}

static int conclude(int r, const struct error *why, struct error *e)
{
    return r < 0 && why->errnum ? error_pass(e, r, why) : r;
}

/* `call` puts its error into `why`. */
#define TWICE(call)                                                                                          \
    __extension__({                                                                                          \
        struct error why = ERROR_NONE;                                                                       \
        int r_ = (call);                                                                                     \
        if (connect_again(v, r_, &why))                                                                      \
            r_ = (call);                                                                                     \
        conclude(r_, &why, e);                                                                               \
    })

struct virt *virt_disconnect(struct virt *v)
{
    if (v)
        v->ops->disconnect(v);
    return NULL;
}

int virt_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e)
{
    return TWICE(v->ops->list(v, metadata, ret, ret_n, &why));
}

int virt_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e)
{
    return TWICE(v->ops->find_name(v, name, ret, &why));
}

int virt_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e)
{
    return TWICE(v->ops->find_uuid(v, uuid, ret, &why));
}

int virt_details(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e)
{
    return TWICE(v->ops->details(v, uuid, ret, &why));
}

/* Defines the domain, unless the call before the connection broke has done so: the uuid is new, so a domain
 * that has it and the name is ours. */
static int define_again(struct virt *v, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    struct domain d;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r == 0 && v->ops->find_uuid(v, uuid, &d, NULL) == 0 && streq(d.name, name))
        return 0;
    return r < 0 ? r : v->ops->define(v, xml, e);
}

int virt_define(struct virt *v, const char *xml, struct error *e)
{
    struct error why = ERROR_NONE;
    int r = v->ops->define(v, xml, &why);
    if (connect_again(v, r, &why))
        r = define_again(v, xml, &why);
    return conclude(r, &why, e);
}

int virt_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram, struct error *e)
{
    *ret_nvram = NULL;
    return TWICE(v->ops->try(v, trial_xml, name, ret_nvram, &why));
}

int virt_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e)
{
    return TWICE(v->ops->remove_trials(v, dry_run, ret_n, &why));
}

int virt_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e)
{
    *ret_kept = NULL;
    return TWICE(v->ops->undefine(v, uuid, ret_kept, &why));
}

int virt_set_autostart(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->set_autostart(v, uuid, &why));
}

int virt_settle(struct virt *v, struct error *e)
{
    return TWICE(v->ops->settle(v, &why));
}

int virt_definition(struct virt *v, const char *uuid, char **ret, struct error *e)
{
    return TWICE(v->ops->definition(v, uuid, ret, &why));
}

int virt_redefine(struct virt *v, const char *xml, struct error *e)
{
    return TWICE(v->ops->redefine(v, xml, &why));
}

int virt_start(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->start(v, uuid, &why));
}

int virt_shutdown(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->shutdown(v, uuid, &why));
}

int virt_reboot(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->reboot(v, uuid, &why));
}

int virt_destroy(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->destroy(v, uuid, &why));
}

int virt_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                     struct error *e)
{
    return TWICE(v->ops->attach_disk(v, uuid, disk, sides, &why));
}

int virt_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                     struct error *e)
{
    return TWICE(v->ops->detach_disk(v, uuid, device_path, side, &why));
}

int virt_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side, bool *ret,
                  struct error *e)
{
    return TWICE(v->ops->has_disk(v, uuid, device_path, side, ret, &why));
}

int virt_resize_disk(struct virt *v, const char *uuid, const char *device_path, uint64_t size_bytes,
                     struct error *e)
{
    return TWICE(v->ops->resize_disk(v, uuid, device_path, size_bytes, &why));
}

int virt_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
              struct error *e)
{
    return TWICE(v->ops->view(v, uuid, side, ret, &why));
}

int virt_view_all(struct virt *v, struct virt_views *ret, struct error *e)
{
    *ret = (struct virt_views){.n = 0};
    return TWICE(v->ops->view_all(v, ret, &why));
}

int virt_drop_save(struct virt *v, const char *uuid, struct error *e)
{
    return TWICE(v->ops->drop_save(v, uuid, &why));
}

int virt_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                   struct error *e)
{
    return TWICE(v->ops->addresses(v, uuid, ask_guest, ret, &why));
}

int virt_check_network(struct virt *v, const struct network *n, bool active, struct error *e)
{
    if (n->kind == NETWORK_NONE)
        return 0;
    if (n->kind == NETWORK_BRIDGE)
        return network_check_bridge(n->name, e);
    return TWICE(v->ops->check_network(v, n->name, active, &why));
}

bool virt_offers(struct virt *v, enum virt_offer what)
{
    return v->ops->offers(v, what);
}
