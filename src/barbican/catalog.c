/* SPDX-License-Identifier: Apache-2.0 */
/* Keystone's catalog: where Barbican is. A cloud may have one in each region, and each of them may be reached
 * by several interfaces. Mayfly never guesses which one is meant: a key that is not in one may be in another.
 * docs.openstack.org/api-ref/identity/v3/#get-service-catalog */
#include "barbican/json.h"
#include "barbican/keystone.h"

#include "base/str.h"

#include <stdio.h>

/* Lists the key managers that were seen, for the sentence when none was chosen. */
struct seen {
    char text[300];
    size_t used;
};

static void see(struct seen *s, const char *region, const char *interface)
{
    char one[120];
    int n = snprintf(one, sizeof one, "%.60s%s%.30s", region, *interface ? "/" : "", interface);
    if (n < 0 || s->used + (size_t)n + 3 > sizeof s->text)
        return;
    s->used +=
        (size_t)snprintf(s->text + s->used, sizeof s->text - s->used, "%s%s", s->used ? ", " : "", one);
}

static void cut_slashes(char *url)
{
    for (size_t n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
        url[n - 1] = '\0';
}

/* Reads an endpoint of a service of type key-manager. Its URL may be missing: "". */
static bool read_endpoint(json_object *service, json_object *endpoint, struct keystone_endpoint *ret,
                          char interface[32])
{
    if (!reply_text(endpoint, "region_id", ret->region, sizeof ret->region))
        reply_text(endpoint, "region", ret->region, sizeof ret->region);
    reply_text(service, "id", ret->service_id, sizeof ret->service_id);
    (void)reply_text(endpoint, "url", ret->url, sizeof ret->url);
    cut_slashes(ret->url);
    return reply_text(endpoint, "interface", interface, 32);
}

/* Goes over all endpoints of key managers: sets *ret to the next one behind *at. */
struct walk {
    json_object *catalog;
    size_t service, endpoint;
};

static bool next_endpoint(struct walk *w, struct keystone_endpoint *ret, char interface[32])
{
    for (; w->service < json_object_array_length(w->catalog); w->service++, w->endpoint = 0) {
        json_object *service = json_object_array_get_idx(w->catalog, w->service);
        json_object *endpoints = reply_member(service, "endpoints", json_type_array);
        char type[64];
        if (!reply_text(service, "type", type, sizeof type) || !streq(type, "key-manager") || !endpoints)
            continue;
        while (w->endpoint < json_object_array_length(endpoints))
            if (read_endpoint(service, json_object_array_get_idx(endpoints, w->endpoint++), ret, interface))
                return true;
    }
    return false;
}

/* Finds the catalog of a token's body, or the one that GET /v3/auth/catalog answers; a member of
 * `document`. */
static int find_catalog(json_object *document, json_object **ret, struct error *e)
{
    json_object *token = reply_member(document, "token", json_type_object);
    *ret = reply_member(token ? token : document, "catalog", json_type_array);
    if (!document)
        return keystone_error_form(e);
    if (!*ret)
        return error_set(
            e, -EHOSTUNREACH,
            "the catalog is empty: the token has no project; give a project, or a token with one");
    return 0;
}

static int error_none(const struct seen *seen, const char *region, const char *interface, struct error *e)
{
    if (!seen->used)
        return error_set(
            e, -EHOSTUNREACH,
            "the catalog has no service of type key-manager; set barbican_endpoint in [barbican] if there is "
            "a Barbican");
    return error_set(e, -EHOSTUNREACH,
                     "the catalog has no key-manager for region %s and interface %s, but %s; set "
                     "barbican_region_name and barbican_endpoint_type in [barbican], or OS_REGION_NAME and "
                     "OS_INTERFACE",
                     *region ? region : "(any)", interface, seen->text);
}

static int error_several(const struct seen *regions, const struct keystone_endpoint *one,
                         const struct keystone_endpoint *other, struct error *e)
{
    if (regions->used)
        return error_set(
            e, -EINVAL,
            "the catalog has key managers in several regions: %s; choose one by OS_REGION_NAME, or by "
            "barbican_region_name in [barbican]",
            regions->text);
    return error_set(e, -EINVAL,
                     "the catalog has several key managers in region %s (%.200s, %.200s); choose one by "
                     "barbican_endpoint in [barbican]",
                     one->region, one->url, other->url);
}

/* Whether both have the same address: a catalog may have it twice, for two services. */
static bool is_again(const struct keystone_endpoint *a, const struct keystone_endpoint *b)
{
    return streq(a->region, b->region) && streq(a->url, b->url);
}

int keystone_parse_endpoint(const char *text, size_t size, const char *region, const char *interface,
                            struct keystone_endpoint *ret, struct error *e)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    struct walk w = {.catalog = NULL};
    struct seen all = {.used = 0}, regions = {.used = 0};
    struct keystone_endpoint found = {.url = ""}, other = {.url = ""}, one;
    char its[32];
    interface = *interface ? interface : "public";
    int r = find_catalog(document, &w.catalog, e);
    while (r == 0 && next_endpoint(&w, &one, its)) {
        see(&all, one.region, its);
        if ((*region && !streq(region, one.region)) || !streq(interface, its) || !one.url[0])
            continue;
        if (!found.url[0]) {
            found = one;
        } else if (is_again(&found, &one)) {
            found = strcmp(one.service_id, found.service_id) < 0 ? one : found; /* always the same one,
                                                                                   whatever the order in the
                                                                                   catalog */
        } else if (!streq(found.region, one.region)) {
            if (!regions.used)
                see(&regions, found.region, "");
            see(&regions, one.region, "");
        } else
            other = one;
    }
    if (r < 0)
        return r;
    if (!found.url[0])
        return error_none(&all, region, interface, e);
    if (regions.used || other.url[0])
        return error_several(&regions, &found, &other, e);
    *ret = found;
    return 0;
}

/* Whether both are of one service, as "http://host:80/a/v1/" and "HTTP://host/a" are. */
static bool same_url(const char *a, const char *b)
{
    char origins[2][300], url[2][HTTP_URL_MAX];
    const char *paths[2], *both[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        if (http_origin(both[i], origins[i], sizeof origins[i]) < 0 ||
            str_copy(url[i], HTTP_URL_MAX, both[i]) < 0)
            return false;
        cut_slashes(url[i]);
        if (str_ends(url[i], "/v1"))
            url[i][strlen(url[i]) - 3] = '\0';
        cut_slashes(url[i]);
        const char *host = strstr(url[i], "://");
        paths[i] = host ? host + 3 + strcspn(host + 3, "/") : "";
    }
    return streq(origins[0], origins[1]) && streq(paths[0], paths[1]);
}

bool keystone_parse_url(const char *text, size_t size, const char *url, struct keystone_endpoint *ret)
{
    _cleanup_json_ json_object *document = reply_parse(text, size);
    struct walk w = {.catalog = NULL};
    struct keystone_endpoint one;
    char interface[32];
    if (find_catalog(document, &w.catalog, NULL) < 0)
        return false;
    while (next_endpoint(&w, &one, interface))
        if (one.url[0] && same_url(url, one.url)) {
            *ret = one;
            return true;
        }
    return false;
}
