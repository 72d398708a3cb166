/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly show: one instance, its disks, how each is protected, and why so. Never a key, only its reference.
 */
#include "cli/addresses.h"
#include "cli/findings.h"
#include "cli/json.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "storage/facts.h"

#include <stdio.h>

static const char *openness(const struct model *m, const struct volume *v)
{
    const struct map *map = model_map_of(m, v);
    if (!volume_encrypted(v))
        return "-";
    return !map ? "closed" : map->read_only ? "read-only" : "open";
}

static int print_disks(const struct model *m, const struct instance *i, struct error *e)
{
    _cleanup_table_ struct table t =
        TABLE("Disk", "Size", "State", "Map", "Encryption", "Sector", "Key", "Derivation", "Device");
    for (size_t d = 0; d < i->n_volumes; d++) {
        const struct volume *v = i->volumes[d];
        char disk[ROLE_MAX + ALIAS_MAX + 4], size[32], encryption[CIPHER_MAX + 16] = "none", sector[16] = "-",
                                                                               path[DEVICE_PATH_MAX];
        if (volume_encrypted(v)) {
            snprintf(encryption, sizeof encryption, "%s:%u", v->cipher, v->key_bits);
            snprintf(sector, sizeof sector, "%u", v->sector_bytes);
        }
        inventory_device_path(m->inventory, v, path);
        snprintf(disk, sizeof disk, v->alias[0] ? "%s (%s)" : "%s", v->role, v->alias);
        int r = table_row(&t, e, disk, str_from_bytes(v->size_bytes, size, sizeof size),
                          volume_state_name(v->state), openness(m, v), encryption, sector,
                          *v->key ? v->key : "-", *v->kdf ? v->kdf : "-", path);
        if (r < 0)
            return r;
    }
    table_print(&t);
    return 0;
}

/* One parameter of a disk's dm-crypt table. */
struct told {
    const char *option;     /* its name in mayfly.conf */
    char value[CIPHER_MAX]; /* value as it would be chosen now; if the data is bound to it, as it is */
    const char *live; /* the value of the open disk; NULL: it is closed, or its data is bound to the value */
    const char *why;
};
#define TOLD_MAX (2 + CHOICE_COUNT)

static void tell_options(const struct context *c, const struct model *m, const struct volume *v,
                         struct told ret[TOLD_MAX])
{
    const char *why[CHOICE_COUNT] = {NULL}, *sector_why = "as the disk was made";
    const struct map *map = model_map_of(m, v);
    struct facts facts;
    facts_of_volume(v, m->inventory->crypt_version, &facts);
    uint32_t flags = choose_flags(c->config, &facts, why);
    if (choose_sector_bytes(c->config, v->cipher, &facts, v->size_bytes) == v->sector_bytes)
        sector_why = explain_sector_bytes(c->config, v->cipher, &facts, v->size_bytes);

    ret[0] = (struct told){.option = "sector_size", .why = sector_why};
    snprintf(ret[0].value, sizeof ret[0].value, "%u", v->sector_bytes);
    ret[1] = (struct told){.option = "cipher", .why = explain_cipher(v->cipher, processor_has_aes())};
    memcpy(ret[1].value, v->cipher, sizeof ret[1].value);
    for (enum choice i = 0; i < CHOICE_COUNT; i++) {
        struct told *t = &ret[2 + i];
        *t = (struct told){.option = choice_name(i), .why = why[i]};
        snprintf(t->value, sizeof t->value, "%s", choice_value(i, flags));
        t->live = map ? choice_value(i, map->flags) : NULL;
    }
}

/* True if a disk has a dm-crypt table. Plain disks have no table, nor have disks that a process serves. */
static bool has_table(const struct volume *v)
{
    return volume_encrypted(v) && !volume_served(v);
}

static int print_told(const struct context *c, const struct model *m, const struct instance *i,
                      struct error *e)
{
    _cleanup_table_ struct table t = TABLE("Disk", "Option", "Choice", "Open with", "Reason");
    struct told told[TOLD_MAX];
    for (size_t d = 0; d < i->n_volumes; d++) {
        if (!has_table(i->volumes[d]))
            continue;
        tell_options(c, m, i->volumes[d], told);
        for (size_t n = 0; n < TOLD_MAX; n++) {
            int r = table_row(&t, e, i->volumes[d]->role, told[n].option, told[n].value,
                              told[n].live ? told[n].live : "-", told[n].why);
            if (r < 0)
                return r;
        }
    }
    if (t.n_cells == 0)
        return 0;
    printf("\n");
    table_print(&t);
    return 0;
}

static struct json_object *json_told(const struct context *c, const struct model *m, const struct volume *v)
{
    struct json_object *table = json_object_new_object();
    struct told told[TOLD_MAX];
    bool whole = table != NULL;
    tell_options(c, m, v, told);
    for (size_t n = 0; whole && n < TOLD_MAX; n++) {
        struct json_object *one = json_object_new_object();
        whole = json_put_text(one, "choice", told[n].value) && json_put_text(one, "reason", told[n].why) &&
                (!told[n].live || json_put_text(one, "open_with", told[n].live));
        whole = json_put(table, told[n].option, one) && whole;
    }
    return json_whole(table, whole);
}

/* Adds the parameters to the disks of `instance`, which are in the order of its volumes. */
static bool put_told(struct json_object *instance, const struct context *c, const struct model *m,
                     const struct instance *i)
{
    struct json_object *disks = NULL;
    bool whole = json_object_object_get_ex(instance, "disks", &disks);
    for (size_t d = 0; whole && d < i->n_volumes; d++)
        whole = !has_table(i->volumes[d]) ||
                json_put(json_object_array_get_idx(disks, d), "table", json_told(c, m, i->volumes[d]));
    return whole;
}

static void print_details(const struct instance *i, const struct domain_details *d)
{
    printf("Memory: %s; core dumps of QEMU come %s it\n",
           d->save_refused ? "saving it to a file is refused"
                           : "virsh save would write it to the host unencrypted",
           d->core_dumped ? "with" : "without");
    if (d->saved)
        printf("        libvirt keeps it UNENCRYPTED in a file; see virsh managedsave-remove %s\n", i->name);
    if (d->tpm != TPM_NONE)
        printf("TPM:    libvirt keeps its state in a file of the host, %s\n",
               d->tpm == TPM_ENCRYPTED ? "encrypted by a libvirt secret" : "UNENCRYPTED");
    printf("Starts: %s\n", d->autostart ? "with the host, by autostart" : "when it is told to");
}

/* Prints what Nova has noted, without control characters, which a terminal would obey. */
static void print_nova(const struct nova_server *nova)
{
    _cleanup_free_ char *text =
        str_format("%s, of project %s", nova->name ? nova->name : "-", nova->project ? nova->project : "-");
    if (!text || !(nova->name || nova->project))
        return;
    str_tame(text);
    printf("Server: %s\n", text);
}

static struct json_object *json_ram(const struct domain_details *d)
{
    struct json_object *object = json_object_new_object();
    return json_whole(object, json_put_bool(object, "save_refused", d->save_refused) &&
                                  json_put_bool(object, "core_dumped", d->core_dumped) &&
                                  json_put_bool(object, "saved", d->saved));
}

static bool put_details(struct json_object *instance, const struct domain_details *d)
{
    bool whole = json_put(instance, "memory", json_ram(d));
    whole = json_put_bool(instance, "autostart", d->autostart) && whole;
    return (d->tpm == TPM_NONE ||
            json_put_text(instance, "tpm_state", d->tpm == TPM_ENCRYPTED ? "encrypted" : "plain")) &&
           whole;
}

/* What is shown of an instance. */
struct shown {
    const struct context *context;
    const struct model *model;
    const struct instance *instance;
    bool has_details; /* false: there is no domain, or libvirt did not answer */
    struct domain_details details;
    struct domain_addresses addresses;
    const struct nova_server *nova;
    const struct drift *drift;
};

static int print_json(struct globals *g, const struct shown *s, struct error *e)
{
    struct json_object *document = json_document(g), *instance = json_instance(s->model, s->instance);
    bool whole = !s->has_details || put_details(instance, &s->details);
    whole = json_put_addresses(instance, &s->addresses) && whole;
    whole = json_put_nova(instance, s->nova) && whole;
    whole = put_told(instance, s->context, s->model, s->instance) && whole;
    whole = json_put(instance, "findings", findings_json(s->drift)) && whole;
    whole = json_put(document, "instance", instance) && whole;
    return json_give(g, document, whole, e);
}

static int print_text(const struct shown *s, struct error *e)
{
    const struct instance *i = s->instance;
    char text[ADDRESSES_TEXT_MAX];
    printf("Name:   %s\nUUID:   %s\nState:  %s%s\n", i->name, i->uuid, instance_state_name(i),
           instance_in_rescue(i) ? ", in rescue" : "");
    if (s->addresses.n)
        printf("Addr.:  %s\n", addresses_text(&s->addresses, text));
    print_nova(s->nova);
    if (s->has_details)
        print_details(i, &s->details);
    findings_print(s->drift);
    printf("\n");
    int r = print_disks(s->model, i, e);
    return r < 0 ? r : print_told(s->context, s->model, i, e);
}

/* Looks at the domain. If libvirt does not answer, this part is left out, with a warning. */
static bool look_at_details(const struct context *c, const struct model *m, const struct instance *i,
                            struct domain_details *ret)
{
    struct error why = ERROR_NONE;
    if (!model_domain_of(m, i->uuid))
        return false;
    int r = virt_details(c->virt, i->uuid, ret, &why);
    if (r < 0)
        report_warning(c, "%s", why.text);
    return r == 0;
}

static int show(struct globals *g, const struct context *c, const struct model *m, const struct instance *i,
                struct error *e)
{
    _cleanup_survey_ struct survey survey = {.n_uses = 0};
    _cleanup_drift_ struct drift drift = {.n = 0};
    struct shown s = {.context = c, .model = m, .instance = i, .drift = &drift};
    s.has_details = look_at_details(c, m, i, &s.details);
    findings_survey(c, &survey);
    findings_look(c, m, &survey, i, &drift);
    s.nova = survey_nova(&survey, i->uuid);
    addresses_look(c, i, true, &s.addresses);
    return g->json ? print_json(g, &s, e) : print_text(&s, e);
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
    return r < 0 ? r : show(g, &s->context, m, i, e);
}
