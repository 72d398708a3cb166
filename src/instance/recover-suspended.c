/* SPDX-License-Identifier: Apache-2.0 */
/* What recover does to volumes that a killed lvm has left suspended: a guest on one stands still until
 * somebody resumes it. Whatever else is to be done comes after that, since closing or removing would wait,
 * too.
 *
 * One whose instance another mayfly has locked is left alone: its lvm may be at work.
 */
#include "instance/recover.h"

#include <stdio.h>

static void instance_of(const struct suspended *v, char uuid[UUID_TEXT])
{
    memcpy(uuid, v->lv, UUID_TEXT - 1); /* a name of ours begins with it */
    uuid[UUID_TEXT - 1] = '\0';
}

int recovery_lock_suspended(struct recovery *r, struct error *e)
{
    char uuid[UUID_TEXT], object[RECOVERED_OBJECT_MAX];
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_suspended; i++) {
        instance_of(&r->suspended[i], uuid);
        snprintf(object, sizeof object, "volume %s/%s", r->suspended[i].vg, r->suspended[i].lv);
        result = recovery_lock(r, uuid, object, e);
    }
    return result;
}

int recovery_resume(struct recovery *r, struct error *e)
{
    char uuid[UUID_TEXT], object[RECOVERED_OBJECT_MAX];
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_suspended; i++) {
        struct error why = ERROR_NONE;
        instance_of(&r->suspended[i], uuid);
        if (!recovery_takes(r, uuid))
            continue;
        snprintf(object, sizeof object, "volume %s/%s", r->suspended[i].vg, r->suspended[i].lv);
        int resumed = r->dry_run ? 0 : broker_resume(r->context.broker, &r->suspended[i], &why);
        result = recovery_settle(r, RECOVER_RESUMED, object,
                                 "an lvm that was killed left it suspended: resumed", resumed, &why, e);
    }
    return result;
}
