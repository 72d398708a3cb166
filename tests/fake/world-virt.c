/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's double. It reads of a definition what matters: name, uuid, marks, disks, and gives that back. A
 * domain starts only if its devices are there, and a device below an encrypted volume is noted as a
 * violation. A guest lets go of a disk as soon as it is asked, or never.
 */
#include "world.h"

#include "virt/domain-details.h"
#include "virt/domain-nvram.h"
#include "virt/rescue-xml.h"

#include <stdio.h>

struct fake_virt {
    struct virt base;
    struct world *w;
};

static struct world *world_of(struct virt *v)
{
    return ((struct fake_virt *)v)->w;
}

/* As libvirt tells of it. */
static struct domain told_of(const struct world_domain *w)
{
    struct domain d = w->d;
    if (!d.active)
        d.state = DOMAIN_SHUT_OFF;
    else if (d.state == DOMAIN_NO_STATE)
        d.state = DOMAIN_RUNNING;
    d.persistent = !w->transient;
    d.saved = w->details.saved;
    return d;
}

/* As if libvirtd were restarted: before this call, or after it has had its effect. Until then nothing is
 * answered. */
static int virt_enter(struct world *w, const char *call, struct error *e)
{
    if (!w->virt_broken) {
        int r = world_enter(w, call, e);
        w->virt_broken = w->break_at == w->calls && !w->break_after;
        if (!w->virt_broken)
            return r;
    }
    return error_set(e, -ECONNREFUSED, "%s: the connection broke", call);
}

static int virt_leave(struct world *w, int r, struct error *e)
{
    r = world_leave(w, r, e);
    if (r < 0 || w->break_at != w->calls)
        return r;
    w->virt_broken = true;
    return error_set(e, -ECONNREFUSED, "the connection broke");
}

/* A call that changes nothing. */
static int virt_look(struct world *w, const char *call, struct error *e)
{
    int r = virt_enter(w, call, e);
    return r < 0 ? r : virt_leave(w, 0, e);
}

static int fake_list(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_look(w, "domains", e);
    if (r < 0)
        return r;
    struct domain *all = world_alloc(w->host.n_domains + 1, sizeof *all);
    for (size_t i = 0; i < w->host.n_domains; i++) {
        all[i] = told_of(&w->host.domains[i]);
        all[i].ours &= metadata;
        all[i].rescued &= metadata;
    }
    *ret = all;
    *ret_n = w->host.n_domains;
    return 0;
}

enum by { BY_NAME, BY_UUID };

static int find(struct virt *v, enum by by, const char *text, struct domain *ret, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_look(w, "find domain", e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->host.n_domains; i++) {
        const struct domain *d = &w->host.domains[i].d;
        if (streq(by == BY_NAME ? d->name : d->uuid, text)) {
            *ret = told_of(&w->host.domains[i]);
            return 0;
        }
    }
    return error_set(e, -ENOENT, "domain %s: there is none", text);
}

static int fake_find_name(struct virt *v, const char *name, struct domain *ret, struct error *e)
{
    return find(v, BY_NAME, name, ret, e);
}

static int fake_find_uuid(struct virt *v, const char *uuid, struct domain *ret, struct error *e)
{
    return find(v, BY_UUID, uuid, ret, e);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* What is below an overlay is not found by its path. */
static struct world_disk *find_disk(struct world_disks *all, const char *path)
{
    for (size_t i = 0; i < all->n; i++)
        if (streq(all->disk[i].path, path) && !all->disk[i].overlay[0])
            return &all->disk[i];
    return NULL;
}

static struct world_disk *add_disk(struct world_disks *all, const char *path)
{
    if (find_disk(all, path))
        return find_disk(all, path);
    if (all->n == WORLD_DISKS)
        abort();
    snprintf(all->disk[all->n++].path, DEVICE_PATH_MAX, "%s", path);
    qsort(all->disk, all->n, sizeof all->disk[0], by_path);
    return find_disk(all, path);
}

static void drop_disk(struct world_disks *all, const char *path)
{
    for (size_t i = 0; i < all->n; i++)
        if (&all->disk[i] == find_disk(all, path))
            world_drop(all->disk, &all->n, sizeof all->disk[0], i);
}

static int fake_details(struct virt *v, const char *uuid, struct domain_details *ret, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_look(w, "details", e);
    const struct world_domain *d = world_domain(w, uuid);
    if (r == 0 && !d)
        r = error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (r == 0)
        *ret = d->details;
    return r;
}

static void read_disks(struct world_domain *d, const char *xml)
{
    static const char *const before[] = {"<source dev=\"", "<source type=\"unix\" path=\""};
    for (size_t i = 0; i < ARRAY_SIZE(before); i++)
        for (const char *at = strstr(xml, before[i]); at; at = strstr(at, before[i])) {
            char path[DEVICE_PATH_MAX];
            at += strlen(before[i]);
            snprintf(path, sizeof path, "%.*s", (int)strcspn(at, "\""), at);
            add_disk(&d->defined, path);
        }
}

static void read_definition(struct world_domain *d, const char *xml, const char *name, const char *uuid)
{
    struct world_domain was = *d;
    memset(d, 0, sizeof *d); /* worlds are compared by their bytes */
    d->d.active = was.d.active;
    d->d.state = was.d.state;
    d->running = was.running;
    d->details = was.details;
    memcpy(d->nvram, was.nvram, sizeof d->nvram);
    snprintf(d->d.name, sizeof d->d.name, "%.63s", name);
    snprintf(d->d.uuid, sizeof d->d.uuid, "%.36s", uuid);
    d->d.ours = strstr(xml, DOMAIN_XML_NAMESPACE) != NULL;
    d->d.rescued = strstr(xml, RESCUE_XML_NAMESPACE) != NULL;
    d->connected = was.connected || strstr(xml, "<interface");
    read_disks(d, xml);
}

static int define(struct world *w, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->host.n_domains; i++)
        if (streq(w->host.domains[i].d.name, name) || streq(w->host.domains[i].d.uuid, uuid))
            return error_set(e, -EEXIST, "domain %s: exists", name);
    struct world_domain *d = world_add_domain(w, name, uuid);
    read_definition(d, xml, name, uuid);
    d->unsettled = true;
    r = domain_details_read(xml, &d->details, e);
    if (r < 0)
        abort();
    return 0;
}

static int fake_define(struct virt *v, const char *xml, struct error *e)
{
    int r = virt_enter(world_of(v), "define", e);
    if (r == 0)
        r = define(world_of(v), xml, e);
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

static int fake_try(struct virt *v, const char *trial_xml, const char *name, char **ret_nvram,
                    struct error *e)
{
    (void)ret_nvram;
    struct world *w = world_of(v);
    int r = virt_enter(w, "try definition", e);
    if (r == 0 && (!strstr(trial_xml, TRIAL_XML_NAMESPACE) || strstr(trial_xml, DOMAIN_XML_NAMESPACE)))
        world_violated(w, "the definition of %s is tried out under our mark", name);
    return r < 0 ? r : virt_leave(w, 0, e);
}

static void undefine(struct world *w, struct world_domain *d)
{
    struct host *h = &w->host;
    if (d->d.active)
        world_violated(w, "domain %s was to be undefined while it runs", d->d.name);
    if (!d->unsettled)
        h->undefined[h->n_undefined++] = *d;
    world_drop(h->domains, &h->n_domains, sizeof *d, (size_t)(d - h->domains));
}

/* No file of UEFI variables is libvirt's own here. */
static int fake_undefine(struct virt *v, const char *uuid, char **ret_kept, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, "undefine", e);
    struct world_domain *d = world_domain(w, uuid);
    char *kept = NULL;
    if (r == 0 && d) {
        kept = d->nvram[0] ? memcpy(world_alloc(1, sizeof d->nvram), d->nvram, sizeof d->nvram) : NULL;
        undefine(w, d);
    }
    if (r >= 0)
        r = virt_leave(w, 0, e);
    if (r < 0)
        free(kept);
    else
        *ret_kept = kept;
    return r;
}

static int fake_remove_trials(struct virt *v, bool dry_run, size_t *ret_n, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, "remove trials", e);
    size_t n = 0;
    for (size_t i = w->host.n_domains; r == 0 && i-- > 0;)
        if (str_starts(w->host.domains[i].d.name, TRIAL_NAME)) {
            n++;
            if (!dry_run)
                undefine(w, &w->host.domains[i]);
        }
    if (r >= 0)
        r = virt_leave(w, 0, e);
    if (r == 0)
        *ret_n = n;
    return r;
}

static int fake_settle(struct virt *v, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, "settle", e);
    if (r == 0)
        world_settle(&w->host);
    return r < 0 ? r : virt_leave(w, 0, e);
}

static void write_disk(const struct world_disk *disk, int letter, FILE *out)
{
    fprintf(out, "<disk>");
    if (disk->overlay[0])
        fprintf(out, "<source file=\"%s\"/><backingStore>", disk->overlay);
    const char *kind = str_starts(disk->path, "/dev/") ? "dev" : "type=\"unix\" path"; /* a socket */
    fprintf(out, "<source %s=\"%s\"/>%s", kind, disk->path, disk->overlay[0] ? "</backingStore>" : "");
    if (disk->mirror[0])
        fprintf(out, "<mirror><source file=\"%s\"/></mirror>", disk->mirror);
    fprintf(out, "<target dev='vd%c' bus='virtio'/></disk>", letter);
}

/* What is not ours is a server of Nova's. */
#define NOVA_METADATA                                                                                        \
    "<n:instance xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'><n:name>shop front</n:name>"          \
    "<n:owner><n:project uuid='30b3'>shop</n:project></n:owner></n:instance>"

static void write_definition(const struct world_domain *d, const struct world_disks *disks, FILE *out)
{
    fprintf(out, "<domain><name>%s</name><uuid>%s</uuid>", d->d.name, d->d.uuid);
    fprintf(out, "<metadata>%s%s</metadata>",
            d->d.ours ? "<a:instance xmlns:a='" DOMAIN_XML_NAMESPACE "'/>" : NOVA_METADATA,
            d->d.rescued ? "<a:rescue xmlns:a='" RESCUE_XML_NAMESPACE "'/>" : "");
    if (d->nvram[0])
        fprintf(out, "<os><nvram>%s</nvram></os>", d->nvram);
    fprintf(out, "<devices>");
    for (size_t i = 0; i < disks->n; i++)
        write_disk(&disks->disk[i], (int)('a' + i), out);
    fprintf(out, "</devices></domain>");
}

/* The caller frees it. */
static char *xml_of(const struct world_domain *d, const struct world_disks *disks)
{
    char *xml = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&xml, &size);
    if (!out)
        abort();
    write_definition(d, disks, out);
    fclose(out);
    return xml;
}

static int fake_definition(struct virt *v, const char *uuid, char **ret, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_look(w, "definition", e);
    if (r < 0)
        return r;
    const struct world_domain *d = world_domain(w, uuid);
    if (!d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    *ret = xml_of(d, &d->defined);
    return 0;
}

static int fake_view(struct virt *v, const char *uuid, enum domain_side side, struct domain_view *ret,
                     struct error *e)
{
    struct world *w = world_of(v);
    *ret = (struct domain_view){.found = false};
    int r = virt_look(w, "view", e);
    if (r < 0)
        return r;
    const struct world_domain *d = world_domain(w, uuid);
    if (!d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (side == DOMAIN_GUEST && !d->d.active)
        return 0;
    _cleanup_free_ char *xml = xml_of(d, side == DOMAIN_GUEST ? &d->running : &d->defined);
    return domain_view_read(xml, NVRAM_OF_HOST, ret, e);
}

static int view_sides(const struct world_domain *d, struct domain_sides *ret, struct error *e)
{
    _cleanup_free_ char *definition = xml_of(d, &d->defined);
    _cleanup_free_ char *guest = d->d.active ? xml_of(d, &d->running) : NULL;
    memcpy(ret->uuid, d->d.uuid, sizeof ret->uuid);
    memcpy(ret->name, d->d.name, sizeof ret->name);
    int r = domain_view_read(definition, NVRAM_OF_HOST, &ret->definition, e);
    return r == 0 && guest ? domain_view_read(guest, NVRAM_OF_HOST, &ret->guest, e) : r;
}

static int by_uuid(const void *a, const void *b)
{
    const struct domain_sides *x = a, *y = b;
    return strcmp(x->uuid, y->uuid);
}

static int fake_view_all(struct virt *v, struct virt_views *ret, struct error *e)
{
    const struct host *h = &world_of(v)->host;
    int r = virt_look(world_of(v), "view all", e);
    if (r < 0)
        return r;
    _cleanup_(virt_views_end) struct virt_views views = {
        .domain = world_alloc(h->n_domains + 1, sizeof *views.domain), .n = h->n_domains};
    for (size_t i = 0; r >= 0 && i < h->n_domains; i++)
        r = view_sides(&h->domains[i], &views.domain[i], e);
    if (r < 0)
        return r;
    qsort(views.domain, views.n, sizeof *views.domain, by_uuid);
    *ret = views;
    views = (struct virt_views){.n = 0};
    return 0;
}

static int fake_drop_save(struct virt *v, const char *uuid, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, "drop save", e);
    struct world_domain *d = world_domain(w, uuid);
    if (r == 0 && d)
        d->details.saved = false;
    return r < 0 ? r : virt_leave(w, 0, e);
}

/* It is never changed under a running guest: who started that would not get what he sees. */
static int redefine(struct world *w, const char *xml, struct error *e)
{
    _cleanup_free_ char *name = NULL, *uuid = NULL;
    int r = domain_xml_identity(xml, &name, &uuid, e);
    if (r < 0)
        return r;
    struct world_domain *d = world_domain(w, uuid);
    if (!d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (d->d.active && !w->person.act)
        world_violated(w, "domain %s was to be redefined while it runs", d->d.name);
    read_definition(d, xml, name, uuid);
    world_settle(&w->host);
    return 0;
}

static int fake_redefine(struct virt *v, const char *xml, struct error *e)
{
    int r = virt_enter(world_of(v), "redefine", e);
    if (r == 0)
        r = redefine(world_of(v), xml, e);
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

static bool map_there(struct world *w, const struct volume *v)
{
    const struct world_map *m = world_map(w, v->lv);
    return m && !m->unsettled && !m->map.read_only && (m->map.served != 0) == volume_served(v);
}

static bool device_there(struct world *w, const char *path)
{
    for (size_t i = 0; i < w->host.n_volumes; i++) {
        const struct volume *v = &w->host.volumes[i].v;
        char device[DEVICE_PATH_MAX], plain[DEVICE_PATH_MAX];
        volume_device_path(v, device);
        snprintf(plain, sizeof plain, "/dev/%s/%s", v->vg, v->lv);
        if (streq(path, plain) && volume_encrypted(v))
            world_violated(w, "%s goes to a VM unencrypted", v->lv);
        if (streq(path, device))
            return !volume_encrypted(v) || map_there(w, v);
    }
    return false;
}

/* What the hook refuses. */
static bool is_mounted(const struct host *h, const char *uuid)
{
    for (size_t i = 0; i < h->n_maps; i++)
        if (h->maps[i].held && str_starts(h->maps[i].lv, uuid))
            return true;
    return false;
}

/* A saved memory goes on, whatever became of the disks. */
static void resume(struct world *w, struct world_domain *d)
{
    for (size_t i = 0; d->details.saved && i < w->host.n_volumes; i++) {
        struct world_volume *v = &w->host.volumes[i];
        if (str_starts(v->v.lv, d->d.uuid) && !v->remembered)
            world_violated(w, "%s was resumed on %s, which it does not remember", d->d.name, v->v.lv);
        v->remembered &= !str_starts(v->v.lv, d->d.uuid);
    }
    d->details.saved = false;
}

bool world_start_guest(struct world *w, struct world_domain *d)
{
    world_look(w);
    for (size_t i = 0; i < d->defined.n; i++)
        if (!streq(d->defined.disk[i].path, WORLD_FOREIGN_DISK) && !device_there(w, d->defined.disk[i].path))
            return false;
    if (is_mounted(&w->host, d->d.uuid))
        return false;
    resume(w, d);
    d->d.active = true;
    d->running = d->defined;
    for (size_t i = 0; i < d->running.n; i++)
        d->running.disk[i].bytes = world_device_bytes(&w->host, d->running.disk[i].path);
    return true;
}

static int start(struct world *w, const char *uuid, struct error *e)
{
    struct world_domain *d = world_domain(w, uuid);
    if (!d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (d->d.active || world_start_guest(w, d))
        return 0;
    if (!w->person.act) /* somebody may have closed or mounted it a moment ago */
        world_violated(w, "domain %s was to start without all of its disks", d->d.name);
    return error_set(e, -EIO, "domain %s: a disk of it is not there, or is mounted", d->d.name);
}

static int fake_start(struct virt *v, const char *uuid, struct error *e)
{
    int r = virt_enter(world_of(v), "start", e);
    if (r == 0)
        r = start(world_of(v), uuid, e);
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

/* `must_be`: that there is no such domain is a fault. */
static int end_domain(struct virt *v, const char *call, const char *uuid, bool must_be, bool ends,
                      struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, call, e);
    struct world_domain *d = world_domain(w, uuid);
    if (r == 0 && !d && must_be)
        r = error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (r == 0 && d && ends) {
        world_end_guest(d);
        world_forget_transient(&w->host);
    }
    return r < 0 ? r : virt_leave(w, 0, e);
}

static int fake_shutdown(struct virt *v, const char *uuid, struct error *e)
{
    const struct world_domain *d = world_domain(world_of(v), uuid);
    if (d && d->d.active && d->d.state == DOMAIN_PAUSED)
        return error_set(e, -EBUSY, "domain %s: is not running", d->d.name);
    return end_domain(v, "shutdown", uuid, true, !world_of(v)->guest_ignores, e);
}

static int fake_reboot(struct virt *v, const char *uuid, struct error *e)
{
    return end_domain(v, "reboot", uuid, true, false, e);
}

static int fake_destroy(struct virt *v, const char *uuid, struct error *e)
{
    return end_domain(v, "destroy", uuid, false, true, e);
}

/* -------------------------------------------------------------------- disks */

static int attach(struct world *w, const char *uuid, const char *path, unsigned sides, struct error *e)
{
    struct world_domain *d = world_domain(w, uuid);
    world_look(w);
    if (!d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (sides & DOMAIN_GUEST && (!d->d.active || !device_there(w, path)))
        return error_set(e, -EIO, "domain %s: does not run, or there is no %s", d->d.name, path);
    if (sides & DOMAIN_DEFINITION) {
        add_disk(&d->defined, path);
        world_settle(&w->host);
    }
    if (sides & DOMAIN_GUEST)
        add_disk(&d->running, path)->bytes = world_device_bytes(&w->host, path);
    return 0;
}

static int fake_attach_disk(struct virt *v, const char *uuid, const struct domain_disk *disk, unsigned sides,
                            struct error *e)
{
    int r = virt_enter(world_of(v), "attach disk", e);
    if (r == 0)
        r = attach(world_of(v), uuid, disk->device_path, sides, e);
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

static int fake_detach_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                            struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_enter(w, side == DOMAIN_GUEST ? "ask guest" : "detach disk", e);
    struct world_domain *d = world_domain(w, uuid);
    if (r == 0 && d && side == DOMAIN_DEFINITION) {
        drop_disk(&d->defined, device_path);
        world_settle(&w->host);
    }
    if (r == 0 && d && side == DOMAIN_GUEST && !w->guest_ignores)
        drop_disk(&d->running, device_path);
    return r < 0 ? r : virt_leave(w, 0, e);
}

static int fake_has_disk(struct virt *v, const char *uuid, const char *device_path, enum domain_side side,
                         bool *ret, struct error *e)
{
    struct world *w = world_of(v);
    int r = virt_look(w, "find disk", e);
    if (r < 0)
        return r;
    const struct world_domain *d = world_domain(w, uuid);
    *ret = d && (side == DOMAIN_DEFINITION ? world_has_disk(&d->defined, device_path)
                                           : d->d.active && world_has_disk(&d->running, device_path));
    return 0;
}

static int resize_disk(struct world *w, const char *uuid, const char *path, uint64_t bytes, struct error *e)
{
    struct world_domain *d = world_domain(w, uuid);
    struct world_disk *disk = d ? find_disk(&d->running, path) : NULL;
    world_look(w);
    if (!disk)
        return error_set(e, -EIO, "domain %s: has no disk %s", uuid, path);
    if (bytes != world_device_bytes(&w->host, path)) {
        world_violated(w, "the guest of %s was to be told a size that %s has not", d->d.name, path);
        return error_set(e, -EIO, "domain %s: %s has not that size", d->d.name, path);
    }
    disk->bytes = bytes;
    return 0;
}

static int fake_resize_disk(struct virt *v, const char *uuid, const char *path, uint64_t bytes,
                            struct error *e)
{
    int r = virt_enter(world_of(v), "block resize", e);
    if (r == 0)
        r = resize_disk(world_of(v), uuid, path, bytes, e);
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

/* Whoever is on a network has one, by its place among the domains; its agent knows another. */
static int fake_addresses(struct virt *v, const char *uuid, bool ask_guest, struct domain_addresses *ret,
                          struct error *e)
{
    int r = virt_look(world_of(v), "addresses", e);
    const struct world_domain *d = world_domain(world_of(v), uuid);
    *ret = (struct domain_addresses){.n = 0};
    if (r < 0 || !d || !d->d.active || !d->connected)
        return r;
    ret->n = ask_guest ? 2 : 1;
    snprintf(ret->address[0], DOMAIN_ADDRESS_MAX, "192.168.122.%d",
             10 + (int)(d - world_of(v)->host.domains));
    snprintf(ret->address[1], DOMAIN_ADDRESS_MAX, "fd00::5");
    return 0;
}

/* "default" is there, and "off" is not active. */
static int fake_check_network(struct virt *v, const char *name, bool active, struct error *e)
{
    int r = virt_look(world_of(v), "find network", e);
    if (r < 0 || streq(name, "default"))
        return r;
    if (!streq(name, "off"))
        return error_set(e, -ENOENT, "network %s: there is none", name);
    return active ? error_set(e, -EINVAL, "network %s: is not active", name) : 0;
}

static int fake_set_autostart(struct virt *v, const char *uuid, struct error *e)
{
    int r = virt_enter(world_of(v), "autostart", e);
    struct world_domain *d = world_domain(world_of(v), uuid);
    if (r == 0 && !d)
        return error_set(e, -ENOENT, "domain %s: there is none", uuid);
    if (r == 0)
        d->details.autostart = d->unsettled = true;
    return r < 0 ? r : virt_leave(world_of(v), 0, e);
}

static bool fake_offers(struct virt *v, enum virt_offer what)
{
    return what == VIRT_KVM || !world_of(v)->no_uefi;
}

static int fake_reconnect(struct virt *v, struct error *e)
{
    world_of(v)->virt_broken = false;
    return world_of(v)->crashed ? error_set(e, -ECONNREFUSED, "libvirt: crashed") : 0;
}

static void fake_disconnect(struct virt *v)
{
    free(v);
}

static const struct virt_ops fake_virt_ops = {
    .list = fake_list,
    .find_name = fake_find_name,
    .find_uuid = fake_find_uuid,
    .details = fake_details,
    .define = fake_define,
    .try = fake_try,
    .remove_trials = fake_remove_trials,
    .undefine = fake_undefine,
    .set_autostart = fake_set_autostart,
    .settle = fake_settle,
    .definition = fake_definition,
    .redefine = fake_redefine,
    .start = fake_start,
    .shutdown = fake_shutdown,
    .reboot = fake_reboot,
    .destroy = fake_destroy,
    .attach_disk = fake_attach_disk,
    .detach_disk = fake_detach_disk,
    .has_disk = fake_has_disk,
    .resize_disk = fake_resize_disk,
    .view = fake_view,
    .view_all = fake_view_all,
    .drop_save = fake_drop_save,
    .addresses = fake_addresses,
    .check_network = fake_check_network,
    .offers = fake_offers,
    .reconnect = fake_reconnect,
    .disconnect = fake_disconnect,
};

struct virt *fake_virt_new(struct world *w)
{
    struct fake_virt *f = world_alloc(1, sizeof *f);
    *f = (struct fake_virt){.base.ops = &fake_virt_ops, .w = w};
    return &f->base;
}
