/* SPDX-License-Identifier: Apache-2.0 */
/* Converts tags of a logical volume to and from struct volume, by one table. volume_check() judges the
 * values; here each must only fit its field, and occur once. See tags.h and mayfly-tags(7). */
#include "storage/tags.h"

#include <inttypes.h>
#include <stdio.h>

#define TAG_PREFIX "mayfly."
#define VALUE_MAX  KEY_REF_MAX /* the longest value of all */

enum kind { TEXT, NUMBER, STATE, SCOPE, ENGINE };

static const struct tag {
    const char *name;
    enum kind kind;
    bool plain;    /* a plain volume has it too */
    bool optional; /* left out if the field is empty */
    size_t offset, size;
} tags[] = {
#define ROW(name, kind, plain, optional, field)                                                              \
    {                                                                                                        \
        name, kind, plain, optional, offsetof(struct volume, field), sizeof(((struct volume *)0)->field)     \
    }
#define TAG(name, kind, plain, field) ROW(name, kind, plain, false, field)
    TAG("instance", TEXT, true, instance),
    TAG("name", TEXT, true, name),
    TAG("disk", TEXT, true, disk),
    TAG("role", TEXT, true, role),
    TAG("state", STATE, true, state),
    TAG("cipher", TEXT, true, cipher),
    TAG("bits", NUMBER, false, key_bits),
    TAG("sector", NUMBER, false, sector_bytes),
    TAG("key", TEXT, false, key),
    TAG("scope", SCOPE, false, scope),
    TAG("kdf", TEXT, false, kdf),
    TAG("check", TEXT, false, check),
    ROW("fs", TEXT, true, true, fs),
    ROW("alias", TEXT, true, true, alias),
    ROW("engine", ENGINE, false, true, engine),
#undef TAG
#undef ROW
};

static void format_value(const struct volume *v, const struct tag *t, char value[VALUE_MAX])
{
    const void *field = (const char *)v + t->offset;
    switch (t->kind) {
    case TEXT:
        snprintf(value, VALUE_MAX, "%s", (const char *)field);
        break;
    case NUMBER:
        snprintf(value, VALUE_MAX, "%" PRIu32, *(const uint32_t *)field);
        break;
    case STATE:
        snprintf(value, VALUE_MAX, "%s", volume_state_name(v->state));
        break;
    case SCOPE:
        snprintf(value, VALUE_MAX, "%s", key_scope_name(v->scope));
        break;
    case ENGINE: /* disks of older versions have no such tag */
        snprintf(value, VALUE_MAX, "%s", v->engine == ENGINE_DM_CRYPT ? "" : volume_engine_name(v->engine));
        break;
    }
}

void tags_format(const struct volume *v, char text[TAGS_TEXT_MAX])
{
    char value[VALUE_MAX];
    size_t used = (size_t)snprintf(text, TAGS_TEXT_MAX, TAG_OURS);
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (!tags[i].plain && !volume_encrypted(v))
            continue;
        format_value(v, &tags[i], value);
        if (tags[i].optional && !value[0])
            continue;
        used +=
            (size_t)snprintf(text + used, TAGS_TEXT_MAX - used, "," TAG_PREFIX "%s=%s", tags[i].name, value);
    }
}

void tags_format_state(enum volume_state state, char text[TAG_STATE_MAX])
{
    snprintf(text, TAG_STATE_MAX, TAG_PREFIX "state=%s", volume_state_name(state));
}

static int parse_number(const char *value, uint32_t *ret)
{
    char again[16];
    uint64_t number = 0;
    int r = str_to_u64(value, &number);
    if (r < 0 || number > UINT32_MAX)
        return -EINVAL;
    snprintf(again, sizeof again, "%" PRIu64, number);
    *ret = (uint32_t)number;
    return streq(again, value) ? 0 : -EINVAL; /* "0512" is not how we write it */
}

static int parse_value(struct volume *v, const struct tag *t, const char *value)
{
    void *field = (char *)v + t->offset;
    switch (t->kind) {
    case TEXT:
        return value[0] ? str_copy(field, t->size, value) : -EINVAL;
    case NUMBER:
        return parse_number(value, field);
    case STATE:
        return volume_state_parse(value, field);
    case SCOPE:
        return key_scope_parse(value, field);
    case ENGINE:
        return volume_engine_parse(value, field);
    }
    return -EINVAL;
}

/* Reads one of our tags, "mayfly.NAME=VALUE" without the prefix. `seen` has a bit for each row of the
 * table. */
static int parse_tag(struct volume *v, const char *tag, uint32_t *seen, struct error *e)
{
    const char *equals = strchr(tag, '=');
    size_t length = equals ? (size_t)(equals - tag) : strlen(tag);
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (strlen(tags[i].name) != length || strncmp(tags[i].name, tag, length) != 0)
            continue;
        if (*seen & 1U << i)
            return error_set(e, -EINVAL, "tag " TAG_PREFIX "%s: is there twice; see mayfly-tags(7)",
                             tags[i].name);
        *seen |= 1U << i;
        if (!equals || parse_value(v, &tags[i], equals + 1) < 0)
            return error_set(e, -EINVAL, "tag " TAG_PREFIX "%.300s: malformed; see mayfly-tags(7)", tag);
        return 0;
    }
    return error_set(e, -EINVAL, "tag " TAG_PREFIX "%.300s: unknown; is it of a newer Mayfly?", tag);
}

static int all_there(const struct volume *v, uint32_t seen, struct error *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        if (!tags[i].optional && (tags[i].plain || volume_encrypted(v)) && !(seen & 1U << i))
            return error_set(e, -EINVAL, "tag " TAG_PREFIX "%s: is missing; see mayfly-tags(7)",
                             tags[i].name);
    return 0;
}

/* Whether the tag is "mayfly" (without a version, it is damaged), mayfly=VERSION or mayfly.NAME=VALUE.
 * "mayflies" is somebody else's. */
static bool is_ours(const char *tag, size_t length)
{
    return str_starts(tag, "mayfly") && (length == strlen("mayfly") || strchr("=.", tag[strlen("mayfly")]));
}

/* Finds the tag that marks a volume as ours: TAG_OURS, or that of another version. */
static int find_version(const char *text, struct error *e)
{
    bool ours = false, others = false;
    for (const char *tag = text; *tag; tag += *tag == ',') {
        size_t length = strcspn(tag, ",");
        if (length == strlen(TAG_OURS) && str_starts(tag, TAG_OURS))
            ours = true;
        else if (str_starts(tag, TAG_PREFIX))
            others = true;
        else if (is_ours(tag, length))
            return error_set(e, -EINVAL, "tag %.*s: unknown version; is it of a newer Mayfly?", (int)length,
                             tag);
        tag += length;
    }
    if (!ours && others)
        return error_set(e, -EINVAL, "tag " TAG_OURS ": is missing; see mayfly-tags(7)");
    return ours ? 0 : error_set(e, -ENOENT, "not a volume of Mayfly: it has no tag " TAG_OURS);
}

bool tags_none(const char *text)
{
    for (const char *tag = text; *tag; tag += *tag == ',') {
        size_t length = strcspn(tag, ",");
        if (is_ours(tag, length))
            return false;
        tag += length;
    }
    return true;
}

int tags_parse(const char *text, struct volume *ret, struct error *e)
{
    struct volume v = {0};
    uint32_t seen = 0;
    int r = find_version(text, e);
    if (r < 0)
        return r;
    for (const char *tag = text; *tag; tag += *tag == ',') {
        char one[TAGS_TEXT_MAX];
        size_t length = strcspn(tag, ",");
        snprintf(one, sizeof one, "%.*s", (int)(length < sizeof one ? length : sizeof one), tag);
        tag += length;
        if (str_starts(one, TAG_PREFIX))
            r = parse_tag(&v, one + strlen(TAG_PREFIX), &seen, e);
        if (r < 0)
            return r;
    }
    r = all_there(&v, seen, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        memcpy((char *)ret + tags[i].offset, (char *)&v + tags[i].offset, tags[i].size);
    return 0;
}
