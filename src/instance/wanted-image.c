/* SPDX-License-Identifier: Apache-2.0 */
/* See wanted-image.h. */
#include "instance/wanted-image.h"

static bool open_stopped(void *context)
{
    return context_stopped(context);
}

static int open_image(const struct context *c, const struct wanted_image *q, const struct secret *key,
                      struct image **ret, struct error *e)
{
    const struct image_progress progress = {.stopped = open_stopped, .context = (void *)c};
    report_step(c, "check image %s", q->path);
    const struct image_source source = {
        .path = q->path, .early = &q->early, .format = q->format, .key = key, .progress = &progress};
    int r = image_open(&source, ret, e);
    if (r == 0 && image_doubt(*ret))
        report_warning(c, "image %s: is it a disk image? %s", q->path, image_doubt(*ret));
    return r;
}

/* Opens an image with its key, which only the opening needs. */
static int open_encrypted(const struct context *c, const struct wanted_image *q, struct image **ret,
                          struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct keymgr *km = NULL;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX];
    int r = key_ref_parse(q->key, manager, id, e);
    if (r == 0)
        r = context_keymgr(c, manager, &km, e);
    if (r == 0)
        r = keymgr_fetch(km, id, &key, e);
    return r < 0 ? r : open_image(c, q, key, ret, e);
}

int wanted_image_open(const struct context *c, const struct wanted_image *q, struct image **ret,
                      struct error *e)
{
    _cleanup_image_ struct image *image = NULL;
    if (!q->path && (q->key || q->sha256))
        return error_set(e, -EINVAL, "image: a %s needs an image; use --image", q->key ? "key" : "SHA-256");
    int r = 0;
    if (q->path)
        r = q->key ? open_encrypted(c, q, &image, e) : open_image(c, q, NULL, &image, e);
    if (r == 0 && q->sha256)
        r = image_expect(image, q->sha256, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(image);
    return 0;
}
