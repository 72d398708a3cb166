/* SPDX-License-Identifier: Apache-2.0 */
/* The one judge of a struct volume, whether it came through a socket or from the tags that LVM keeps, and the
 * names that follow from it. Nothing here touches a device. See volume.h. */
#include "storage/volume.h"

#include "base/user.h"
#include "config/cipher.h"

#include <stdio.h>

#define TAG_OTHERS "_+.-/=!:#&" /* what LVM allows in a tag besides letters and digits */
#define VG_OTHERS  "_+.-"

#define ROLE_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789"

/* Far more than LVM and the kernel take, yet no sum that is made with it overflows. */
#define SIZE_BYTES_MAX (UINT64_C(1) << 62)

static const char *const engine_names[] = {[ENGINE_DM_CRYPT] = "dm-crypt", [ENGINE_USER] = "user"};
static const char *const state_names[] = {"building", "adopting", "ready", "rebuilding", "doomed"};

/* Whether a field that may have come through a socket ends, and is not empty. */
static bool is_text(const char *field, size_t size)
{
    return field[0] && memchr(field, '\0', size);
}
#define IS_TEXT(field) is_text(field, sizeof(field))

static bool is_empty(const struct volume *v)
{
    return !v->key_bits && !v->sector_bytes && !v->key[0] && !v->kdf[0] && !v->check[0] && !v->scope &&
           v->engine == ENGINE_DM_CRYPT;
}

/* "local" is Nova's first ephemeral disk. */
bool volume_role_valid(const char *role)
{
    if (streq(role, "root") || streq(role, "swap") || streq(role, "local") || streq(role, ROLE_SNAPSHOT) ||
        streq(role, ROLE_RESCUE) || streq(role, ROLE_BENCH) || streq(role, ROLE_SEED))
        return true;
    size_t digits = str_starts(role, "eph") ? strspn(role + 3, "0123456789") : 0;
    return digits && !role[3 + digits] && (digits == 1 || (digits == 2 && role[3] != '0'));
}

/* Whether the key has the form MANAGER:PLACE/ID. */
static bool key_ref_valid(const char *key)
{
    size_t manager = strspn(key, "abcdefghijklmnopqrstuvwxyz");
    return manager && key[manager] == ':' && key[manager + 1] && str_made_of(key, TAG_OTHERS);
}

static bool check_valid(const char *check)
{
    if (str_starts(check, CHECK_SCHEME_2))
        check += strlen(CHECK_SCHEME_2);
    return strspn(check, "0123456789abcdef") == CHECK_HEX_DIGITS && !check[CHECK_HEX_DIGITS];
}

static const char *wrong_kdf(const struct volume *v)
{
    if (!IS_TEXT(v->kdf) || (!streq(v->kdf, KDF_HKDF_SHA512) && !streq(v->kdf, KDF_NOVA_RIPEMD160) &&
                             !streq(v->kdf, KDF_NOVA_SHA256)))
        return "key derivation (it must be hkdf-sha512, nova-ripemd160 or nova-sha256)";
    return volume_novas(v) && v->sector_bytes != 512 ? "sector size (Nova's disks have 512)" : NULL;
}

/* A plain volume has empty fields here, an encrypted one all that a key needs. Returns what is wrong, or
 * NULL. */
static const char *wrong_encryption(const struct volume *v)
{
    if (!volume_encrypted(v))
        return is_empty(v) ? NULL : "the plain volume has fields of an encrypted one";
    if (v->sector_bytes != 512 && v->sector_bytes != 4096)
        return "sector size (it must be 512 or 4096)";
    if (!IS_TEXT(v->key) || !key_ref_valid(v->key))
        return "key (it must be MANAGER:PLACE/ID)";
    if (v->scope != KEY_SCOPE_INSTANCE && v->scope != KEY_SCOPE_BATCH && v->scope != KEY_SCOPE_CALLER)
        return "scope of the key";
    if (!IS_TEXT(v->check) || !check_valid(v->check))
        return "check value (it must be 2: and 32 hex digits, or these alone)";
    if ((unsigned)v->engine >= ARRAY_SIZE(engine_names) ||
        (v->engine == ENGINE_USER && !streq(v->cipher, ENGINE_USER_CIPHER)))
        return "engine (it must be dm-crypt or user, and dm-crypt unless the cipher is aes-xts-plain64)";
    return wrong_kdf(v);
}

/* Returns what is wrong with the identity of the volume, or NULL. */
static const char *wrong_identity(const struct volume *v)
{
    struct volume expected = *v;
    if (!IS_TEXT(v->instance) || !uuid_valid(v->instance))
        return "uuid of the instance";
    if (!IS_TEXT(v->disk) || !uuid_valid(v->disk))
        return "uuid of the disk";
    if (!IS_TEXT(v->role) || !volume_role_valid(v->role))
        return "role (it must be root, swap, local, seed, snap, rescue, bench or eph0 to eph99)";
    volume_set_lv_name(&expected);
    if (!streq(v->lv, expected.lv))
        return "name (it does not follow from instance and role)";
    if (!IS_TEXT(v->name) || !volume_instance_name_valid(v->name))
        return "name of the instance";
    if ((unsigned)v->state >= ARRAY_SIZE(state_names))
        return "state";
    if (volume_is_snapshot(v) && v->state == VOLUME_READY)
        return "state (a snapshot is never ready)";
    if (volume_is_bench(v) && v->state != VOLUME_BUILDING && v->state != VOLUME_DOOMED)
        return "state (a scratch volume is building or doomed)";
    if (v->fs[0] && !file_system_find(v->fs))
        return "file system";
    if (v->alias[0] && (!IS_TEXT(v->alias) || !volume_alias_valid(v->alias)))
        return "alias";
    return v->size_bytes && v->size_bytes <= SIZE_BYTES_MAX ? NULL : "size";
}

bool volume_group_valid(const char *vg)
{
    if (!volume_group_is_folder(vg))
        return config_vg_name_valid(vg);
    const char *id = vg + strlen(VOLUME_FOLDER_PREFIX);
    return strspn(id, "0123456789abcdef") == VOLUME_FOLDER_ID_DIGITS && !id[VOLUME_FOLDER_ID_DIGITS];
}

int volume_check(const struct volume *v, struct error *e)
{
    if (!IS_TEXT(v->vg) || !volume_group_valid(v->vg) || !IS_TEXT(v->lv) || !str_made_of(v->lv, VG_OTHERS))
        return error_set(e, -EINVAL, "volume: its names are not of the form that LVM and Mayfly have");
    const char *wrong = wrong_identity(v);
    if (!wrong && !IS_TEXT(v->cipher))
        wrong = "cipher";
    if (!wrong)
        wrong = wrong_encryption(v);
    if (wrong)
        return error_set(e, -EINVAL, "volume %s/%s: its tags are damaged: wrong %s; see mayfly-tags(7)",
                         v->vg, v->lv, wrong);
    int r = volume_encrypted(v) ? cipher_check(v->cipher, v->key_bits, e) : 0;
    if (r < 0)
        error_prefix(e, "volume %s/%s: ", v->vg, v->lv);
    return r;
}

bool volume_instance_name_valid(const char *name)
{
    return *name && strlen(name) < INSTANCE_NAME_MAX && str_made_of(name, TAG_OTHERS);
}

bool volume_alias_valid(const char *alias)
{
    return *alias && strlen(alias) < ALIAS_MAX && str_made_of(alias, TAG_OTHERS) && !volume_role_valid(alias);
}

bool volume_lv_name_valid(const char *lv)
{
    char instance[UUID_TEXT] = "";
    if (strlen(lv) < UUID_TEXT - 1 || strlen(lv) >= LV_NAME_MAX)
        return false;
    memcpy(instance, lv, UUID_TEXT - 1);
    const char *rest = lv + UUID_TEXT - 1;
    if (!uuid_valid(instance) || !str_starts(rest, VOLUME_INFIX))
        return false;
    rest += strlen(VOLUME_INFIX);
    return !*rest || (*rest == '.' && rest[1] && rest[1 + strspn(rest + 1, ROLE_CHARACTERS)] == '\0');
}

static int role_rank(const char *role)
{
    static const char *const last[] = {"swap", ROLE_SEED, ROLE_SNAPSHOT, ROLE_BENCH, ROLE_RESCUE};
    for (int i = 0; i < (int)ARRAY_SIZE(last); i++)
        if (streq(role, last[i]))
            return 3 + i;
    return streq(role, "root") ? 0 : streq(role, "local") ? 1 : 2;
}

int volume_order(const void *a, const void *b)
{
    const struct volume *v = a, *w = b;
    int r = strcmp(v->instance, w->instance);
    if (r == 0)
        r = role_rank(v->role) - role_rank(w->role);
    if (r == 0)
        r = (int)strlen(v->role) - (int)strlen(w->role);
    return r ? r : strcmp(v->role, w->role);
}

void volume_set_lv_name(struct volume *v)
{
    bool root = streq(v->role, "root");
    snprintf(v->lv, sizeof v->lv, "%.36s" VOLUME_INFIX "%s%.7s", v->instance, root ? "" : ".",
             root ? "" : v->role);
}

void volume_map_name(const struct volume *v, char field[MAP_NAME_MAX])
{
    snprintf(field, MAP_NAME_MAX, "%.63s" MAP_NAME_SUFFIX, v->lv);
}

void volume_sockets_of_user(char path[SOCKETS_PATH_MAX])
{
    char folder[RUNTIME_FOLDER_MAX];
    user_runtime_folder(folder);
    snprintf(path, SOCKETS_PATH_MAX, "%s/mayfly", folder);
}

void volume_device_path(const struct volume *v, char field[DEVICE_PATH_MAX])
{
    char sockets[SOCKETS_PATH_MAX] = SOCKETS_OF_HOST;
    if (volume_in_folder(v))
        volume_sockets_of_user(sockets);
    if (volume_served(v))
        snprintf(field, DEVICE_PATH_MAX, "%s/%.63s", sockets, v->lv);
    else if (volume_encrypted(v))
        snprintf(field, DEVICE_PATH_MAX, "/dev/mapper/%.63s" MAP_NAME_SUFFIX, v->lv);
    else
        snprintf(field, DEVICE_PATH_MAX, "/dev/%.63s/%.63s", v->vg, v->lv);
}

/* Returns the number of the name, or -EINVAL. */
static int find_name(const char *const names[], size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (streq(names[i], text))
            return (int)i;
    return -EINVAL;
}

const char *volume_state_name(enum volume_state state)
{
    return state_names[state];
}

int volume_state_parse(const char *text, enum volume_state *ret)
{
    int i = find_name(state_names, ARRAY_SIZE(state_names), text);
    if (i >= 0)
        *ret = (enum volume_state)i;
    return i < 0 ? i : 0;
}

const char *volume_engine_name(enum volume_engine engine)
{
    return engine_names[engine];
}

int volume_engine_parse(const char *text, enum volume_engine *ret)
{
    int i = find_name(engine_names, ARRAY_SIZE(engine_names), text);
    if (i >= 0)
        *ret = (enum volume_engine)i;
    return i < 0 ? i : 0;
}

static const char *const scope_names[] = {"instance", "batch", "image", "caller"};

const char *key_scope_name(enum key_scope scope)
{
    return scope_names[scope];
}

int key_scope_parse(const char *text, enum key_scope *ret)
{
    int i = find_name(scope_names, ARRAY_SIZE(scope_names), text);
    if (i >= 0)
        *ret = (enum key_scope)i;
    return i < 0 ? i : 0;
}
