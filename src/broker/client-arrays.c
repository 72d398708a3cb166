/* SPDX-License-Identifier: Apache-2.0 */
/* Methods whose answer is a file: LVM's report, and arrays of maps and volumes. See client-call.h. */
#include "broker/client-call.h"

#include "base/fd.h"

#include <stdio.h>

#define REPORT_LIMIT_BYTES (256U << 20)

static const struct op_none none;

/* What the array in a file consists of. */
struct array_form {
    const char *of; /* as messages name the items */
    size_t item_bytes, limit_bytes;
    struct {
        size_t offset, bytes;
    } text[2]; /* fields of an item that must end in a NUL */
};

#define TEXT_FIELD(type, field)                                                                              \
    {                                                                                                        \
        offsetof(struct type, field), sizeof(((struct type *)NULL)->field)                                   \
    }

static const struct array_form maps_form = {
    "maps", sizeof(struct map), 16U << 20, {TEXT_FIELD(map, name), TEXT_FIELD(map, uuid)}};
static const struct array_form suspended_form = {"suspended volumes",
                                                 sizeof(struct suspended),
                                                 1U << 20,
                                                 {TEXT_FIELD(suspended, vg), TEXT_FIELD(suspended, lv)}};
static const struct array_form volumes_form = {
    "volumes", sizeof(struct volume), 1U << 20, {TEXT_FIELD(volume, vg), TEXT_FIELD(volume, lv)}};

/* Reads and closes the file of a reply. */
static int take_file(int fd, size_t limit_bytes, char **ret, size_t *ret_size, struct error *e)
{
    int r = fd_read_text(fd, limit_bytes, ret, ret_size);
    fd_close(fd);
    return r < 0 ? error_set(e, r, "mayfly-broker: its answer cannot be read: %s", strerror(-r)) : 0;
}

static bool item_valid(const char *item, const struct array_form *form)
{
    bool valid = true;
    for (size_t i = 0; valid && i < ARRAY_SIZE(form->text); i++)
        valid = memchr(item + form->text[i].offset, '\0', form->text[i].bytes);
    return valid;
}

/* Reads and closes a file that must be a whole number of items. The caller frees *ret. */
static int take_array(int fd, const struct array_form *form, void **ret, size_t *ret_n, struct error *e)
{
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;
    int r = take_file(fd, form->limit_bytes, &bytes, &size, e);
    if (r < 0)
        return r;
    bool valid = size % form->item_bytes == 0;
    for (size_t at = 0; valid && at < size; at += form->item_bytes)
        valid = item_valid(bytes + at, form);
    if (!valid)
        return error_set(e, -EPROTO, "mayfly-broker: its list of %s is malformed", form->of);
    *ret = TAKE_PTR(bytes);
    *ret_n = size / form->item_bytes;
    return 0;
}

static int ask_for_maps(struct remote *b, struct map **ret, size_t *ret_n, uint32_t *ret_crypt_version,
                        struct error *e)
{
    struct remote_reply reply;
    void *maps = NULL;
    int r = ask_MAPS(b, &none, &reply, e);
    if (r == 0)
        r = take_array(reply.fd, &maps_form, &maps, ret_n, e);
    if (r < 0)
        return r;
    struct map *all = maps;
    r = remote_add_served(b, &all, ret_n, e);
    if (r < 0) {
        free(all);
        return r;
    }
    *ret = all;
    *ret_crypt_version = reply.a.crypt_version;
    return 0;
}

int remote_maps(struct broker *b, struct map **ret, size_t *ret_n, struct error *e)
{
    uint32_t crypt_version = 0;
    return ask_for_maps(remote_of(b), ret, ret_n, &crypt_version, e);
}

int remote_list(struct broker *base, struct inventory **ret, struct error *e)
{
    struct remote *b = remote_of(base);
    struct remote_reply reply;
    _cleanup_free_ char *json = NULL;
    _cleanup_free_ struct map *maps = NULL;
    size_t json_size = 0, n_maps = 0;
    uint32_t crypt_version = 0;

    int r = ask_LIST(b, &none, &reply, e);
    if (r == 0)
        r = take_file(reply.fd, REPORT_LIMIT_BYTES, &json, &json_size, e);
    if (r == 0)
        r = ask_for_maps(b, &maps, &n_maps, &crypt_version, e);
    if (r == 0)
        r = inventory_parse(json, json_size, maps, n_maps, ret, e);
    if (r == 0)
        (*ret)->crypt_version = crypt_version;
    return r;
}

int remote_suspended(struct broker *b, struct suspended **ret, size_t *ret_n, struct error *e)
{
    struct remote_reply reply;
    void *list = NULL;
    int r = ask_SUSPENDED(remote_of(b), &none, &reply, e);
    if (r == 0)
        r = take_array(reply.fd, &suspended_form, &list, ret_n, e);
    if (r == 0)
        *ret = list;
    return r;
}

int remote_strangers(struct broker *b, const char *vg, const char *uuid, struct volume **ret, size_t *ret_n,
                     struct error *e)
{
    struct op_volume request = {0};
    struct remote_reply reply;
    void *strangers = NULL;
    snprintf(request.volume.vg, sizeof request.volume.vg, "%.63s", vg);
    snprintf(request.volume.lv, sizeof request.volume.lv, "%.36s_disk", uuid);
    int r = ask_STRANGERS(remote_of(b), &request, &reply, e);
    if (r == 0)
        r = take_array(reply.fd, &volumes_form, &strangers, ret_n, e);
    if (r == 0)
        *ret = strangers;
    return r;
}
