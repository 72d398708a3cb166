/* SPDX-License-Identifier: Apache-2.0 */
/* Resumes volumes that a killed lvm left suspended: a guest that uses one stands still until then. This comes
 * before all other work, since closing or removing such a volume would wait, too.
 *
 * A volume whose instance another mayfly has locked is left alone: the lvm of that mayfly may be at work.
 */
#include "instance/recover.h"

/* Returns the volume as a subject: names of our volumes begin with the uuid of the instance. */
static struct subject subject_of(const struct suspended *v, char uuid[UUID_TEXT])
{
    memcpy(uuid, v->lv, UUID_TEXT - 1);
    uuid[UUID_TEXT - 1] = '\0';
    return subject_volume(uuid, v->vg, v->lv);
}

int recovery_lock_suspended(struct recovery *r, struct error *e)
{
    char uuid[UUID_TEXT];
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_suspended; i++) {
        const struct subject about = subject_of(&r->suspended[i], uuid);
        result = recovery_lock(r, &about, e);
    }
    return result;
}

int recovery_resume(struct recovery *r, struct error *e)
{
    char uuid[UUID_TEXT];
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->n_suspended; i++) {
        struct error why = ERROR_NONE;
        const struct subject about = subject_of(&r->suspended[i], uuid);
        if (!recovery_may_act(r, uuid))
            continue;
        int resumed = r->dry_run ? 0 : broker_resume(r->context.broker, &r->suspended[i], &why);
        result = recovery_settle(r, RECOVER_RESUMED, &about,
                                 "an lvm that was killed left it suspended: resumed", resumed, &why, e);
    }
    return result;
}
