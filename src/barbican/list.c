/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that this host made in the caller's project, by their names. Barbican's filter knows only whole
 * names, so all secrets of the project go by, 100 at a time. Its link to the next page forgets the filter
 * (seen with 15.0), so the offsets are counted here. */
#include "barbican/barbican-internal.h"

#include "barbican/replies.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGES_MAX 1000

int secret_name_make(const struct barbican *b, const struct key_info *info, char ret[SECRET_NAME_MAX],
                     struct error *e)
{
    int n = snprintf(ret, SECRET_NAME_MAX, "mayfly/%s/%s/%s/%s", b->host, info->vg,
                     key_scope_name(info->scope), info->owner);
    if (n < 0 || n >= SECRET_NAME_MAX)
        return error_set(e, -EINVAL, "key manager barbican: the name of a secret would be too long");
    return 0;
}

static int list_page(struct barbican *b, size_t offset, struct key_info **keys, size_t *n_keys,
                     size_t *ret_page, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "GET"};
    snprintf(c.path, sizeof c.path, "/secrets?secret_type=symmetric&sort=created&limit=%d&offset=%zu",
             REPLY_PAGE, offset);
    int r = barbican_call(b, &c, 1, e);
    if (r < 0) {
        error_prefix(e, "key manager barbican: its keys cannot be listed: ");
        return r;
    }
    r = call_check(b, &c, 200, 200, "key manager barbican", "asked for its keys", e);
    if (r == -ENOKEY) /* 404 for a list: not the place */
        return -EHOSTUNREACH;
    if (r == 0 && (r = reply_list(c.reply.text, c.reply.size, b->host, keys, n_keys, ret_page)) < 0)
        return r == -ENOMEM
                   ? error_memory(e)
                   : error_set(
                         e, -EHOSTUNREACH,
                         "key manager barbican: its keys cannot be listed: the answer is not Barbican's; "
                         "check its endpoint");
    return r;
}

int barbican_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    _cleanup_free_ struct key_info *keys = NULL;
    size_t n = 0, page = REPLY_PAGE;
    http_begin(b->http);
    for (size_t i = 0; page > 0; i++) {
        if (i == PAGES_MAX)
            return error_set(e, -EHOSTUNREACH,
                             "key manager barbican: its list of keys has no end; look at the service");
        int r = list_page(b, i * REPLY_PAGE, &keys, &n, &page, e);
        if (r < 0)
            return r;
        if (page < REPLY_PAGE)
            break;
    }
    ret->keys = n ? TAKE_PTR(keys) : NULL;
    ret->n = n;
    return 0;
}
