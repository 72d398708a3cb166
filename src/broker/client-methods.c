/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of client.h that call a method of the broker. */
#include "broker/client.h"

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

struct broker *broker_disconnect(struct broker *b)
{
    if (b)
        b->ops->disconnect(b);
    return NULL;
}
