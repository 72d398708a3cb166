/* SPDX-License-Identifier: Apache-2.0 */
/* See json.h. */
#include "cli/json.h"

#include <stdio.h>

bool json_put(struct json_object *object, const char *name, struct json_object *value)
{
    if (object && value && json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

bool json_put_text(struct json_object *object, const char *name, const char *text)
{
    return json_put(object, name, json_object_new_string(text));
}

bool json_put_u64(struct json_object *object, const char *name, uint64_t number)
{
    return json_put(object, name, json_object_new_uint64(number));
}

bool json_put_bool(struct json_object *object, const char *name, bool value)
{
    return json_put(object, name, json_object_new_boolean(value));
}

bool json_append(struct json_object *array, struct json_object *value)
{
    if (array && value && json_object_array_add(array, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

struct json_object *json_document(void)
{
    struct json_object *document = json_object_new_object();
    if (json_put_u64(document, "version", JSON_VERSION))
        return document;
    json_object_put(document);
    return NULL;
}

/* What the tags say of the key; never the key. */
static bool put_encryption(struct json_object *disk, const struct volume *v)
{
    return json_put_text(disk, "cipher", v->cipher) && json_put_u64(disk, "key_bits", v->key_bits) &&
           json_put_u64(disk, "sector_bytes", v->sector_bytes) && json_put_text(disk, "key", v->key) &&
           json_put_text(disk, "key_scope", key_scope_name(v->scope)) && json_put_text(disk, "kdf", v->kdf);
}

static struct json_object *json_disk(const struct model *m, const struct volume *v)
{
    char path[DEVICE_PATH_MAX];
    volume_device_path(v, path);

    const struct map *map = model_map_of(m, v);
    struct json_object *disk = json_object_new_object();
    bool whole = json_put_text(disk, "role", v->role) && json_put_text(disk, "uuid", v->disk) &&
                 json_put_text(disk, "volume_group", v->vg) && json_put_text(disk, "volume", v->lv) &&
                 json_put_u64(disk, "size_bytes", v->size_bytes) && json_put_text(disk, "device", path) &&
                 json_put_text(disk, "state", volume_state_name(v->state)) &&
                 json_put_bool(disk, "encrypted", volume_encrypted(v)) &&
                 json_put_bool(disk, "open", map != NULL) &&
                 (!v->fs[0] || json_put_text(disk, "file_system", v->fs)) &&
                 (!volume_encrypted(v) || put_encryption(disk, v));
    if (whole)
        return disk;
    json_object_put(disk);
    return NULL;
}

static struct json_object *json_disks(const struct model *m, const struct instance *i)
{
    struct json_object *disks = json_object_new_array();
    bool whole = disks != NULL;
    for (size_t d = 0; whole && d < i->n_volumes; d++)
        whole = json_append(disks, json_disk(m, i->volumes[d]));
    if (whole)
        return disks;
    json_object_put(disks);
    return NULL;
}

struct json_object *json_instance(const struct model *m, const struct instance *i)
{
    struct json_object *object = json_object_new_object();
    if (json_put_text(object, "name", i->name) && json_put_text(object, "uuid", i->uuid) &&
        json_put_text(object, "state", instance_state_name(i)) &&
        json_put_bool(object, "domain_known", i->domain_known) &&
        json_put_bool(object, "in_rescue", instance_in_rescue(i)) &&
        json_put(object, "disks", json_disks(m, i)))
        return object;
    json_object_put(object);
    return NULL;
}

static const char *text_of(struct json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE);
}

int json_print(struct json_object *document, bool whole, struct error *e)
{
    const char *text = whole ? text_of(document) : NULL;
    if (text)
        printf("%s\n", text);
    json_object_put(document);
    return text ? 0 : error_memory(e);
}

/* As json-c would indent it. */
void json_list_begin(const char *name)
{
    printf("{\n  \"version\": %d,\n  \"%s\": [", JSON_VERSION, name);
}

int json_list_item(size_t i, struct json_object *item, struct error *e)
{
    const char *text = item ? text_of(item) : NULL;
    if (!text) {
        json_object_put(item);
        return error_memory(e);
    }
    printf("%s\n    ", i ? "," : "");
    for (; *text; text++) /* no line ends within a string of JSON */
        if (putchar(*text) == '\n')
            printf("    ");
    json_object_put(item);
    return 0;
}

void json_list_end(size_t n)
{
    printf("%s]\n}\n", n ? "\n  " : "");
}
