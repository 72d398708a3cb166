/* SPDX-License-Identifier: Apache-2.0 */
/* See json.h. */
#include "barbican/json.h"

#include "base/str.h"

#include <limits.h>

#define DEPTH_MAX 16 /* a catalog has 6 */

DEFINE_CLEANUP(json_tokener *, json_tokener_free)

json_object *reply_parse(const char *text, size_t size)
{
    if (size == 0 || size > INT_MAX)
        return NULL;
    _cleanup_(json_tokener_freep) json_tokener *t = json_tokener_new_ex(DEPTH_MAX);
    if (!t)
        return NULL;
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    _cleanup_json_ json_object *document = json_tokener_parse_ex(t, text, (int)size);
    if (!document || !json_object_is_type(document, json_type_object))
        return NULL;
    for (size_t i = json_tokener_get_parse_end(t); i < size; i++)
        if (!strchr(" \t\r\n", text[i]) || !text[i])
            return NULL;
    return TAKE_PTR(document);
}

json_object *reply_member(json_object *object, const char *name, json_type type)
{
    json_object *member = NULL;
    if (!object || !json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, type))
        return NULL;
    return member;
}

bool reply_text(json_object *object, const char *name, char *ret, size_t size)
{
    json_object *member = reply_member(object, name, json_type_string);
    ret[0] = '\0';
    if (!member)
        return false;
    const char *text = json_object_get_string(member);
    size_t n = (size_t)json_object_get_string_len(member);
    if (n != strlen(text) || n >= size)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    memcpy(ret, text, n + 1);
    return true;
}
