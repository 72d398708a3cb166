/* SPDX-License-Identifier: Apache-2.0 */
/* scale-fixture NAME FIRST COUNT VG EXTENT FOLDER: what `mayfly launch --no-start` would have left of COUNT
 * instances NAME-FIRST ..., with three disks of one extent each, from extent EXTENT of the group's pv0 on,
 * without a command of LVM or libvirt: thousands of volumes in a second.
 *
 *     standard output     their sections of LVM's metadata, for vgcfgrestore
 *     FOLDER/NAME-n.xml   their definitions, for libvirtd to find when it starts
 *     the key manager     their keys, of this user
 *
 * Names, tags, check values and XML come out of Mayfly's own functions: each can be opened and launched.
 */
#include "base/fd.h"
#include "instance/disks.h"
#include "keys/derive.h"
#include "keys/keymgr.h"
#include "storage/check.h"
#include "storage/tags.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#define DISKS        3
#define EXTENT_BYTES (UINT64_C(4) << 20)

struct fixture {
    struct context context;
    struct config config;
    struct keymgr *km;
    const char *name, *vg, *folder;
    uint64_t extent; /* the next one */
};

/* As LVM's own: 32 letters and digits, 6-4-4-4-4-4-6. */
static void print_lvm_id(void)
{
    uint8_t noise[32] = {0};
    (void)!getrandom(noise, sizeof noise, 0);
    for (size_t i = 0; i < sizeof noise; i++)
        printf("%s%c", i >= 6 && i % 4 == 2 && i < 30 ? "-" : "", 'a' + noise[i] % 26);
}

static void print_volume(struct fixture *f, const struct volume *v)
{
    char tags[TAGS_TEXT_MAX], *rest = tags;
    tags_format(v, tags);
    printf("%s {\nid = \"", v->lv);
    print_lvm_id();
    printf("\"\nstatus = [\"READ\", \"WRITE\", \"VISIBLE\"]\nflags = []\ntags = [");
    for (char *tag; (tag = strsep(&rest, ","));)
        printf("\"%s\"%s", tag, rest ? ", " : "");
    printf("]\ncreation_time = 1700000000\ncreation_host = \"lab\"\nsegment_count = 1\nsegment1 {\n"
           "start_extent = 0\nextent_count = 1\ntype = \"striped\"\nstripe_count = 1\n"
           "stripes = [\"pv0\", %" PRIu64 "]\n}\n}\n",
           f->extent++);
}

/* Their key comes later. */
static struct volume design(const struct fixture *f, const char *name, const char *uuid, size_t disk)
{
    static const char *const roles[DISKS] = {"root", "eph0", "swap"}, *const fs[DISKS] = {"", "ext4", "swap"};
    struct volume v = {.state = VOLUME_READY, .size_bytes = EXTENT_BYTES};
    snprintf(v.vg, sizeof v.vg, "%.63s", f->vg);
    snprintf(v.instance, sizeof v.instance, "%.36s", uuid);
    snprintf(v.name, sizeof v.name, "%.63s", name);
    snprintf(v.role, sizeof v.role, "%s", roles[disk]);
    snprintf(v.fs, sizeof v.fs, "%s", fs[disk]);
    snprintf(v.cipher, sizeof v.cipher, "%.47s", f->config.cipher);
    snprintf(v.kdf, sizeof v.kdf, KDF_HKDF_SHA512);
    v.key_bits = f->config.key_size_bits;
    v.sector_bytes = 4096;
    v.scope = KEY_SCOPE_INSTANCE;
    uuid_make(v.disk);
    volume_set_lv_name(&v);
    return v;
}

static int give_keys(struct fixture *f, const char *uuid, struct volume disks[DISKS], struct error *e)
{
    struct key_info want = {.scope = KEY_SCOPE_INSTANCE, .bits = f->config.key_size_bits};
    _cleanup_secret_ struct secret *secret = NULL;
    char id[KEY_ID_MAX];
    memcpy(want.owner, uuid, sizeof want.owner);
    memcpy(want.vg, disks[0].vg, sizeof want.vg);
    int r = keymgr_create(f->km, &want, id, &secret, e);
    for (size_t i = 0; r == 0 && i < DISKS; i++) {
        _cleanup_secret_ struct secret *key = NULL;
        snprintf(disks[i].key, sizeof disks[i].key, "local:%.36s", id);
        r = derive_volume_key(&disks[i], secret, &key, e);
        if (r == 0)
            r = volume_check_value(&disks[i], key, disks[i].check, e);
    }
    return r;
}

static int write_domain(const struct fixture *f, const char *name, const char *uuid,
                        const struct volume volumes[DISKS], struct error *e)
{
    struct domain_disk disks[DISKS];
    char paths[DISKS][DEVICE_PATH_MAX];
    struct domain_spec spec = {.name = name, .uuid = uuid, .disks = disks, .n_disks = DISKS};
    _cleanup_free_ char *xml = NULL, *path = str_format("%s/%s.xml", f->folder, name);
    for (size_t i = 0; i < DISKS; i++)
        disks[i] = disk_of_domain(&f->context, &volumes[i], paths[i]);
    int r = path ? domain_xml(&spec, NULL, &xml, e) : error_memory(e);
    if (r < 0)
        return r;
    FILE *file = fopen(path, "we");
    if (!file || fputs(xml, file) < 0 || fclose(file) != 0)
        return error_set(e, errno, "%s: cannot be written: %m", path);
    return 0;
}

static int make_instance(struct fixture *f, uint64_t number, struct error *e)
{
    struct volume disks[DISKS];
    char name[INSTANCE_NAME_MAX], uuid[UUID_TEXT];
    snprintf(name, sizeof name, "%.40s-%" PRIu64, f->name, number);
    uuid_make(uuid);
    for (size_t i = 0; i < DISKS; i++)
        disks[i] = design(f, name, uuid, i);
    int r = give_keys(f, uuid, disks, e);
    if (r == 0)
        r = write_domain(f, name, uuid, disks, e);
    for (size_t i = 0; r == 0 && i < DISKS; i++)
        print_volume(f, &disks[i]);
    return r;
}

int main(int argc, char **argv)
{
    struct fixture f = {.km = NULL};
    struct error e = ERROR_NONE;
    uint64_t first = 0, count = 0;
    if (argc != 7 || str_to_u64(argv[2], &first) < 0 || str_to_u64(argv[3], &count) < 0 ||
        str_to_u64(argv[5], &f.extent) < 0) {
        fprintf(stderr, "usage: scale-fixture NAME FIRST COUNT VG EXTENT FOLDER\n");
        return 1;
    }
    f.name = argv[1], f.vg = argv[4], f.folder = argv[6];
    int r = config_load(NULL, CONFIG_ANY_OWNER, &f.config, &e);
    f.context.config = &f.config;
    if (r == 0)
        r = keymgr_open(&f.config, &KEY_CONTEXT_NONE, "local", &f.km, &e);
    for (uint64_t n = first; r == 0 && n < first + count; n++)
        r = make_instance(&f, n, &e);
    keymgr_close(f.km);
    if (r < 0)
        fprintf(stderr, "scale-fixture: %s\n", e.text);
    return r < 0;
}
