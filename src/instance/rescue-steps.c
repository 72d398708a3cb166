/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a rescue, each with its undo; rescue.c has their order. */
#include "base/fd.h"
#include "instance/keys.h"
#include "instance/made-volume.h"
#include "instance/removal.h"
#include "instance/rescue.h"
#include "instance/start.h"
#include "instance/stop.h"
#include "keys/derive.h"
#include "storage/check.h"
#include "virt/rescue-xml.h"

/* ---------------------------------------------------------- the rescue disk */

int rescue_fetch_key(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    return key_fetch(c, &r->v, &r->secret, e);
}

int rescue_fetch_key_undo(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    (void)c, (void)e;
    r->secret = secret_free(r->secret);
    return 0;
}

static int set_check(struct rescue *r, struct error *e)
{
    _cleanup_secret_ struct secret *volume_key = NULL;
    int result = derive_volume_key(&r->v, r->secret, &volume_key, e);
    return result < 0 ? result : volume_check_value(&r->v, volume_key, r->v.check, e);
}

int rescue_create(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    int result = r->secret ? set_check(r, e) : 0;
    if (result == 0)
        result = broker_create(c->broker, &r->v, e);
    if (result < 0)
        return result;
    r->made = true;
    return 0;
}

int rescue_create_undo(const struct context *c, void *object, struct error *e)
{
    const struct rescue *r = object;
    return made_volume_remove(c, &r->v, r->made, e);
}

int rescue_open(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    int result = disk_open(c, &r->v, r->secret, MAP_FOR_DOMAIN, SETTLE_NOW, &r->disk, e);
    if (result == 0)
        r->secret = secret_free(r->secret); /* not needed any more */
    return result;
}

int rescue_open_undo(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    opened_close(&r->disk);
    return disk_close(c, &r->v, SETTLE_NOW, e);
}

int rescue_fill(const struct context *c, void *object, struct error *e)
{
    struct rescue *r = object;
    const struct image_target target = {.disk = &r->disk, .name = r->v.lv};
    int result = context_import(c, r->image, &target, 1, 0, image_size_bytes(r->image), e);
    opened_close(&r->disk);
    return result;
}

int rescue_close(const struct context *c, void *object, struct error *e)
{
    return disk_close(c, &((const struct rescue *)object)->v, SETTLE_NOW, e);
}

/* --------------------------------------------------------------- the domain */

int rescue_stop(const struct context *c, void *object, struct error *e)
{
    const struct rescue *r = object;
    return domain_stop(c, r->instance, r->request->timeout_sec, true, e);
}

/* The guest ran before, so its start is not stopped by what stopped the rescue. */
int rescue_stop_undo(const struct context *c, void *object, struct error *e)
{
    context_hold_stop(c);
    return instance_start_again(c, ((const struct rescue *)object)->instance, e);
}

int rescue_definition(const struct context *c, const struct rescue *r, char **ret, struct error *e)
{
    _cleanup_free_ char *xml = NULL;
    struct error why = ERROR_NONE;
    char path[DEVICE_PATH_MAX];
    const struct domain_disk disk = disk_of_domain(c, &r->v, path);
    int result = virt_definition(c->virt, r->instance->uuid, &xml, e);
    if (result < 0)
        return result;
    result = rescue_xml_add(xml, &disk, ret, &why);
    return result < 0 ? error_set(e, result, "domain %s: cannot be rescued: %s", r->instance->name, why.text)
                      : 0;
}

/* Notes controllers that libvirt has added for the rescue disk, to be removed with it. */
static int note_additions(const struct context *c, const struct rescue *r, struct error *e)
{
    _cleanup_free_ char *xml = NULL, *noted = NULL;
    int result = virt_definition(c->virt, r->instance->uuid, &xml, e);
    if (result == 0)
        result = rescue_xml_note(xml, &noted, e);
    return result < 0 || !noted ? result : virt_redefine(c->virt, noted, e);
}

int rescue_define(const struct context *c, void *object, struct error *e)
{
    const struct rescue *r = object;
    _cleanup_free_ char *xml = NULL;
    int result = rescue_definition(c, r, &xml, e);
    if (result == 0)
        result = virt_redefine(c->virt, xml, e);
    return result < 0 ? result : note_additions(c, r, e);
}

int rescue_define_undo(const struct context *c, void *object, struct error *e)
{
    return domain_restore_definition(c, ((const struct rescue *)object)->instance->uuid, e);
}

static int mark(const struct context *c, const struct rescue *r, enum volume_state state, struct error *e)
{
    const struct volume *v = &r->v;
    return broker_mark(c->broker, &v, 1, state, e);
}

int rescue_ready(const struct context *c, void *object, struct error *e)
{
    return mark(c, object, VOLUME_READY, e);
}

int rescue_ready_undo(const struct context *c, void *object, struct error *e)
{
    return mark(c, object, VOLUME_DOOMED, e);
}

int rescue_start(const struct context *c, void *object, struct error *e)
{
    return instance_start_again(c, ((const struct rescue *)object)->instance, e);
}

int rescue_start_undo(const struct context *c, void *object, struct error *e)
{
    return virt_destroy(c->virt, ((const struct rescue *)object)->instance->uuid, e);
}
