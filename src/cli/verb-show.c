/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly show: one instance, its disks, and how each is protected. Never a key: only whose it is. */
#include "cli/json.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"

#include <stdio.h>

static int print_disks(const struct model *m, const struct instance *i, struct error *e)
{
    _cleanup_table_ struct table t =
        TABLE("Disk", "Size", "State", "Map", "Encryption", "Sector", "Key", "Derivation", "Device");
    for (size_t d = 0; d < i->n_volumes; d++) {
        const struct volume *v = i->volumes[d];
        char size[32], encryption[CIPHER_MAX + 16] = "none", sector[16] = "-", path[DEVICE_PATH_MAX];
        if (volume_encrypted(v)) {
            snprintf(encryption, sizeof encryption, "%s:%u", v->cipher, v->key_bits);
            snprintf(sector, sizeof sector, "%u", v->sector_bytes);
        }
        volume_device_path(v, path);
        int r = table_row(&t, e, v->role, str_from_bytes(v->size_bytes, size, sizeof size),
                          volume_state_name(v->state),
                          !volume_encrypted(v) ? "-"
                          : model_map_of(m, v) ? "open"
                                               : "closed",
                          encryption, sector, *v->key ? v->key : "-", *v->kdf ? v->kdf : "-", path);
        if (r < 0)
            return r;
    }
    table_print(&t);
    return 0;
}

static void print_ram(const struct instance *i, const struct domain_ram *ram)
{
    printf("Memory: %s; core dumps of QEMU come %s it\n",
           ram->save_refused ? "saving it to a file is refused"
                             : "virsh save would write it to the host unencrypted",
           ram->core_dumped ? "with" : "without");
    if (ram->saved)
        printf("        libvirt keeps it UNENCRYPTED in a file; see virsh managedsave-remove %s\n", i->name);
}

static struct json_object *json_ram(const struct domain_ram *ram)
{
    struct json_object *object = json_object_new_object();
    if (json_put_bool(object, "save_refused", ram->save_refused) &&
        json_put_bool(object, "core_dumped", ram->core_dumped) && json_put_bool(object, "saved", ram->saved))
        return object;
    json_object_put(object);
    return NULL;
}

/* `ram` NULL: there is no domain, or libvirt could not be asked. */
static int print_json(const struct model *m, const struct instance *i, const struct domain_ram *ram,
                      struct error *e)
{
    struct json_object *document = json_document(), *instance = json_instance(m, i);
    bool whole = !ram || json_put(instance, "memory", json_ram(ram));
    whole = json_put(document, "instance", instance) && whole;
    return json_print(document, whole, e);
}

int verb_show(const struct verb *self, struct globals *g, int argc, char **argv, struct error *e)
{
    int n = 0;
    int r = verb_parse(self, g, NULL, NULL, argc, argv, 1, 1, &n, e);
    if (r != 0)
        return r;
    _cleanup_session_ struct session *s = NULL;
    _cleanup_model_ struct model *m = NULL;
    const struct instance *i = NULL;
    r = session_open(g, SESSION_VIRT_WANTED, &s, e);
    if (r == 0)
        r = model_load(&s->context, &m, e);
    if (r == 0)
        r = model_find(m, argv[1], &i, e);
    if (r < 0)
        return r;
    struct domain_ram ram;
    bool has_ram = model_domain_of(m, i->uuid);
    if (has_ram)
        r = virt_ram(s->context.virt, i->uuid, &ram, e);
    if (r < 0)
        return r;
    if (g->json)
        return print_json(m, i, has_ram ? &ram : NULL, e);

    printf("Name:   %s\nUUID:   %s\nState:  %s%s\n", i->name, i->uuid, instance_state_name(i->state),
           instance_in_rescue(i) ? ", in rescue" : "");
    if (has_ram)
        print_ram(i, &ram);
    printf("\n");
    return print_disks(m, i, e);
}
