/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and destroys secrets by name. A name contains a fresh uuid, so there is one secret of the name, or
 * several if an answer was lost and the request repeated. */
#include "barbican/barbican-internal.h"

#include "barbican/replies.h"

#include <stdio.h>

#define ROUNDS_MAX 4 /* of NAMED_MAX secrets each; more of one name cannot be ours */

int secret_name_make(const struct barbican *b, const struct key_info *info, char ret[SECRET_NAME_MAX],
                     struct error *e)
{
    int n = snprintf(ret, SECRET_NAME_MAX, "mayfly/%s/%s/%s/%s", b->host, info->vg,
                     key_scope_name(info->scope), info->owner);
    if (n < 0 || n >= SECRET_NAME_MAX)
        return error_set(e, -EINVAL, "key manager barbican: the name of a secret would be too long");
    for (char *c = ret; *c; c++)
        *c = *c == '+' ? SECRET_NAME_PLUS : *c;
    return 0;
}

int barbican_named(struct barbican *b, const struct key_info *want, char ids[NAMED_MAX][UUID_TEXT],
                   size_t *ret_n, struct error *e)
{
    _cleanup_(call_end) struct call c = {.method = "GET"};
    char name[SECRET_NAME_MAX];
    int r = secret_name_make(b, want, name, e);
    if (r < 0)
        return r;
    snprintf(c.path, sizeof c.path, "/secrets?limit=%d&name=%s", NAMED_MAX, name); /* the name needs no
                                                                                      escapes */
    r = barbican_call(b, &c, 1, e);
    if (r == 0)
        r = call_check(b, &c, 200, 200, "key manager barbican", "asked for a key", e);
    if (r < 0)
        return r;
    int n = reply_named(c.reply.text, c.reply.size, name, ids, NAMED_MAX);
    if (n < 0)
        return error_set(e, -EHOSTUNREACH,
                         "key manager barbican: cannot tell whether it made a key: the answer is not "
                         "Barbican's; check its endpoint");
    *ret_n = (size_t)n;
    return 0;
}

int barbican_destroy_named(struct barbican *b, const struct key_info *want, const char *keep, size_t *ret_n,
                           struct error *e)
{
    size_t destroyed = 0;
    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        char ids[NAMED_MAX][UUID_TEXT];
        size_t n = 0, found = 0;
        int r = barbican_named(b, want, ids, &n, e);
        for (size_t i = 0; r == 0 && i < n; i++)
            if (!streq(ids[i], keep)) {
                found++;
                r = barbican_destroy_now(b, ids[i], e);
            }
        if (r < 0)
            return r;
        destroyed += found;
        if (n < NAMED_MAX || found == 0)
            break;
    }
    *ret_n = destroyed;
    return 0;
}
