/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as Keystone's token, catalog or error body. */
#include "barbican/keystone.h"
#include "barbican/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keystone_facts facts = {.user_id = ""};
    char url[HTTP_URL_MAX], message[MESSAGE_MAX];
    const char *text = (const char *)data;
    if (keystone_parse_token(text, size, &facts, NULL) == 0 && !facts.user_id[0])
        (void)facts.roles[0];
    if (keystone_parse_endpoint(text, size, "", "public", url, NULL) == 0 && !url[0])
        abort();
    reply_message(text, size, message, sizeof message);
    for (const char *c = message; *c; c++)
        if (*c < ' ')
            abort();
    return 0;
}
