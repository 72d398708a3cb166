/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as Keystone's token, catalog or error body. */
#include "barbican/keystone.h"
#include "barbican/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keystone_facts facts = {.user_id = ""};
    struct keystone_endpoint found;
    char message[MESSAGE_MAX];
    const char *text = (const char *)data;
    if (keystone_parse_token(text, size, &facts, NULL) == 0 && !facts.user_id[0])
        (void)facts.roles[0];
    if (keystone_parse_endpoint(text, size, "", "public", &found, NULL) == 0 && !found.url[0])
        abort();
    reply_message(text, size, message, sizeof message);
    for (const char *c = message; *c; c++)
        if (*c < ' ')
            abort();
    return 0;
}
