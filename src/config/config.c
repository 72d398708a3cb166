/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a checked struct config of files (files.c) whose text is read by parse.c. */
#include "config/config.h"

#include "base/str.h"
#include "build-config.h"
#include "config/cipher.h"
#include "config/files.h"

/* Puts file and line of the value in front of the sentence in `e`. Returns -EINVAL. */
static int blame(const struct config_reading *reading, enum config_option option, struct error *e)
{
    if (reading->where[option][0])
        error_prefix(e, "%s: ", reading->where[option]);
    return -EINVAL;
}

static int check_volume_groups(const struct config_reading *reading, struct error *e)
{
    const struct config_list *groups = &reading->config.volume_groups;
    for (size_t i = 0; i < groups->n; i++) {
        const char *wrong =
            config_vg_name_valid(groups->item[i]) ? NULL : "cannot be the name of a volume group; see vgs";
        for (size_t j = 0; !wrong && j < i; j++)
            wrong = streq(groups->item[i], groups->item[j]) ? "is given twice" : NULL;
        if (!wrong)
            continue;
        error_set(e, -EINVAL, "[libvirt] images_volume_group: \"%s\" %s", groups->item[i], wrong);
        return blame(reading, config_option_volume_groups, e);
    }
    return 0;
}

static int check_cipher(const struct config_reading *reading, struct error *e)
{
    const struct config *c = &reading->config;
    if (cipher_check(c->cipher, c->key_size_bits, e) == 0)
        return 0;
    bool size_is_wrong = cipher_known(c->cipher) && reading->where[config_option_key_size_bits][0];
    return blame(reading, size_is_wrong ? config_option_key_size_bits : config_option_cipher, e);
}

static int check_path(const struct config_reading *reading, enum config_option option, const char *name,
                      const char *path, struct error *e)
{
    if (!*path || *path == '/')
        return 0;
    error_set(e, -EINVAL, "%s: \"%s\" does not begin with /", name, path);
    return blame(reading, option, e);
}

int config_reading_check(const struct config_reading *reading, struct error *e)
{
    const struct config *c = &reading->config;
    int r = check_cipher(reading, e);
    if (r < 0)
        return r;
    r = check_volume_groups(reading, e);
    if (r < 0)
        return r;
    r = check_path(reading, config_option_pool_path, "[pool] path", c->pool_path, e);
    if (r == 0)
        r = check_path(reading, config_option_local_directory, "[local] directory", c->local_directory, e);
    if (r < 0)
        return r;
    return check_path(reading, config_option_local_sealing_key_file, "[local] sealing_key_file",
                      c->local_sealing_key_file, e);
}

/* Ends each way to read; `r`: result of reading. */
static int finish(const struct config_reading *reading, int r, struct config *ret, struct error *e)
{
    if (r < 0)
        return r;
    r = config_reading_check(reading, e);
    if (r < 0)
        return r;
    *ret = reading->config;
    return 0;
}

int config_parse(const char *file, const char *text, size_t size, struct config *ret, struct error *e)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, config_reading_add(&reading, file, text, size, e), ret, e);
}

int config_load_folder(const char *folder, enum config_trust trust, struct config *ret, struct error *e)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, files_add_folder(&reading, folder, trust, e), ret, e);
}

int config_load(const char *path, enum config_trust trust, struct config *ret, struct error *e)
{
    if (!path)
        return config_load_folder(MAYFLY_SYSCONFDIR "/mayfly", trust, ret, e);
    struct config_reading reading;
    config_reading_begin(&reading);
    return finish(&reading, files_add_named(&reading, path, trust, e), ret, e);
}

void config_defaults(struct config *ret)
{
    struct config_reading reading;
    config_reading_begin(&reading);
    *ret = reading.config;
}

static bool text_ends(const char *text)
{
    return memchr(text, '\0', CONFIG_TEXT_MAX);
}

static bool list_is_whole(const struct config_list *list)
{
    if (list->n > CONFIG_LIST_MAX)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (!text_ends(list->item[i]))
            return false;
    return true;
}

static bool is_bool(const bool *field)
{
    unsigned char byte; /* reading a bool that is neither 0 nor 1 is undefined */
    memcpy(&byte, field, sizeof byte);
    return byte <= 1;
}

bool config_is_whole(const struct config *c)
{
    bool whole = true;
#define WHOLE_BOOL(f)                                             is_bool(&c->f)
#define WHOLE_UINT(f)                                             true
#define WHOLE_SIZE(f)                                             true
#define WHOLE_WORD(f)                                             text_ends(c->f)
#define WHOLE_TEXT(f)                                             text_ends(c->f)
#define WHOLE_LIST(f)                                             list_is_whole(&c->f)
#define OPTION(group, name, kind, field, fallback, allowed, text) whole = whole && WHOLE_##kind(field);
#include "config/options.def"
#undef OPTION
#undef WHOLE_BOOL
#undef WHOLE_UINT
#undef WHOLE_SIZE
#undef WHOLE_WORD
#undef WHOLE_TEXT
#undef WHOLE_LIST
    return whole;
}

bool config_vg_name_valid(const char *vg)
{
    return *vg && *vg != '-' && strlen(vg) < VG_NAME_MAX && str_made_of(vg, "+_.-") && !streq(vg, ".") &&
           !streq(vg, "..");
}

bool config_has_volume_group(const struct config *c, const char *vg)
{
    for (size_t i = 0; i < c->volume_groups.n; i++)
        if (streq(c->volume_groups.item[i], vg))
            return true;
    return false;
}
