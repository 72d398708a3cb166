/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of client.h that call a method of the broker. */
#include "broker/client.h"

#include "base/audit.h"

#include <stdio.h>

#define METHOD(name, parameters, arguments)                                                                  \
    int broker_##name parameters                                                                             \
    {                                                                                                        \
        return b->ops->name arguments;                                                                       \
    }
#define NOTICE(name, parameters, arguments)                                                                  \
    void broker_##name parameters                                                                            \
    {                                                                                                        \
        b->ops->name arguments;                                                                              \
    }
#include "broker/methods.def"
#undef METHOD
#undef NOTICE

int broker_close(struct broker *b, const struct volume *v, enum settle settle, struct error *e)
{
    bool closed = false;
    return broker_close_up_to(b, v, MAP_READ_ONLY, settle, &closed, e);
}

int broker_audit(const struct volume *v, const char *action, int r, const struct error *e)
{
    char volume[VG_NAME_MAX + LV_NAME_MAX], instance[UUID_TEXT];
    snprintf(volume, sizeof volume, "%s/%s", v->vg, v->lv);
    snprintf(instance, sizeof instance, "%.36s", v->lv);
    audit_write(&(struct audit_event){.kind = AUDIT_VOLUME,
                                      .action = action,
                                      .instance = instance,
                                      .volume = volume,
                                      .key = v->key,
                                      .result = r,
                                      .reason = e ? e->text : ""});
    return r;
}

struct broker *broker_disconnect(struct broker *b)
{
    if (b)
        b->ops->disconnect(b);
    return NULL;
}
