/* SPDX-License-Identifier: Apache-2.0 */
/* clouds.yaml and secure.yaml: the settings of one cloud, looked up in the document that libyaml makes.
 *
 *     clouds:
 *       NAME:
 *         region_name: ...        (or regions: [NAME, {name: NAME, values: {settings}}])
 *         auth: {auth_url: ..., username: ..., password: ...}
 *
 * Aliases and merge keys (<<) work as in YAML 1.1: a mapping's own values win over merged ones, and of
 * several merged mappings the first. */
#include "barbican/openstack.h"

#include "base/str.h"

#include <stdio.h>
#include <strings.h>
#include <yaml.h>

#define MERGE_DEPTH_MAX 16
#define STEPS_MAX       200000 /* comparisons of names: aliases can make a short file expand without end */

struct reader {
    yaml_document_t document;
    const char *file;
    size_t steps;
};

static int error_form(const struct reader *x, const yaml_node_t *node, const char *what, struct error *e)
{
    return error_set(e, -EINVAL, "%s:%zu: %s", x->file, node->start_mark.line + 1, what);
}

static yaml_node_t *node_at(struct reader *x, int index)
{
    return yaml_document_get_node(&x->document, index);
}

/* Whether it is a scalar with this text. '-' in names of settings is '_'. */
static bool is_name(const yaml_node_t *node, const char *name, bool exactly)
{
    size_t n = strlen(name);
    if (!node || node->type != YAML_SCALAR_NODE || node->data.scalar.length != n)
        return false;
    const char *text = (const char *)node->data.scalar.value;
    for (size_t i = 0; i < n; i++)
        if (text[i] != name[i] && (exactly || text[i] != '-' || name[i] != '_'))
            return false;
    return true;
}

/* Finds the value of `name` in a mapping, or NULL. If there are two, the last one counts. */
static yaml_node_t *own_member(struct reader *x, yaml_node_t *mapping, const char *name, bool exactly)
{
    yaml_node_t *found = NULL;
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        x->steps++;
        if (is_name(node_at(x, p->key), name, exactly))
            found = node_at(x, p->value);
    }
    return found;
}

/* As own_member(), or from a mapping that is merged into it. */
static yaml_node_t *find_member(struct reader *x, yaml_node_t *mapping, const char *name, bool exactly,
                                unsigned depth)
{
    if (!mapping || mapping->type != YAML_MAPPING_NODE || depth > MERGE_DEPTH_MAX || x->steps > STEPS_MAX)
        return NULL;
    yaml_node_t *found = own_member(x, mapping, name, exactly);
    yaml_node_t *merged = found ? NULL : own_member(x, mapping, "<<", true);
    if (merged && merged->type == YAML_MAPPING_NODE)
        return find_member(x, merged, name, exactly, depth + 1);
    if (merged && merged->type == YAML_SEQUENCE_NODE)
        for (yaml_node_item_t *i = merged->data.sequence.items.start;
             !found && i < merged->data.sequence.items.top; i++)
            found = find_member(x, node_at(x, *i), name, exactly, depth + 1);
    return found;
}

static yaml_node_t *member(struct reader *x, yaml_node_t *mapping, const char *name)
{
    return find_member(x, mapping, name, false, 0);
}

/* Whether it says nothing: an empty text, ~ or null. */
static bool is_null(const yaml_node_t *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (!node)
        return true;
    if (node->type != YAML_SCALAR_NODE)
        return false;
    if (node->tag && streq((const char *)node->tag, YAML_NULL_TAG))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_name(node, words[i], true))
            return true;
    return false;
}

static void where_of(const struct reader *x, const yaml_node_t *node, char ret[256])
{
    snprintf(ret, 256, "%s:%zu", x->file, node->start_mark.line + 1);
}

/* Takes every setting of `mapping`, except a cloud's region, which take_regions() takes. */
static int take_settings(struct reader *x, yaml_node_t *mapping, struct openstack *o, bool with_region,
                         struct error *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && openstack_setting(i); i++) {
        const char *name = openstack_setting(i);
        yaml_node_t *value = member(x, mapping, name);
        char where[256];
        if (is_null(value) || (!with_region && streq(name, "region_name")))
            continue;
        if (value->type != YAML_SCALAR_NODE)
            return error_form(x, value, "a text is expected here, neither a list nor names with values", e);
        where_of(x, value, where);
        r = openstack_set(o, name, (const char *)value->data.scalar.value, value->data.scalar.length, where,
                          e);
    }
    return r;
}

/* Takes the settings of one level: the cloud's own, and those below `auth`. */
static int take_level(struct reader *x, yaml_node_t *mapping, struct openstack_said *s, struct error *e)
{
    int r = take_settings(x, mapping, &s->cloud, false, e);
    yaml_node_t *auth = member(x, mapping, "auth");
    if (r < 0 || is_null(auth))
        return r;
    return auth->type == YAML_MAPPING_NODE
               ? take_settings(x, auth, &s->auth, true, e)
               : error_form(x, auth, "names with values are expected below auth", e);
}

static int add_region(struct reader *x, const yaml_node_t *node, const char *name, size_t size,
                      struct openstack_said *s, struct error *e)
{
    if (s->n_regions == OPENSTACK_REGIONS_MAX || size >= OPENSTACK_TEXT_MAX || memchr(name, '\0', size))
        return error_form(x, node, "has too many regions, or one with a name that is too long", e);
    memcpy(s->regions[s->n_regions], name, size);
    s->regions[s->n_regions++][size] = '\0';
    return 0;
}

/* Reads a region: NAME, or {name: NAME, values: {settings}}. The settings of the requested region win over
 * the cloud's. */
static int take_region(struct reader *x, yaml_node_t *node, const char *region, struct openstack_said *s,
                       struct error *e)
{
    yaml_node_t *name = node && node->type == YAML_MAPPING_NODE ? member(x, node, "name") : node;
    if (is_null(name) || name->type != YAML_SCALAR_NODE)
        return error_form(x, node, "is not a region: neither a name nor a name with values", e);
    int r = add_region(x, node, (const char *)name->data.scalar.value, name->data.scalar.length, s, e);
    if (r < 0)
        return r;
    bool chosen = *region ? streq(region, s->regions[s->n_regions - 1]) : s->n_regions == 1;
    yaml_node_t *values = chosen && name != node ? member(x, node, "values") : NULL;
    return is_null(values) ? 0 : take_level(x, values, s, e);
}

/* Reads one name, or several in the old form "A,B". */
static int take_region_names(struct reader *x, yaml_node_t *node, struct openstack_said *s, struct error *e)
{
    const char *at = (const char *)node->data.scalar.value, *end = at + node->data.scalar.length;
    int r = 0;
    while (r == 0 && at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        r = add_region(x, node, at, (size_t)((comma ? comma : end) - at), s, e);
        at = comma ? comma + 1 : end;
    }
    return r;
}

static int take_regions(struct reader *x, yaml_node_t *cloud, const char *region, struct openstack_said *s,
                        struct error *e)
{
    yaml_node_t *list = member(x, cloud, "regions");
    if (is_null(list))
        list = member(x, cloud, "region_name");
    if (is_null(list))
        return 0;
    s->n_regions = 0;
    if (list->type == YAML_SCALAR_NODE)
        return take_region_names(x, list, s, e);
    if (list->type != YAML_SEQUENCE_NODE)
        return error_form(x, list, "a list of regions is expected here", e);
    int r = 0;
    for (yaml_node_item_t *i = list->data.sequence.items.start; r == 0 && i < list->data.sequence.items.top;
         i++)
        r = take_region(x, node_at(x, *i), region, s, e);
    return r;
}

static int take_cloud(struct reader *x, const char *cloud, const char *region, struct openstack_said *s,
                      struct error *e)
{
    yaml_node_t *clouds = member(x, yaml_document_get_root_node(&x->document), "clouds");
    yaml_node_t *node = find_member(x, clouds, cloud, true, 0);
    if (!node || node->type != YAML_MAPPING_NODE)
        return error_set(e, -ENOENT, "%s: has no cloud %s", x->file, cloud);
    int r = take_level(x, node, s, e);
    if (r == 0)
        r = take_regions(x, node, region, s, e);
    if (r == 0 && x->steps > STEPS_MAX)
        r = error_form(x, node, "merges (<<) more than can be followed", e);
    return r;
}

int openstack_parse_clouds(const char *text, size_t size, const char *file, const char *cloud,
                           const char *region, struct openstack_said *s, struct error *e)
{
    struct reader x = {.file = file};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_memory(e);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int r = 0;
    if (yaml_parser_load(&parser, &x.document)) {
        r = take_cloud(&x, cloud, region, s, e);
        yaml_document_delete(&x.document);
    } else if (parser.error == YAML_MEMORY_ERROR)
        r = error_memory(e);
    else
        r = error_set(e, -EINVAL, "%s:%zu: %s", file, parser.problem_mark.line + 1,
                      parser.problem ? parser.problem : "is not valid YAML");
    yaml_parser_delete(&parser);
    return r;
}
