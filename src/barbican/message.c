/* SPDX-License-Identifier: Apache-2.0 */
/* See message.h. */
#include "barbican/message.h"

#include "barbican/json.h"
#include "base/str.h"

#include <ctype.h>
#include <strings.h>

/* Appends `text` to a line: runs of blanks become one, and nothing in it can move a terminal's cursor. */
static void put_line(const char *text, size_t size, char *ret, size_t ret_size)
{
    size_t n = 0;
    bool blank = false;
    for (size_t i = 0; i < size && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (isspace(c)) {
            blank = n > 0;
            continue;
        }
        if (n + blank + 1 >= ret_size)
            break;
        if (blank)
            ret[n++] = ' ';
        blank = false;
        ret[n++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
    }
    ret[n] = '\0';
}

/* Takes the words out of JSON: Barbican's own are in "description", or else in "title"; Keystone's in
 * "message". */
static bool from_json(const char *text, size_t size, char *ret, size_t ret_size)
{
    static const char *const names[] = {"description", "message", "title"};
    _cleanup_json_ json_object *document = reply_parse(text, size);
    json_object *error = reply_member(document, "error", json_type_object);
    if (!error)
        error = document;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        json_object *member = reply_member(error, names[i], json_type_string);
        if (!member || json_object_get_string_len(member) == 0)
            continue;
        put_line(json_object_get_string(member), (size_t)json_object_get_string_len(member), ret, ret_size);
        return true;
    }
    return document;
}

/* Finds the text between <title> and </title>, or NULL. */
static const char *html_title(const char *text, size_t size, size_t *ret_size)
{
    static const char open[] = "<title>", close[] = "</title>";
    const char *from = NULL;
    for (size_t i = 0; i + sizeof close <= size + 1; i++) {
        if (!from && i + sizeof open <= size + 1 && strncasecmp(text + i, open, sizeof open - 1) == 0)
            from = text + i + sizeof open - 1;
        if (from && text + i >= from && strncasecmp(text + i, close, sizeof close - 1) == 0) {
            *ret_size = (size_t)(text + i - from);
            return from;
        }
    }
    return NULL;
}

void reply_message(const char *text, size_t size, char *ret, size_t ret_size)
{
    ret[0] = '\0';
    if (from_json(text, size, ret, ret_size))
        return;
    size_t n = 0;
    const char *title = html_title(text, size, &n);
    if (title)
        put_line(title, n, ret, ret_size);
    else if (!memchr(text, '<', size)) /* markup without a title is of no use to people */
        put_line(text, size, ret, ret_size);
}
