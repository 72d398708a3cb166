/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a volume with the table that Mayfly gives a new disk, so that a benchmark measures what is really
 * chosen and no copy of it: the code of the broker, without LVM, for a machine that has none.
 *
 *     open-volume VG INSTANCE [OPTION=VALUE...]       of mayfly.conf's [ephemeral_storage_encryption]
 */
#include "config/config.h"
#include "storage/dmcrypt.h"
#include "storage/facts.h"

#include <stdio.h>
#include <sys/stat.h>

static int configure(int n, char *const option[], struct config *ret, struct error *e)
{
    char text[2048] = "[ephemeral_storage_encryption]\n";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s\n", option[i]);
    }
    return config_parse("arguments", text, strlen(text), ret, e);
}

static int new_disk(const struct config *c, const char *vg, const char *instance, struct volume *ret,
                    struct error *e)
{
    *ret = (struct volume){
        .state = VOLUME_READY, .role = "root", .disk = "d15c0000-0000-4000-8000-000000000000"};
    ret->size_bytes = 16ULL << 30;
    choose_encryption(c, &(struct facts){.rotational = true}, ret);
    if (str_copy(ret->vg, sizeof ret->vg, vg) < 0 ||
        str_copy(ret->instance, sizeof ret->instance, instance) < 0)
        return error_set(e, -EINVAL, "a name is too long");
    volume_set_lv_name(ret);
    return 0;
}

/* Some key: its halves differ, as XTS wants. */
static int make_key(const struct volume *v, struct secret **ret, struct error *e)
{
    int r = secret_new(v->key_bits / 8, ret, e);
    for (size_t i = 0; r == 0 && i < v->key_bits / 8; i++)
        secret_bytes(*ret)[i] = (uint8_t)i;
    return r;
}

static int open_volume(const struct config *c, struct volume *v, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    struct facts facts;
    struct stat st;
    char path[160];
    snprintf(path, sizeof path, "/dev/%s/%s", v->vg, v->lv);
    if (stat(path, &st) < 0)
        return error_set(e, errno, "%s: %m", path);
    facts_of_volume(v, dmcrypt_version(), &facts);
    const struct map_options o = {.below = st.st_rdev, .flags = choose_flags(c, &facts, NULL)};
    int r = make_key(v, &key, e);
    bool was_open = false;
    return r < 0 ? r : dmcrypt_open(v, key, &o, &was_open, e);
}

int main(int argc, char *argv[])
{
    struct error e = ERROR_NONE;
    struct config config;
    struct volume v;
    int r = argc < 3 ? error_set(&e, -EINVAL, "usage: open-volume VG INSTANCE [OPTION=VALUE...]") : 0;
    if (r == 0)
        r = configure(argc - 3, argv + 3, &config, &e);
    if (r == 0)
        r = new_disk(&config, argv[1], argv[2], &v, &e);
    if (r == 0)
        r = open_volume(&config, &v, &e);
    if (r < 0)
        fprintf(stderr, "open-volume: %s\n", e.text);
    return r < 0;
}
