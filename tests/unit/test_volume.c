/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/map.h"
#include "unit.h"
#include "volume-sample.h"

#define BELIEVED(v)     assert_ok(volume_check(&(v), &(struct error){0}), (struct error){0})
#define NOT_BELIEVED(v) assert_int_equal(volume_check(&(v), NULL), -EINVAL)

static void samples_are_believed(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct volume v = sample_volume(), plain = sample_plain_volume();
    assert_ok(volume_check(&v, &e), e);
    assert_ok(volume_check(&plain, &e), e);
}

/* Each spoils one field of a good volume. */
static void one_wrong_field_is_enough(void **state)
{
    (void)state;
#define SPOIL(assignment)                                                                                    \
    do {                                                                                                     \
        struct volume v = sample_volume();                                                                   \
        assignment;                                                                                          \
        NOT_BELIEVED(v);                                                                                     \
    } while (0)
    SPOIL(v.vg[0] = '\0');
    SPOIL(strcpy(v.vg, "-vg"));
    SPOIL(strcpy(v.vg, ".."));
    SPOIL(strcpy(v.vg, "a/b"));
    SPOIL(strcpy(v.vg, "a b"));
    SPOIL(memset(v.vg, 'a', sizeof v.vg));
    SPOIL(memset(v.lv, 'a', sizeof v.lv));
    SPOIL(memset(v.name, 'a', sizeof v.name));
    SPOIL(memset(v.key, 'a', sizeof v.key));
    SPOIL(memset(v.cipher, 'a', sizeof v.cipher));
    SPOIL(memset(v.check, 'a', sizeof v.check));
    SPOIL(memset(v.role, '1', sizeof v.role));
    SPOIL(memset(v.disk, '1', sizeof v.disk));
    SPOIL(v.size_bytes = 0);
    SPOIL(strcpy(v.fs, "btrfs"));
    SPOIL(strcpy(v.alias, "eph1")); /* the role of another disk */
    SPOIL(strcpy(v.alias, "a b"));
    SPOIL(memset(v.alias, 'x', sizeof v.alias));
    SPOIL(memset(v.fs, 'x', sizeof v.fs));
    SPOIL(v.instance[0] = '2');
    SPOIL(v.disk[0] = 'G');
    SPOIL(v.name[0] = ' ');
    SPOIL(v.name[0] = ',');
    SPOIL(v.name[0] = '\0');
    SPOIL(strcpy(v.role, "root"));
    SPOIL(strcpy(v.lv, "11111111-1111-4111-8111-111111111111_disk"));
    SPOIL(v.state = (enum volume_state)5);
    SPOIL(v.state = (enum volume_state) - 1);
    SPOIL(v.scope = (enum key_scope)2);
    SPOIL((strcpy(v.role, ROLE_BENCH), volume_set_lv_name(&v), v.state = VOLUME_READY));
    SPOIL(v.engine = (enum volume_engine)2);
    SPOIL((v.engine = ENGINE_USER, strcpy(v.cipher, "serpent-xts-plain64")));
    SPOIL(strcpy(v.cipher, "aes-ecb"));
    SPOIL(strcpy(v.cipher, "none"));
    SPOIL(v.key_bits = 511);
    SPOIL(v.key_bits = 0);
    SPOIL(v.sector_bytes = 0);
    SPOIL(v.sector_bytes = 1024);
    SPOIL(strcpy(v.key, "local"));
    SPOIL(strcpy(v.key, "local:"));
    SPOIL(strcpy(v.key, ":abc"));
    SPOIL(strcpy(v.key, "local:a b"));
    SPOIL(strcpy(v.kdf, "hkdf-sha256"));
    SPOIL(v.check[31] = '\0');
    SPOIL(v.check[0] = 'A');
    SPOIL(strcpy(v.check, "3:00112233445566778899aabbccddeeff"));
    SPOIL(strcpy(v.check, "2:00112233445566778899aabbccddeef"));
    SPOIL(strcpy(v.check, "2:"));
    SPOIL(strcpy(v.check, "00112233445566778899aabbccddeeff0"));
    struct volume v = sample_volume();
    strcpy(v.check, "2:00112233445566778899aabbccddeeff");
    assert_int_equal(volume_check(&v, NULL), 0);
    v.engine = ENGINE_USER;
    assert_int_equal(volume_check(&v, NULL), 0);
}

static void a_wrong_cipher_is_told_with_its_volume(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    v.key_bits = 511;
    REFUSED_WITH(-EINVAL, "volume vg0/", volume_check(&v, &e));
}

static void roles_are_few(void **state)
{
    (void)state;
    static const char *const good[] = {"root", "swap", "rescue", "local", "eph0", "eph9", "eph10", "eph99"};
    static const char *const bad[] = {"", "eph", "eph00", "eph100", "eph1x", "rootx", "../x"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct volume v = sample_volume();
        strcpy(v.role, good[i]);
        volume_set_lv_name(&v);
        BELIEVED(v);
    }
    struct volume scratch = sample_volume(); /* which never is a disk */
    scratch.state = VOLUME_BUILDING;
    strcpy(scratch.role, ROLE_BENCH);
    volume_set_lv_name(&scratch);
    BELIEVED(scratch);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct volume v = sample_volume();
        strcpy(v.role, bad[i]);
        volume_set_lv_name(&v);
        NOT_BELIEVED(v);
    }
}

static void a_plain_volume_has_no_key(void **state)
{
    (void)state;
    struct volume v = sample_plain_volume();
    strcpy(v.key, "local:abc");
    NOT_BELIEVED(v);
    v = sample_plain_volume();
    v.key_bits = 512;
    NOT_BELIEVED(v);
    v = sample_plain_volume();
    v.engine = ENGINE_USER;
    NOT_BELIEVED(v);
    v = sample_plain_volume();
    v.cipher[0] = '\0';
    NOT_BELIEVED(v);
}

static void novas_volumes_have_its_sectors(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    assert_false(volume_novas(&v));
    strcpy(v.kdf, KDF_NOVA_RIPEMD160);
    assert_true(volume_novas(&v));
    NOT_BELIEVED(v); /* 4096 */
    v.sector_bytes = 512;
    BELIEVED(v);
    strcpy(v.kdf, KDF_NOVA_SHA256);
    v.state = VOLUME_ADOPTING;
    BELIEVED(v);
    strcpy(v.kdf, "nova-md5");
    NOT_BELIEVED(v);
}

static void names_follow(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    char map[MAP_NAME_MAX], path[DEVICE_PATH_MAX];
    volume_map_name(&v, map);
    assert_string_equal(map, "11111111-1111-4111-8111-111111111111_disk.eph0-dmcrypt");
    volume_device_path(&v, path);
    assert_string_equal(path, "/dev/mapper/11111111-1111-4111-8111-111111111111_disk.eph0-dmcrypt");
    v = sample_plain_volume();
    strcpy(v.role, "root");
    volume_set_lv_name(&v);
    volume_device_path(&v, path);
    assert_string_equal(path, "/dev/vg0/11111111-1111-4111-8111-111111111111_disk");
    v = sample_volume();
    strcpy(v.vg, "dir:0123456789ab");
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/me", 1), 0);
    volume_device_path(&v, path);
    assert_string_equal(path, "/run/me/mayfly/11111111-1111-4111-8111-111111111111_disk.eph0");
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    volume_device_path(&v, path);
    assert_true(str_starts(path, "/run/user/"));
    BELIEVED(v);
    static const char *const bad[] = {"dir:", "dir:0123456789a", "dir:0123456789abc", "dir:0123456789aG"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        strcpy(v.vg, bad[i]);
        NOT_BELIEVED(v);
    }
}

static void states_have_names(void **state)
{
    (void)state;
    enum volume_state s = VOLUME_BUILDING;
    assert_int_equal(volume_state_parse("doomed", &s), 0);
    assert_int_equal(s, VOLUME_DOOMED);
    assert_string_equal(volume_state_name(s), "doomed");
    assert_int_equal(volume_state_parse("", &s), -EINVAL);
    assert_int_equal(volume_state_parse("readyx", &s), -EINVAL);
}

/* The uuid of a map: of which disk it is, for what it was opened, and when. */
static void maps_say_what_they_are_for(void **state)
{
    (void)state;
    static const char disk[] = "11111111-1111-4111-8111-111111111111";
    static const char *const no_uuids[] = {
        "",
        "MAYFLY-",
        "MAYFLY-11111111-1111-4111-8111-11111111111",
        "MAYFLY-11111111-1111-4111-8111-111111111112",
        "MAYFLY-11111111-1111-4111-8111-111111111111-",
        "MAYFLY-11111111-1111-4111-8111-111111111111-open",
        "MAYFLY-11111111-1111-4111-8111-111111111111-start-",
        "MAYFLY-11111111-1111-4111-8111-111111111111-start-0000000",
        "MAYFLY-11111111-1111-4111-8111-111111111111-start-000000000",
        "MAYFLY-11111111-1111-4111-8111-111111111111-start-0000000g",
        "MAYFLY-11111111-1111-4111-8111-111111111111-start-+0000001",
        "LVM-1111-11111111-1111-4111-8111-111111111111",
    };
    for (size_t i = 0; i < ARRAY_SIZE(no_uuids); i++)
        assert_false(map_uuid_is_of(no_uuids[i], disk));
    for (enum map_use use = MAP_FOR_DOMAIN; use <= MAP_READ_ONLY; use++) {
        struct map m = {.read_only = use == MAP_READ_ONLY};
        map_uuid_make(disk, use, m.uuid);
        assert_true(map_uuid_is_of(m.uuid, disk));
        assert_int_equal(map_uuid_use(m.uuid), use == MAP_READ_ONLY ? MAP_TO_STAY : use);
        assert_int_equal(map_use(&m), use);
        assert_int_equal(map_stays(&m), use != MAP_FOR_DOMAIN);
        assert_int_equal(map_awaits_start(&m, START_WITHIN_SEC), use == MAP_FOR_START);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_believed),
        cmocka_unit_test(one_wrong_field_is_enough),
        cmocka_unit_test(a_wrong_cipher_is_told_with_its_volume),
        cmocka_unit_test(roles_are_few),
        cmocka_unit_test(a_plain_volume_has_no_key),
        cmocka_unit_test(novas_volumes_have_its_sectors),
        cmocka_unit_test(names_follow),
        cmocka_unit_test(states_have_names),
        cmocka_unit_test(maps_say_what_they_are_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
