/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each of Barbican's replies: what is taken is of the form that the rest relies on. */
#include "barbican/replies.h"
#include "base/str.h"
#include "text.h"

#define HOST "host-00000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *text, size_t size)
{
    _cleanup_free_ struct key_info *keys = NULL;
    size_t n = 0, page = 0, total = 0;
    if (reply_list(text, size, HOST, &keys, &n, &page, &total) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (!uuid_valid(keys[i].id) || !uuid_valid(keys[i].owner) || !volume_group_valid(keys[i].vg) ||
            n > page)
            abort();
}

/* A name that is taken for one of ours is made up of what was taken. */
static void check_name(const char *text, size_t size)
{
    struct key_info k;
    _cleanup_free_ char *name = text_of(text, size);
    if (!secret_name_parse(name, HOST, &k))
        return;
    _cleanup_free_ char *again = str_format("-00000000/%s/%s/%s", k.vg, key_scope_name(k.scope), k.owner);
    for (char *c = name + 1; *c; c++)
        *c = *c == SECRET_NAME_PLUS ? '+' : *c;
    if (!str_starts(name, "mayfly/") || !str_ends(name, again) || !uuid_valid(k.owner) ||
        !volume_group_valid(k.vg))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char id[UUID_TEXT], reason[64], ids[4][UUID_TEXT], users[4][KEY_USER_MAX];
    enum order_state state = ORDER_PENDING;
    size_t n = 0;
    bool project = false;
    if (reply_ref(text, size, "secret_ref", id) == 0 && !uuid_valid(id))
        abort();
    if (reply_order(text, size, &state, id, reason, sizeof reason) == 0 && state == ORDER_ACTIVE &&
        !uuid_valid(id))
        abort();
    if (reply_named(text, size, "mayfly", ids, ARRAY_SIZE(ids)) > (int)ARRAY_SIZE(ids))
        abort();
    if (reply_acl(text, size, users, ARRAY_SIZE(users), &n, &project) == 0 && n > ARRAY_SIZE(users))
        abort();
    if (reply_says_404(text, size) && !reply_is_object(text, size))
        abort();
    check_list(text, size);
    check_name(text, size);
    return 0;
}
