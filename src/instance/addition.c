/* SPDX-License-Identifier: Apache-2.0 */
/* See addition.h. */
#include "instance/addition.h"

#include "instance/disks.h"
#include "instance/lock.h"

static int attach(const struct context *c, const struct new_disk *d, unsigned sides, struct error *e)
{
    char path[DEVICE_PATH_MAX];
    const struct domain_disk disk = disk_of_domain(c, &d->v, path);
    return virt_attach_disk(c->virt, d->v.instance, &disk, sides, e);
}

static int attach_to_definition(const struct context *c, void *disk, struct error *e)
{
    return attach(c, disk, DOMAIN_DEFINITION, e);
}

static int attach_to_guest_too(const struct context *c, void *disk, struct error *e)
{
    return attach(c, disk, DOMAIN_DEFINITION | DOMAIN_GUEST, e);
}

static int detach(const struct context *c, void *disk, struct error *e)
{
    return disk_detach_from_domain(c, &((struct new_disk *)disk)->v, e);
}

static int add_attachments(struct steps *s, struct addition *a, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && !a->apart && i < a->new.n_disks; i++) {
        struct new_disk *d = &a->new.disks[i];
        r = steps_add_anchor(s, a->live ? attach_to_guest_too : attach_to_definition, detach, d, e,
                             "add disk %s to the definition of %s%s", d->v.role, d->recipient->name,
                             a->live ? ", and to its guest" : "");
    }
    return r;
}

int addition_add_steps(struct steps *s, struct addition *a, struct error *e)
{
    int r = new_disks_add_steps(s, &a->new, e);
    if (r == 0)
        r = new_disks_add_settling(s, &a->new, e);
    if (r == 0)
        r = add_attachments(s, a, e);
    return r < 0 ? r : new_disks_add_commits(s, &a->new, e);
}

void addition_let_go(const struct addition *a)
{
    const struct context *c = a->new.context;
    const struct recipient *i = a->new.recipients;
    struct error why = ERROR_NONE;
    struct domain d;
    model_unlock(a->model);
    if (a->live || a->apart || virt_find_uuid(c->virt, i->uuid, &d, &why) < 0 || !d.active)
        return;
    for (size_t n = 0; n < i->n_disks; n++) {
        const struct volume *v = &i->disks[n].v;
        char path[DEVICE_PATH_MAX];
        bool has = false;
        volume_device_path(v, path);
        if (virt_has_disk(c->virt, v->instance, path, DOMAIN_GUEST, &has, &why) == 0 && !has)
            report_warning(c,
                           "instance %s: somebody has started its guest meanwhile, without disk %s; the "
                           "guest gets it at its next start",
                           i->name, v->role);
    }
}

struct addition *addition_free(struct addition *a)
{
    if (a) {
        new_disks_free(&a->new);
        model_free(a->model);
    }
    return NULL;
}
