/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the keys that this host made in the caller's project, by their names. Barbican's filter knows only
 * whole names, so all secrets of the project are read, in pages of 100, or fewer where an administrator has
 * set that. Barbican's link to the next page forgets the filter (seen with 15.0), so offsets are counted
 * here. */
#include "barbican/barbican-internal.h"

#include "barbican/replies.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

#define SECRETS_MAX 10000000 /* a longer list counts as endless */

static int list_page(struct barbican *b, size_t offset, struct key_info **keys, size_t *n_keys,
                     size_t *ret_page, size_t *ret_total, struct error *e)
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
    if (r == 0 &&
        (r = reply_list(c.reply.text, c.reply.size, b->host, keys, n_keys, ret_page, ret_total)) < 0)
        return r == -ENOMEM
                   ? error_memory(e)
                   : error_set(
                         e, -EHOSTUNREACH,
                         "key manager barbican: its keys cannot be listed: the answer is not Barbican's; "
                         "check its endpoint");
    return r;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct key_info *)a)->id, ((const struct key_info *)b)->id);
}

/* Drops keys that are seen twice: secrets that are made or destroyed meanwhile shift others between pages. */
static size_t drop_repeats(struct key_info *keys, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(keys, n, sizeof *keys, by_id);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !streq(keys[kept - 1].id, keys[i].id))
            keys[kept++] = keys[i];
    return kept;
}

int barbican_list(struct keymgr *km, struct key_listing *ret, struct error *e)
{
    struct barbican *b = (struct barbican *)km;
    _cleanup_free_ struct key_info *keys = NULL;
    size_t n = 0, offset = 0, page, total = 0, seen = 0;
    bool moved;
    http_begin(b->http);
    do {
        size_t before = total;
        int r = list_page(b, offset, &keys, &n, &page, &total, e);
        if (r < 0)
            return r;
        seen += page + 1;
        if (seen > SECRETS_MAX)
            return error_set(e, -EHOSTUNREACH,
                             "key manager barbican: its list of keys does not end; look at the service");
        moved = total < before; /* some were destroyed, so secrets of later pages may have moved to earlier
                                   ones */
        offset = !moved ? offset + page : offset > before - total ? offset - (before - total) : 0;
    } while (page > 0 || moved);
    n = drop_repeats(keys, n);
    ret->keys = n ? TAKE_PTR(keys) : NULL;
    ret->n = n;
    return 0;
}
