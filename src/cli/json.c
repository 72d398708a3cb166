/* SPDX-License-Identifier: Apache-2.0 */
/* See json.h. */
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool json_put(struct json_object *object, const char *name, struct json_object *value)
{
    if (object && value && json_object_object_add(object, name, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

/* Returns the length in bytes of the UTF-8 character at the beginning of `text`; 0: it is not one. */
static size_t character(const char *text, size_t size)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t n = c[0] < 0x80                   ? 1
               : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
               : (c[0] & 0xf0) == 0xe0       ? 3
               : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                             : 0;
    if (n > size)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool longer = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90); /* longer than necessary */
    bool none = (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf4 && c[1] > 0x8f);   /* not a character */
    return longer || none ? 0 : n;
}

/* Makes a string. The text may have any bytes: each byte that is not UTF-8 becomes U+FFFD. */
static struct json_object *new_text(const char *text, size_t size)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *clean = malloc(3 * size + 1);
    size_t used = 0;
    for (size_t i = 0; clean && i < size;) {
        size_t n = character(text + i, size - i);
        memcpy(clean + used, n ? text + i : replacement, n ? n : 3);
        used += n ? n : 3;
        i += n ? n : 1;
    }
    struct json_object *object = clean ? json_object_new_string_len(clean, (int)used) : NULL;
    free(clean);
    return object;
}

bool json_put_text(struct json_object *object, const char *name, const char *text)
{
    return json_put(object, name, new_text(text, strlen(text)));
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

struct json_object *json_whole(struct json_object *value, bool whole)
{
    if (whole)
        return value;
    json_object_put(value);
    return NULL;
}

struct json_object *json_document(const struct globals *g)
{
    struct json_object *document = json_object_new_object();
    return json_whole(document, json_put_u64(document, "version", JSON_VERSION) &&
                                    (!g->verb || json_put_text(document, "verb", g->verb)));
}

struct json_object *json_changed(const struct globals *g, bool changed)
{
    struct json_object *document = json_document(g);
    return json_whole(document, json_put_bool(document, "changed", changed));
}

/* Adds the cipher and the tags of the key; never the key. */
static bool put_encryption(struct json_object *disk, const struct volume *v)
{
    return json_put_text(disk, "cipher", v->cipher) && json_put_u64(disk, "key_bits", v->key_bits) &&
           json_put_u64(disk, "sector_bytes", v->sector_bytes) && json_put_text(disk, "key", v->key) &&
           json_put_text(disk, "key_scope", key_scope_name(v->scope)) && json_put_text(disk, "kdf", v->kdf) &&
           json_put_text(disk, "engine",
                         volume_engine_name(volume_served(v) ? ENGINE_USER : ENGINE_DM_CRYPT));
}

struct json_object *json_disk(const struct model *m, const struct volume *v)
{
    char path[DEVICE_PATH_MAX];
    inventory_device_path(m->inventory, v, path);

    const struct map *map = model_map_of(m, v);
    struct json_object *disk = json_object_new_object();
    bool whole = json_put_text(disk, "role", v->role) && json_put_text(disk, "uuid", v->disk) &&
                 json_put_text(disk, "volume_group", v->vg) && json_put_text(disk, "volume", v->lv) &&
                 json_put_u64(disk, "size_bytes", v->size_bytes) && json_put_text(disk, "device", path) &&
                 json_put_text(disk, "state", volume_state_name(v->state)) &&
                 json_put_bool(disk, "encrypted", volume_encrypted(v)) &&
                 json_put_bool(disk, "open", map != NULL) &&
                 json_put_bool(disk, "read_only", map && map->read_only) &&
                 (!v->fs[0] || json_put_text(disk, "file_system", v->fs)) &&
                 (!v->alias[0] || json_put_text(disk, "name", v->alias)) &&
                 (!volume_encrypted(v) || put_encryption(disk, v));
    return json_whole(disk, whole);
}

static struct json_object *json_disks(const struct model *m, const struct instance *i)
{
    struct json_object *disks = json_object_new_array();
    bool whole = disks != NULL;
    for (size_t d = 0; whole && d < i->n_volumes; d++)
        whole = json_append(disks, json_disk(m, i->volumes[d]));
    return json_whole(disks, whole);
}

struct json_object *json_instance(const struct model *m, const struct instance *i)
{
    struct json_object *object = json_object_new_object();
    return json_whole(object, json_put_text(object, "name", i->name) &&
                                  json_put_text(object, "uuid", i->uuid) &&
                                  json_put_text(object, "state", instance_state_name(i)) &&
                                  json_put_bool(object, "domain_known", i->domain_known) &&
                                  json_put_bool(object, "in_rescue", instance_in_rescue(i)) &&
                                  json_put(object, "disks", json_disks(m, i)));
}

struct json_object *json_named(const char *name, const char *uuid)
{
    struct json_object *object = json_object_new_object();
    return json_whole(object, json_put_text(object, "name", name) && json_put_text(object, "uuid", uuid));
}

static const char *text_of(struct json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* Adds a part of the sentence; null if it has no such part. */
static bool put_part(struct json_object *object, const char *name, const struct error *e,
                     enum error_part part)
{
    size_t size = 0;
    const char *text = error_part(e, part, &size);
    if (!text)
        return json_object_object_add(object, name, NULL) == 0;
    return json_put(object, name, new_text(text, size));
}

struct json_object *json_error(const struct error *e, int status, const char *name)
{
    struct json_object *object = json_object_new_object();
    return json_whole(
        object, object && json_put_u64(object, "status", (uint64_t)status) &&
                    json_put_text(object, "name", name) && put_part(object, "object", e, ERROR_OBJECT) &&
                    put_part(object, "action", e, ERROR_ACTION) &&
                    put_part(object, "reason", e, ERROR_REASON) &&
                    put_part(object, "way_out", e, ERROR_WAY_OUT) && json_put_text(object, "text", e->text));
}

int json_give(struct globals *g, struct json_object *document, bool whole, struct error *e)
{
    if (!whole || !document) {
        json_object_put(document);
        return error_memory(e);
    }
    g->document = document;
    return 0;
}

/* Prints with one more level of json-c's indentation. */
static void print_deeper(const char *text, const char *indent)
{
    for (; *text; text++) /* strings of JSON have no line ends */
        if (putchar(*text) == '\n')
            fputs(indent, stdout);
}

/* Ends a list that was printed item by item. */
static void end_listing(struct json_object *error)
{
    const char *text = error ? text_of(error) : NULL;
    if (text) {
        printf(",\n  \"error\": ");
        print_deeper(text, "  ");
    }
    printf("\n}\n");
}

int json_end(struct globals *g, const struct error *e, int status, const char *name)
{
    int r = 0;
    struct json_object *error = status ? json_error(e, status, name) : NULL;
    if (g->listing) {
        end_listing(error);
        json_object_put(error);
    } else {
        if (!g->document && (error || (g->verb && !g->help)))
            g->document = json_document(g); /* an empty document */
        if (error)
            (void)!json_put(g->document, "error", error);
        const char *text = g->document ? text_of(g->document) : NULL;
        if (text)
            printf("%s\n", text);
        else if (g->verb && !g->help)
            r = -ENOMEM;
    }
    json_object_put(g->document);
    g->document = NULL;
    return r;
}

void json_list_begin(struct globals *g, const char *name)
{
    g->listing = true;
    printf("{\n  \"version\": %d,\n  \"verb\": \"%s\",\n  \"%s\": [", JSON_VERSION, g->verb, name);
}

int json_list_item(size_t i, struct json_object *item, struct error *e)
{
    const char *text = item ? text_of(item) : NULL;
    if (!text) {
        json_object_put(item);
        return error_memory(e);
    }
    printf("%s\n    ", i ? "," : "");
    print_deeper(text, "    ");
    json_object_put(item);
    return 0;
}

void json_list_end(size_t n)
{
    printf("%s]", n ? "\n  " : "");
}

bool json_put_nova(struct json_object *instance, const struct nova_server *nova)
{
    if (!nova->name && !nova->project && !nova->project_id)
        return true;
    struct json_object *object = json_object_new_object();
    bool whole = (!nova->name || json_put_text(object, "name", nova->name)) &&
                 (!nova->project || json_put_text(object, "project", nova->project)) &&
                 (!nova->project_id || json_put_text(object, "project_id", nova->project_id));
    return json_put(instance, "nova", object) && whole;
}

bool json_put_addresses(struct json_object *instance, const struct domain_addresses *a)
{
    if (a->n == 0)
        return true;
    struct json_object *list = json_object_new_array();
    bool whole = list != NULL;
    for (size_t n = 0; whole && n < a->n; n++)
        whole = json_append(list, json_object_new_string(a->address[n]));
    return json_put(instance, "addresses", list) && whole;
}
