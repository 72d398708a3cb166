/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the control plane that run on any machine, for bench/instructions to count their instructions:
 *
 *     parts PART N
 *
 * Only what measured() does is counted; what a part needs is made before. A host of N instances has three
 * disks each, all open, and libvirt runs them all.
 */
#include "base/packet.h"
#include "broker/wire.h"
#include "instance/model.h"
#include "keys/derive.h"
#include "storage/check.h"
#include "storage/tags.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISKS 3

struct host {
    struct broker broker;
    struct virt virt;
    size_t n;
    struct volume *volumes;
    struct map *maps;
    struct domain *domains;
    char *report; /* of LVM, with all volumes */
    size_t report_size;
    struct model *model;
    struct secret *secret;
};

/* ---------------------------------------------------- a host of N instances */

/* In no order that would make the sorting easy. */
static void make_uuid(char text[UUID_TEXT], size_t i, unsigned kind)
{
    snprintf(text, UUID_TEXT, "%08" PRIx32 "-0c8f-4f0e-9d38-%04x%08" PRIx32, (uint32_t)(i * 2654435761U),
             kind & 0xffff, (uint32_t)i);
}

static void make_instance(struct host *h, size_t i)
{
    static const char *const roles[DISKS] = {"root", "eph0", "swap"};
    struct domain *domain = &h->domains[i];
    domain->active = domain->ours = true;
    make_uuid(domain->uuid, i, 0);
    snprintf(domain->name, sizeof domain->name, "ci-%zu", i);
    for (unsigned d = 0; d < DISKS; d++) {
        struct volume *v = &h->volumes[i * DISKS + d];
        struct map *m = &h->maps[i * DISKS + d];
        *v = (struct volume){.vg = "vg0",
                             .size_bytes = 10ULL << 30,
                             .state = VOLUME_READY,
                             .cipher = "aes-xts-plain64",
                             .key_bits = 512,
                             .sector_bytes = 4096,
                             .kdf = "hkdf-sha512",
                             .check = "00112233445566778899aabbccddeeff"};
        memcpy(v->instance, domain->uuid, sizeof v->instance);
        make_uuid(v->disk, i, d + 1);
        snprintf(v->name, sizeof v->name, "%.63s", domain->name);
        snprintf(v->role, sizeof v->role, "%s", roles[d]);
        snprintf(v->key, sizeof v->key, "local:%s", v->instance);
        volume_set_lv_name(v);
        volume_map_name(v, m->name);
        snprintf(m->uuid, sizeof m->uuid, MAP_UUID_PREFIX "%s", v->disk);
        m->size_bytes = v->size_bytes;
        m->open_count = 1;
    }
}

static int make_report(struct host *h)
{
    char tags[TAGS_TEXT_MAX];
    FILE *out = open_memstream(&h->report, &h->report_size);
    if (!out)
        return -ENOMEM;
    fprintf(out,
            "{\"report\":[{\"vg\":[{\"vg_name\":\"vg0\",\"vg_size\":\"%zu\",\"vg_free\":\"0\","
            "\"vg_extent_size\":\"4194304\",\"vg_mda_size\":\"67108864\",\"vg_mda_free\":\"33554432\","
            "\"vg_missing_pv_count\":\"0\"}]}],\"log\":[]}\n{\"report\":[{\"lv\":[",
            h->n << 35);
    for (size_t i = 0; i < h->n * DISKS; i++) {
        const struct volume *v = &h->volumes[i];
        tags_format(v, tags);
        fprintf(out,
                "%s{\"vg_name\":\"%s\",\"lv_name\":\"%s\",\"lv_size\":\"%" PRIu64 "\",\"lv_tags\":\"%s\"}",
                i ? "," : "", v->vg, v->lv, v->size_bytes, tags);
    }
    fprintf(out, "]}],\"log\":[]}\n");
    return fclose(out) == 0 ? 0 : -ENOMEM;
}

static int broker_list_of_host(struct broker *b, struct inventory **ret, struct error *e)
{
    struct host *h = (struct host *)((char *)b - offsetof(struct host, broker));
    return inventory_parse(h->report, h->report_size, h->maps, h->n * DISKS, ret, e);
}

static int virt_list_of_host(struct virt *v, bool metadata, struct domain **ret, size_t *ret_n,
                             struct error *e)
{
    (void)metadata; /* the marks of these domains are known */
    struct host *h = (struct host *)((char *)v - offsetof(struct host, virt));
    struct domain *copy = calloc(h->n + 1, sizeof *copy);
    if (!copy)
        return error_memory(e);
    memcpy(copy, h->domains, h->n * sizeof *copy);
    *ret = copy;
    *ret_n = h->n;
    return 0;
}

static const struct broker_ops broker_ops = {.list = broker_list_of_host};
static const struct virt_ops virt_ops = {.list = virt_list_of_host};

static int load_model(struct host *h, struct error *e)
{
    const struct context c = {.broker = &h->broker, .virt = &h->virt};
    return model_load(&c, &h->model, e);
}

static int make_host(size_t n, struct host *h, struct error *e)
{
    *h = (struct host){.broker.ops = &broker_ops, .virt.ops = &virt_ops, .n = n};
    h->volumes = calloc(n * DISKS, sizeof *h->volumes);
    h->maps = calloc(n * DISKS, sizeof *h->maps);
    h->domains = calloc(n, sizeof *h->domains);
    if (!h->volumes || !h->maps || !h->domains)
        return error_memory(e);
    for (size_t i = 0; i < n; i++)
        make_instance(h, i);
    int r = make_report(h);
    return r < 0 ? error_memory(e) : 0;
}

static int make_secret(struct host *h, struct error *e)
{
    int r = secret_new(64, &h->secret, e);
    for (size_t i = 0; r == 0 && i < 64; i++)
        secret_bytes(h->secret)[i] = (uint8_t)i;
    return r;
}

static void free_host(struct host *h)
{
    free(h->volumes);
    free(h->maps);
    free(h->domains);
    free(h->report);
    model_free(h->model);
    secret_free(h->secret);
}

/* ---------------------------------------------------------------------- parts */

static int parse_inventory(struct host *h, struct error *e)
{
    _cleanup_inventory_ struct inventory *i = NULL;
    return broker_list_of_host(&h->broker, &i, e);
}

/* As a verb does that names each. */
static int find_all(struct host *h, struct error *e)
{
    const struct instance *found = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < h->n; i++)
        r = model_find(h->model, h->domains[i].name, &found, e);
    return r;
}

static int derive_keys(struct host *h, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < h->n; i++) {
        _cleanup_secret_ struct secret *key = NULL;
        char check[CHECK_MAX];
        r = derive_volume_key(&h->volumes[i * DISKS], h->secret, &key, e);
        if (r == 0)
            r = volume_check_value(&h->volumes[i * DISKS], key, check, e);
    }
    return r;
}

static int read_tags(struct host *h, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < h->n; i++) {
        char text[TAGS_TEXT_MAX];
        struct volume v = {.vg = "vg0"};
        tags_format(&h->volumes[i * DISKS], text);
        r = tags_parse(text, &v, e);
    }
    return r;
}

static int send_request(int sockets[2], const struct volume *v, struct error *e)
{
    struct {
        struct wire_header header;
        struct op_volume request;
    } packet;
    struct op_volume q = {0};
    size_t size = 0;
    int fd = -1;
    memcpy(q.volume.vg, v->vg, sizeof q.volume.vg);
    memcpy(q.volume.lv, v->lv, sizeof q.volume.lv);
    int r = wire_send_request(sockets[0], OP_CLOSE, &q, sizeof q, -1);
    if (r == 0)
        r = packet_receive(sockets[1], &packet, sizeof packet, &size, &fd);
    return r < 0 ? error_set(e, r, "packet: lost") : volume_ref_check(&packet.request.volume, e);
}

static int send_requests(struct host *h, struct error *e)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return error_set(e, errno, "socket: %m");
    int r = 0;
    for (size_t i = 0; r == 0 && i < h->n; i++)
        r = send_request(sockets, &h->volumes[i * DISKS], e);
    close(sockets[0]);
    close(sockets[1]);
    return r;
}

static const struct {
    const char *name;
    int (*prepare)(struct host *h, struct error *e);
    int (*run)(struct host *h, struct error *e);
} parts[] = {
    {"inventory", NULL, parse_inventory}, /* LVM's report and the maps */
    {"model", NULL, load_model},          /* these, and libvirt's domains: what every verb begins with */
    {"find", load_model, find_all},       /* N instances by name */
    {"derive", make_secret, derive_keys}, /* N volume keys and their check values */
    {"tags", NULL, read_tags},            /* of N volumes, to text and back */
    {"wire", NULL, send_requests},        /* N requests, there and checked */
};

int measured(int (*run)(struct host *h, struct error *e), struct host *h, struct error *e);
__attribute__((noinline)) int measured(int (*run)(struct host *h, struct error *e), struct host *h,
                                       struct error *e)
{
    int r = run(h, e);
    __asm__ volatile("" : : : "memory"); /* no jump instead of the call: counting would not end */
    return r;
}

int main(int argc, char *argv[])
{
    struct error e = ERROR_NONE;
    struct host h = {0};
    uint64_t n = 0;
    int r = -EINVAL;
    for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(parts); i++) {
        if (!streq(argv[1], parts[i].name) || str_to_u64(argv[2], &n) < 0)
            continue;
        r = make_host(n, &h, &e);
        if (r == 0 && parts[i].prepare)
            r = parts[i].prepare(&h, &e);
        if (r == 0)
            r = measured(parts[i].run, &h, &e);
        free_host(&h);
    }
    if (r < 0)
        fprintf(stderr, "parts: %s\n", e.errnum ? e.text : "usage: parts PART N");
    return r < 0;
}
