/* SPDX-License-Identifier: Apache-2.0 */
/* See place.h. */
#include "keys/place.h"

#include <ctype.h>
#include <stdio.h>

#define OWN_ID_MAX 64 /* bytes of a manager's own id, with its NUL */
_Static_assert(KEY_PLACE_MAX + OWN_ID_MAX <= KEY_ID_MAX, "room for PLACE/ID");

/* Whether these `n` bytes are a valid place. None can be mistaken for a part of a path. */
static bool place_valid(const char *place, size_t n)
{
    return n > 0 && n < KEY_PLACE_MAX && isalnum((unsigned char)place[0]) && !memchr(place, '/', n) &&
           !memchr(place, ':', n);
}

/* Asks the manager, but only once during one operation: one that is away fails only after its time limit. */
static int ask_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    struct error why = ERROR_NONE;
    if (km->no_place && km->no_place->errnum)
        return error_pass(e, km->no_place->errnum, km->no_place);
    int r = km->ops->place(km, make, ret, &why);
    if (r == 0)
        return 0;
    error_set(&why, r, "key manager %s: %s", km->ops->name, strerror(-r)); /* without a sentence */
    if (km->no_place)
        *km->no_place = why;
    return error_pass(e, r, &why);
}

int keymgr_place(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    char place[KEY_PLACE_MAX] = "";
    int r = km->place[0] || !km->ops->place ? 0 : ask_place(km, make, place, e);
    if (r < 0)
        return r;
    if (place[0] && (!place_valid(place, strlen(place)) || !str_made_of(place, "_+.-=!#&")))
        return error_set(e, -EPROTO, "key manager %s: the identity of its place has a wrong form",
                         km->ops->name);
    if (place[0])
        memcpy(km->place, place, sizeof km->place);
    memcpy(ret, km->place, KEY_PLACE_MAX);
    return 0;
}

int key_id_split(const char *id, char place[KEY_PLACE_MAX], const char **ret_own, struct error *e)
{
    const char *slash = strchr(id, '/');
    size_t n = slash ? (size_t)(slash - id) : 0;
    if (slash && (!place_valid(id, n) || !slash[1]))
        return error_set(e, -EINVAL, "key id \"%.64s\": is not of the form PLACE/ID", id);
    memcpy(place, id, n);
    place[n] = '\0';
    *ret_own = slash ? slash + 1 : id;
    return 0;
}

int key_locate(const struct keymgr *km, const char *id, struct key_at *ret, struct error *e)
{
    *ret = (struct key_at){.id = id};
    if (strlen(id) >= KEY_ID_MAX)
        return error_set(e, -EINVAL, "key %s:%.64s: its id is too long", km->ops->name, id);
    return km->ops->place ? key_id_split(id, ret->place, &ret->id, e) : 0;
}

int key_add_place(const struct keymgr *km, const char *place, char id[KEY_ID_MAX], struct error *e)
{
    char own[KEY_ID_MAX];
    memcpy(own, id, sizeof own);
    if (!place[0])
        return 0;
    if (strlen(own) >= OWN_ID_MAX || strchr(own, '/'))
        return error_set(e, -EPROTO, "key manager %s: \"%.64s\" is not the id of a key", km->ops->name, own);
    snprintf(id, KEY_ID_MAX, "%s/%.*s", place, OWN_ID_MAX - 1, own);
    return 0;
}

static int error_elsewhere(struct keymgr *km, const struct key_at *at, struct error *e)
{
    if (km->ops->elsewhere)
        return km->ops->elsewhere(km, at->id, at->place, e);
    if (!at->place[0])
        return error_set(
            e, -EHOSTUNREACH,
            "key %s:%s: nothing is known of it: it is not where this was asked, and its reference "
            "does not say where it is kept; see the configuration of the key manager",
            km->ops->name, at->id);
    return error_set(e, -EHOSTUNREACH,
                     "key %s:%s: nothing is known of it: it is kept at %s, and %s was asked; see the "
                     "configuration of the key manager",
                     km->ops->name, at->id, at->place, km->place[0] ? km->place : "a place without identity");
}

int key_check_place(struct keymgr *km, const struct key_at *at, struct error *e)
{
    char here[KEY_PLACE_MAX];
    if (!at->place[0])
        return 0;
    int r = keymgr_place(km, false, here, e);
    if (r < 0)
        error_prefix(e, "key %s:%s: ", km->ops->name, at->id);
    return r < 0 || streq(here, at->place) ? r : error_elsewhere(km, at, e);
}

int key_judge_absence(struct keymgr *km, const struct key_at *at, const struct error *why, struct error *e)
{
    if (!km->ops->place)
        return error_pass(e, -ENOKEY, why);
    int r = at->place[0] ? key_check_place(km, at, e) : error_elsewhere(km, at, e);
    return r < 0 ? r : error_pass(e, -ENOKEY, why);
}

/* --------------------------------------------------------------- references */

int key_ref_parse(const char *ref, char manager[KEY_ID_MAX], char id[KEY_ID_MAX], struct error *e)
{
    const char *colon = strchr(ref, ':');
    size_t n = colon ? (size_t)(colon - ref) : 0;
    if (n == 0 || n >= KEY_ID_MAX || !colon[1] || strlen(colon + 1) >= KEY_ID_MAX ||
        !str_made_of(ref, "_+.-/=!:#&"))
        return error_set(e, -EINVAL, "key reference \"%.64s\": is not of the form MANAGER:PLACE/ID", ref);
    memcpy(manager, ref, n);
    manager[n] = '\0';
    return str_copy(id, KEY_ID_MAX, colon + 1);
}

/* Returns the length of "MANAGER:" in a reference of either form. */
static size_t manager_length(const char *ref)
{
    const char *colon = strchr(ref, ':');
    return colon ? (size_t)(colon - ref) + 1 : 0;
}

static const char *without_place(const char *ref)
{
    const char *id = ref + manager_length(ref), *slash = strchr(id, '/');
    return slash ? slash + 1 : id;
}

int key_ref_order(const char *a, const char *b)
{
    size_t n = manager_length(a), m = manager_length(b);
    int order = strncmp(a, b, n < m ? n : m);
    if (order || n != m)
        return order ? order : n < m ? -1 : 1;
    return strcmp(without_place(a), without_place(b));
}

bool key_ref_same(const char *a, const char *b)
{
    return key_ref_order(a, b) == 0;
}
