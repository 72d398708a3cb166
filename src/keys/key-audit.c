/* SPDX-License-Identifier: Apache-2.0 */
/* See key-audit.h. */
#include "keys/key-audit.h"

#include "base/audit.h"

#include <stdio.h>

void key_audit(const struct keymgr *km, const char *action, const char *id, const struct key_info *info,
               const char *grantee, int result, const struct error *why)
{
    char ref[KEY_REF_MAX] = "";
    struct key_asker asker = {.user = ""};
    if (km->ops->asker)
        km->ops->asker(km, &asker);
    if (id)
        snprintf(ref, sizeof ref, "%s:%s", km->ops->name, id);
    audit_write(&(struct audit_event){
        .kind = AUDIT_KEY,
        .action = action,
        .instance = info && info->scope == KEY_SCOPE_INSTANCE ? info->owner : NULL,
        .key = ref,
        .grantee = grantee,
        .result = result,
        .reason = why ? why->text : NULL,
        .who = &(struct audit_who){.uid = audit_caller(), .user = asker.user, .project = asker.project},
    });
}
