/* SPDX-License-Identifier: Apache-2.0 */
/* clouds.yaml and secure.yaml: the settings of one cloud, read as a stream of libyaml's events. The path to
 * where we are in the document is a few names; only "clouds", the cloud, and "auth" in it matter.
 *
 *     clouds:
 *       NAME:
 *         region_name: ...
 *         auth: {auth_url: ..., username: ..., password: ...}
 */
#include "barbican/openstack.h"

#include "base/str.h"

#include <stdio.h>
#include <yaml.h>

#define DEPTH_MAX        16
#define SETTING_NAME_MAX 64

struct reader {
    struct openstack *ret;
    const char *file, *cloud;
    bool found;
    size_t depth;                   /* open mappings and sequences */
    bool is_mapping[DEPTH_MAX + 1]; /* by depth; [0] is the document */
    bool at_value[DEPTH_MAX + 1];   /* in a mapping: the next node is the value of `key` */
    char key[DEPTH_MAX + 1][SETTING_NAME_MAX];
};

static int error_form(const struct reader *x, size_t line, const char *what, struct error *e)
{
    return error_set(e, -EINVAL, "%s:%zu: %s", x->file, line + 1, what);
}

/* Is the mapping that we are in the cloud's, or its auth? */
static bool in_cloud(const struct reader *x)
{
    if (x->depth < 3 || x->depth > 4 || !streq(x->key[1], "clouds") || !streq(x->key[2], x->cloud))
        return false;
    for (size_t i = 1; i <= x->depth; i++)
        if (!x->is_mapping[i])
            return false;
    return x->depth == 3 || streq(x->key[3], "auth");
}

/* A node is done: in a mapping, a name follows a value, and the other way round. */
static void advance(struct reader *x)
{
    if (x->is_mapping[x->depth])
        x->at_value[x->depth] = !x->at_value[x->depth];
}

static int take_scalar(struct reader *x, const yaml_event_t *event, struct error *e)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    int r = 0;
    if (x->is_mapping[x->depth] && !x->at_value[x->depth]) {
        char *key = x->key[x->depth];
        size_t n = size < SETTING_NAME_MAX ? size : 0; /* a longer one is none that we know */
        memcpy(key, value, n);
        key[n] = '\0';
        for (char *c = key; x->depth > 2 && *c; c++)
            *c = *c == '-' ? '_' : *c;
    } else if (in_cloud(x)) {
        char where[256];
        snprintf(where, sizeof where, "%s:%zu", x->file, event->start_mark.line + 1);
        r = openstack_set(x->ret, x->key[x->depth], value, size, where, e);
    }
    advance(x);
    return r;
}

static int open_node(struct reader *x, bool is_mapping, size_t line, struct error *e)
{
    if (x->is_mapping[x->depth] && !x->at_value[x->depth])
        return error_form(x, line, "a name is expected here", e);
    if (x->depth == DEPTH_MAX)
        return error_form(x, line, "is nested too deeply", e);
    x->depth++;
    x->is_mapping[x->depth] = is_mapping;
    x->at_value[x->depth] = false;
    x->key[x->depth][0] = '\0';
    x->found = x->found || (x->depth == 3 && is_mapping && in_cloud(x));
    return 0;
}

static int take_event(struct reader *x, const yaml_event_t *event, struct error *e)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(x, event, e);
    case YAML_MAPPING_START_EVENT:
        return open_node(x, true, event->start_mark.line, e);
    case YAML_SEQUENCE_START_EVENT:
        return open_node(x, false, event->start_mark.line, e);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        x->depth--;
        advance(x);
        return 0;
    case YAML_ALIAS_EVENT: /* they could make a short file mean an endless one */
        return error_form(x, event->start_mark.line,
                          "has an alias (*), which Mayfly does not follow; write it out", e);
    default:
        return 0;
    }
}

int openstack_parse_clouds(const char *text, size_t size, const char *file, const char *cloud,
                           struct openstack *ret, struct error *e)
{
    struct reader x = {.ret = ret, .file = file, .cloud = cloud};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_memory(e);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int r = 0;
    for (bool more = true; r == 0 && more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            r = error_form(&x, parser.problem_mark.line, parser.problem ? parser.problem : "is no YAML", e);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT && event.type != YAML_DOCUMENT_END_EVENT;
        r = take_event(&x, &event, e);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (r == 0 && !x.found)
        return error_set(e, -ENOENT, "%s: has no cloud %s", file, cloud);
    return r;
}
