/* SPDX-License-Identifier: Apache-2.0 */
/* See hook-paths.h. Root reads this XML: bytes are searched and copied, and only XML's five entities are
 * interpreted. */
#include "virt/hook-paths.h"

#include "base/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define POOL_XML_MAX (1 << 20)

static int add(struct hook_paths *p, const char *path, struct error *e)
{
    for (size_t i = 0; i < p->n; i++)
        if (streq(p->path[i], path))
            return 0;
    char **bigger = reallocarray(p->path, p->n + 1, sizeof *bigger);
    if (!bigger)
        return error_memory(e);
    p->path = bigger;
    p->path[p->n] = strdup(path);
    return p->path[p->n] && ++p->n ? 0 : error_memory(e);
}

/* Copies one character of XML; returns the number of bytes that encoded it. */
static size_t unescape(const char *at, char *ret)
{
    static const struct {
        const char *entity;
        char means;
    } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&apos;", '\''}, {"&quot;", '"'}};
    for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
        if (str_starts(at, entities[i].entity)) {
            *ret = entities[i].means;
            return strlen(entities[i].entity);
        }
    *ret = *at;
    return 1;
}

/* Copies the text from `at` to the end of its attribute or element. False: it is too long. */
static bool take_text(const char *at, char quote, char text[PATH_MAX])
{
    size_t n = 0;
    while (*at && *at != quote && *at != '<' && n < PATH_MAX - 1)
        at += unescape(at, &text[n++]);
    text[n] = '\0';
    return n < PATH_MAX - 1;
}

/* Adds the whole text, and its part before a comma or quote: QEMU's arguments go on after a path. */
static int add_text(struct hook_paths *p, const char *at, char quote, struct error *e)
{
    char text[PATH_MAX];
    if (!take_text(at, quote, text))
        return 0;
    int r = add(p, text, e);
    size_t end = strcspn(text, ",\"'");
    if (r < 0 || !text[end])
        return r;
    text[end] = '\0';
    return add(p, text, e);
}

static bool begins_path(const char *xml, const char *at)
{
    static const char *const quotes[] = {"&quot;", "&apos;"};
    for (size_t i = 0; i < ARRAY_SIZE(quotes); i++)
        if ((size_t)(at - xml) >= strlen(quotes[i]) && str_starts(at - strlen(quotes[i]), quotes[i]))
            return true;
    return at > xml && strchr("'\"=,:>", at[-1]);
}

/* ------------------------------------------------------------ storage pools */

/* Copies the value of an attribute of the tag at `tag`. */
static bool attribute(const char *tag, const char *name, char value[PATH_MAX])
{
    size_t length = strcspn(tag, ">"), n = strlen(name);
    for (const char *at = tag; (at = strstr(at, name)) && at < tag + length; at += n)
        if (at[-1] == ' ' && at[n] == '=' && (at[n + 1] == '\'' || at[n + 1] == '"'))
            return take_text(at + n + 2, at[n + 1], value);
    return false;
}

/* Finds the folder of a pool's volumes: the <path> of its <target>. */
static bool pool_folder(const char *pool, char folder[PATH_MAX])
{
    static const char *const places[] = {"/etc/libvirt/storage", "/run/libvirt/storage"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char path[PATH_MAX];
        _cleanup_free_ char *xml = NULL;
        size_t size = 0;
        snprintf(path, sizeof path, "%s/%.200s.xml", places[i], pool);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fd_read_text(fd, POOL_XML_MAX, &xml, &size) < 0)
            continue;
        const char *target = strstr(xml, "<target>"), *at = target ? strstr(target, "<path>") : NULL;
        if (at && take_text(at + strlen("<path>"), '<', folder))
            return true;
    }
    return false;
}

static int add_pool_volume(struct hook_paths *p, const char *tag, struct error *e)
{
    char pool[PATH_MAX], volume[PATH_MAX], folder[PATH_MAX];
    if (!attribute(tag, "pool", pool) || !attribute(tag, "volume", volume) || strchr(pool, '/'))
        return 0;
    if (!pool_folder(pool, folder)) /* most pools of a volume group have its name */
        snprintf(folder, sizeof folder, "/dev/%.200s", pool);
    _cleanup_free_ char *path = str_format("%s/%s", folder, volume);
    return path ? add(p, path, e) : error_memory(e);
}

int hook_paths_find(const char *xml, struct hook_paths *ret, struct error *e)
{
    int r = 0;
    *ret = (struct hook_paths){.n = 0};
    for (const char *at = xml; r == 0 && (at = strchr(at, '/')); at++)
        if (begins_path(xml, at))
            r = add_text(ret, at, strchr("'\"", at[-1]) ? at[-1] : '\'', e);
    for (const char *at = xml; r == 0 && (at = strstr(at, "<source ")); at++)
        r = add_pool_volume(ret, at, e);
    return r;
}

void hook_paths_end(struct hook_paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->path[i]);
    free(p->path);
}

void hook_paths_uuid(const char *xml, char uuid[UUID_TEXT])
{
    const char *at = strstr(xml, "<uuid>");
    snprintf(uuid, UUID_TEXT, "%.36s", at ? at + strlen("<uuid>") : "");
    if (!uuid_valid(uuid))
        uuid[0] = '\0';
}
