/* SPDX-License-Identifier: Apache-2.0 */
/* The key managers of this process: the suite of all durable ones, then what is special to each. */
#include "base/fd.h"
#include "base/str.h"
#include "child.h"
#include "keymgr-suite.h"
#include "keys/agent-connect.h"
#include "keys/local-file.h"
#include "keys/local-folder.h"

#include "folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/wait.h>

#define SEALING  "keys/seal.key"
#define IDENTITY "keys/identity"

/* The name of a key's file. */
static const char *own(const char *id)
{
    const char *slash = strchr(id, '/');
    return slash ? slash + 1 : id;
}

/* A manager that keeps what it has below the test's folder. */
static struct keymgr *a_manager(void **state, const char *name, const char *sealing_key_file)
{
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    struct config c;
    config_defaults(&c);
    assert_int_equal(str_copy(c.local_directory, sizeof c.local_directory, folder_path(state, "keys")), 0);
    assert_int_equal(str_copy(c.local_sealing_key_file, sizeof c.local_sealing_key_file, sealing_key_file),
                     0);
    assert_ok(keymgr_open(&c, &KEY_CONTEXT_NONE, name, &km, &e), e);
    assert_string_equal(km->ops->name, name);
    return km;
}

static struct keymgr *a_local(void **state)
{
    return a_manager(state, "local", "");
}

/* As the next run has it. */
static struct keymgr *again(void **state, struct keymgr *km)
{
    keymgr_close(km);
    return a_local(state);
}

struct keymgr *suite_open(void **state)
{
    return a_local(state);
}

/* ---- every manager ---- */

static void managers_are_known_by_name(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    struct config c;
    config_defaults(&c);
    assert_error(keymgr_open(&c, &KEY_CONTEXT_NONE, "loca", &km, &e), -EINVAL, e);
    assert_string_equal(e.text,
                        "key manager loca: there is no such manager; there are local, ephemeral, barbican");
    assert_null(keymgr_close(NULL));
}

/* To look is no reason to make a folder of keys. */
static void a_look_makes_no_folder(void **state)
{
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    assert_int_equal(count_listed(km), 0);
    assert_fetch(km, NO_KEY, -EHOSTUNREACH);
    assert_int_equal(keymgr_may_destroy(km, NO_KEY, NULL), -EHOSTUNREACH);
    assert_int_equal(access(folder_path(state, "keys"), F_OK), -1);
    char id[KEY_ID_MAX];
    make_key(km, id);
    assert_int_equal(access(folder_path(state, "keys"), F_OK), 0);
}

/* In which folder the keys of a user are who is neither root nor the service's. */
static int path_of_nobody(void)
{
    static const struct {
        const char *data, *home, *wanted;
    } cases[] = {
        {"/data", "/home/x", "/data/mayfly/keys"},
        {"data", "/home/x", "/home/x/.local/share/mayfly/keys"},
        {NULL, "/home/x", "/home/x/.local/share/mayfly/keys"},
        {NULL, "home", NULL}, /* that of the database of users */
        {NULL, NULL, NULL},
    };
    const struct passwd *user = getpwnam("nobody");
    if (!user || (geteuid() == 0 && setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0))
        return 100;
    user = getpwuid(geteuid());
    struct config c;
    config_defaults(&c);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *path = NULL, *own = str_format("%s/.local/share/mayfly/keys", user->pw_dir);
        (void)!(cases[i].data ? setenv("XDG_DATA_HOME", cases[i].data, 1) : unsetenv("XDG_DATA_HOME"));
        (void)!(cases[i].home ? setenv("HOME", cases[i].home, 1) : unsetenv("HOME"));
        if (local_folder_path(&c, &path, NULL) < 0 || !streq(path, cases[i].wanted ? cases[i].wanted : own))
            return (int)i + 1;
    }
    _cleanup_free_ char *path = NULL;
    strcpy(c.local_directory, "/elsewhere");
    return local_folder_path(&c, &path, NULL) < 0 || !streq(path, "/elsewhere") ? 101 : 0;
}

static void each_user_has_a_folder(void **state)
{
    (void)state;
    _cleanup_free_ char *path = NULL;
    struct config c;
    config_defaults(&c);
    if (geteuid() == 0) {
        assert_int_equal(local_folder_path(&c, &path, NULL), 0);
        assert_string_equal(path, "/var/lib/mayfly/keys");
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(path_of_nobody());
    assert_int_equal(child_status(pid), 0);
}

static void wishes_are_checked(void **state)
{
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    struct key_info bad[6];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        bad[i] = want;
    strcpy(bad[0].owner, "ci-1");
    strcpy(bad[1].vg, "a\nb");
    bad[2].bits = 0;
    bad[3].bits = 120;
    bad[4].bits = 513;
    bad[5].bits = 1024;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_NONE;
        char id[KEY_ID_MAX];
        struct secret *key = NULL;
        assert_error(keymgr_create(km, &bad[i], id, &key, &e), -EINVAL, e);
    }
    assert_int_equal(access(folder_path(state, "keys"), F_OK), -1);
}

static void references_are_split_at_the_first_colon(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char manager[KEY_ID_MAX], id[KEY_ID_MAX], longer[400];
    assert_ok(key_ref_parse("barbican:One.1/a:b", manager, id, &e), e);
    assert_string_equal(manager, "barbican");
    assert_string_equal(id, "One.1/a:b");

    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    longer[5] = ':';
    const char *bad[] = {"", ":", "local", "local:", ":id", "local:a b", "local:a\nb", "local:a,b", longer};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(key_ref_parse(bad[i], manager, id, NULL), -EINVAL);
}

/* ---- a manager that gives odd ids ---- */

#define ODD_KEYS 3

static const char *const odd_ids[ODD_KEYS] = {"1", "a/b", "3"};
static size_t n_odd;
static char odd_destroyed[200];

static int place_somewhere(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    (void)km, (void)make, (void)e;
    strcpy(ret, "place.1");
    return 0;
}

static int create_oddly(struct keymgr *km, const struct key_info *info, char ret_id[KEY_ID_MAX],
                        struct secret **ret, struct error *e)
{
    (void)km;
    strcpy(ret_id, odd_ids[n_odd++]);
    return secret_random(info->bits / 8, ret, e);
}

static int destroy_oddly(struct keymgr *km, const char *id, struct error *e)
{
    (void)km, (void)e;
    size_t used = strlen(odd_destroyed);
    snprintf(odd_destroyed + used, sizeof odd_destroyed - used, "%s ", id);
    return 0;
}

static const struct keymgr_ops odd_manager = {
    .name = "local", .place = place_somewhere, .create = create_oddly, .destroy = destroy_oddly};

/* What it has made goes again, by the names that it has itself: "b" may be the key of another. */
static void keys_with_odd_ids_are_destroyed_again(void **state)
{
    (void)state;
    struct keymgr km = {.ops = &odd_manager};
    struct key_info wants[ODD_KEYS] = {want, want, want};
    struct key_made made[ODD_KEYS];
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX], long_id[KEY_ID_MAX + 1];
    bool changed = true;
    assert_error(keymgr_create_many(&km, wants, ODD_KEYS, made, &e), -EPROTO, e);
    assert_non_null(strstr(e.text, "\"a/b\" is not the id of a key"));
    assert_string_equal(odd_destroyed, "1 a/b 3 ");
    for (size_t i = 0; i < ODD_KEYS; i++)
        assert_null(made[i].secret);

    memset(long_id, 'x', sizeof long_id);
    long_id[KEY_ID_MAX] = '\0';
    assert_int_equal(keymgr_new_id(&km, false, long_id, id, NULL), -EINVAL);
    assert_int_equal(keymgr_grant(&km, "place.1/1", NULL, true, &changed, NULL), -EOPNOTSUPP);
}

static int grant_nothing(struct keymgr *km, const char *id, const char *user, bool allowed, bool *ret_changed,
                         struct error *e)
{
    (void)km, (void)user, (void)allowed, (void)ret_changed;
    return error_set(e, streq(id, "1") ? -ENOKEY : -EACCES, "key %s: not granted", id);
}

/* Of one that is not there it is known only in its own place. */
static void what_cannot_be_granted_is_told(void **state)
{
    (void)state;
    static const struct keymgr_ops ops = {.name = "local", .place = place_somewhere, .grant = grant_nothing};
    struct keymgr km = {.ops = &ops};
    static const struct {
        const char *id;
        int wanted;
    } cases[] = {
        {"place.1/1", -ENOKEY}, {"place.2/1", -EHOSTUNREACH}, {"place.1/2", -EACCES}, {"/", -EINVAL}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_NONE;
        bool changed = false;
        assert_error(keymgr_grant(&km, cases[i].id, NULL, true, &changed, &e), cases[i].wanted, e);
        assert_true(e.text[0]);
    }
}

/* ---- a manager that is away ---- */

#define MANY_KEYS 64

static unsigned n_asked; /* how often it was asked for its place */

static int place_away(struct keymgr *km, bool make, char ret[KEY_PLACE_MAX], struct error *e)
{
    (void)km, (void)make, (void)ret;
    n_asked++;
    return error_set(e, -EHOSTUNREACH, "key manager local: is away");
}

static int fetch_nothing(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    (void)km, (void)id, (void)ret;
    return error_set(e, -ENOKEY, "there is none");
}

/* Each question takes its time limit. */
static void place_that_is_away_is_asked_once_for_all_keys(void **state)
{
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    const struct {
        int (*many)(struct keymgr *km, struct key_asked k[], size_t n, struct error *e);
        int r;
    } operations[] = {{keymgr_may_destroy_many, -EAGAIN},
                      {keymgr_destroy_many, -EHOSTUNREACH},
                      {keymgr_fetch_many, -EHOSTUNREACH}};
    struct keymgr_ops away = *km->ops;
    const struct keymgr_ops *own_ops = km->ops;
    away.place = place_away;
    away.fetch = fetch_nothing;
    away.fetch_many = NULL;
    km->ops = &away;
    for (size_t o = 0; o < ARRAY_SIZE(operations); o++) {
        struct key_asked k[MANY_KEYS];
        struct error e = ERROR_NONE;
        n_asked = 0;
        for (size_t i = 0; i < MANY_KEYS; i++)
            k[i] = (struct key_asked){.id = "one.place/" NO_KEY};
        assert_error(operations[o].many(km, k, MANY_KEYS, &e), operations[o].r, e);
        assert_int_equal(n_asked, 1);
        for (size_t i = 0; i < MANY_KEYS; i++) {
            assert_error(k[i].error.errnum, operations[o].r, k[i].error);
            assert_non_null(strstr(k[i].error.text, "is away"));
        }
    }
    km->ops = own_ops;
}

static void ids_are_split_at_the_first_slash(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    char place[KEY_PLACE_MAX], longer[400];
    const char *own = NULL;
    assert_ok(key_id_split("998.0/5c0e", place, &own, &e), e);
    assert_string_equal(place, "998.0");
    assert_string_equal(own, "5c0e");
    assert_ok(key_id_split("5c0e", place, &own, &e), e);
    assert_string_equal(place, "");
    assert_string_equal(own, "5c0e");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    longer[KEY_PLACE_MAX] = '/';
    const char *bad[] = {"/", "/5c0e", "998.0/", longer};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(key_id_split(bad[i], place, &own, NULL), -EINVAL);
}

/* Whether a key is used is not to depend on how it is written. */
static void references_of_one_key_are_the_same(void **state)
{
    (void)state;
    assert_true(key_ref_same("local:a/1", "local:1"));
    assert_true(key_ref_same("local:1", "local:a/1"));
    assert_true(key_ref_same("local:a/1", "local:b/1"));
    assert_false(key_ref_same("local:a/1", "local:a/2"));
    assert_false(key_ref_same("local:1", "local:11"));
    assert_false(key_ref_same("local:1", "loca:1"));
    assert_false(key_ref_same("local:1", "local2:1"));
    assert_false(key_ref_same("", "local:1"));
    assert_true(key_ref_same("", ""));
    assert_true(key_ref_order("local:z/1", "local:a/2") < 0);
    assert_true(key_ref_order("local:a/2", "local:1") > 0);
}

static void ephemeral_keeps_nothing(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_manager(state, "ephemeral", "");
    assert_false(km->durable);
    _cleanup_secret_ struct secret *a = a_key(km, &want, id), *b = a_key(km, &want, id), *none = NULL;
    assert_string_equal(id, OWNER);
    assert_false(secret_equal(a, b));
    assert_error(keymgr_fetch(km, id, &none, &e), -ENOKEY, e);
    assert_string_equal(e.text,
                        "key ephemeral:" OWNER ": is gone for good: it was in the kernel alone and went when "
                        "its disks were closed; run mayfly delete, and launch a new instance");
    e = ERROR_NONE;
    assert_ok(keymgr_destroy(km, id, &e), e);
    assert_int_equal(count_listed(km), 0);
}

/* ---- local ---- */

static void local_paths_are_ours_alone(void **state)
{
    char id[KEY_ID_MAX];
    struct stat st;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    assert_int_equal(stat(folder_path(state, "keys"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(folder_path(state, SEALING), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 32);
    char name[300];
    snprintf(name, sizeof name, "keys/%s", own(id));
    assert_int_equal(stat(folder_path(state, name), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void assert_finding(const struct key_finding *f, const char *what, int result, const char *said)
{
    assert_string_equal(f->what, what);
    assert_int_equal(f->result, result);
    if (!strstr(f->text, said))
        fail_msg("%s: '%s' is not in '%s'", what, said, f->text);
}

/* What mayfly doctor shows: folder, sealing key and identity, as far as they can be looked at. */
static void local_says_what_is_there(void **state)
{
    struct error e = ERROR_NONE;
    struct key_finding f[KEY_FINDINGS_MAX];
    char id[KEY_ID_MAX];
    size_t n = 0;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_int_equal(n, 1);
    assert_finding(&f[0], "folder", 0, "keys is not there yet; the first key makes it");

    make_key(km, id);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_int_equal(n, 3);
    assert_finding(&f[0], "folder", 0, "keys is there, and ours alone");
    assert_finding(&f[1], "sealing key", 0, "seal.key is there, and ours alone");
    assert_finding(&f[2], "identity", 0, "is there, and ours alone");
    assert_true(strncmp(f[2].text, id, (size_t)(own(id) - id) - 1) == 0); /* the place of the key */

    assert_int_equal(chmod(folder_path(state, IDENTITY), 0600), 0);
    folder_write(state, IDENTITY, "nonsense\n");
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_int_equal(n, 3);
    assert_finding(&f[2], "identity", -EKEYREJECTED, "is damaged");
    assert_int_equal(unlink(folder_path(state, IDENTITY)), 0);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_finding(&f[2], "identity", 0, "is not there yet");

    assert_int_equal(chmod(folder_path(state, SEALING), 0644), 0);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_int_equal(n, 2);
    assert_finding(&f[1], "sealing key", -EACCES, "seal.key");
    assert_int_equal(chmod(folder_path(state, "keys"), 0755), 0);
    assert_ok(keymgr_diagnose(km, f, &n, &e), e);
    assert_int_equal(n, 1);
    assert_finding(&f[0], "folder", -EACCES, "chmod 700");
}

static void assert_folder(const char *wanted)
{
    struct error e = ERROR_NONE;
    _cleanup_free_ char *path = NULL;
    struct config c;
    config_defaults(&c);
    assert_ok(local_folder_path(&c, &path, &e), e);
    assert_string_equal(path, wanted);
}

/* In a child, as a user who has no entry of his own in passwd. */
static void local_folder_lies_where_the_user_keeps_data(void **state)
{
    (void)state;
    if (geteuid() == 0)
        assert_folder("/var/lib/mayfly/keys");
    pid_t pid = fork();
    if (pid == 0) {
        struct error e = ERROR_NONE;
        char *none = NULL;
        struct config c;
        config_defaults(&c);
        if (geteuid() == 0 && setresuid(54321, 54321, 54321) < 0)
            _exit(77);
        setenv("HOME", "/home/a", 1);
        setenv("XDG_DATA_HOME", "/data/a", 1);
        assert_folder("/data/a/mayfly/keys");
        setenv("XDG_DATA_HOME", "data", 1); /* the standard wants it absolute, and such ones passed over */
        assert_folder("/home/a/.local/share/mayfly/keys");
        unsetenv("XDG_DATA_HOME");
        assert_folder("/home/a/.local/share/mayfly/keys");
        setenv("HOME", "a", 1);
        if (!getpwuid(geteuid())) {
            assert_error(local_folder_path(&c, &none, &e), -ENOENT, e);
            assert_non_null(strstr(e.text, "set [local] directory"));
        }
        assert_int_equal(str_copy(c.local_directory, sizeof c.local_directory, "/srv/keys"), 0);
        assert_ok(local_folder_path(&c, &none, &e), e);
        _exit(streq(none, "/srv/keys") ? 0 : 1);
    }
    assert_int_equal(child_status(pid), 0);
}

/* Reads the file of a key, or what is left of it. */
static size_t read_key_file(int fd, uint8_t file[LOCAL_FILE_MAX])
{
    ssize_t n = pread(fd, file, LOCAL_FILE_MAX, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static int open_key_file(void **state, const char *id)
{
    char name[300];
    snprintf(name, sizeof name, "keys/%s", own(id));
    int fd = open(folder_path(state, name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void local_keeps_what_was_made_elsewhere(void **state)
{
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = NULL;
    struct key_info info = want;
    uuid_make(info.id);
    assert_ok(secret_random(64, &key, &e), e);
    assert_ok(keymgr_import(km, &info, key, &e), e);
    assert_key_is(km, info.id, key);
    assert_int_equal(count_listed(km), 1);
    info.bits = 256;
    assert_error(keymgr_import(km, &info, key, &e), -EINVAL, e);
    info = want;
    strcpy(info.id, "../x");
    e = ERROR_NONE;
    assert_error(keymgr_import(km, &info, key, &e), -EINVAL, e);

    _cleanup_keymgr_ struct keymgr *other = a_manager(state, "ephemeral", "");
    e = ERROR_NONE;
    assert_error(keymgr_import(other, &want, key, &e), -EOPNOTSUPP, e);
}

static void local_key_is_sealed(void **state)
{
    char id[KEY_ID_MAX];
    uint8_t file[LOCAL_FILE_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_close_ int fd = open_key_file(state, id);
    size_t n = read_key_file(fd, file);
    assert_memory_equal(file, "mayfly-key 2\nid=", 16);
    for (size_t at = 0; at < secret_size(key); at += 8)
        assert_null(memmem(file, n, secret_peek(key) + at, 8));
}

/* Each byte of the file in turn: header, nonce, sealed key and tag. */
static void local_tampering_is_noticed(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX], wanted[600];
    uint8_t file[LOCAL_FILE_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_close_ int fd = open_key_file(state, id);
    size_t n = read_key_file(fd, file);
    for (size_t i = 0; i < n; i++) {
        uint8_t changed = file[i] ^ 1;
        assert_int_equal(pwrite(fd, &changed, 1, (off_t)i), 1);
        assert_fetch(km, id, -EKEYREJECTED);
        assert_int_equal(pwrite(fd, &file[i], 1, (off_t)i), 1);
    }
    assert_key_is(km, id, key);

    /* a header of the right form, with another owner: what recover would act upon */
    size_t at = (size_t)((uint8_t *)memmem(file, n, "owner=", 6) - file) + 6;
    assert_int_equal(pwrite(fd, "0", 1, (off_t)at), 1);
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_ok(keymgr_list(km, &l, &e), e);
    assert_int_equal(l.incomplete.errnum, -EKEYREJECTED);
    assert_int_equal(l.n, 1);
    assert_true(l.keys[0].damaged);
    assert_string_equal(l.keys[0].id, id);
    assert_string_equal(l.keys[0].owner, "");
    snprintf(
        wanted, sizeof wanted,
        "key local:%s: its file in %s is damaged, or was sealed by another sealing key; restore it, or the "
        "sealing key",
        own(id), folder_path(state, "keys"));
    assert_string_equal(l.incomplete.text, wanted);
}

static void local_files_of_other_sizes_are_refused(void **state)
{
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    _cleanup_close_ int fd = open_key_file(state, id);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t size = 0; size < st.st_size + 3; size++) {
        if (size == st.st_size)
            continue;
        char name[300], copy[KEY_ID_MAX];
        uint8_t file[LOCAL_FILE_MAX] = {0};
        read_key_file(fd, file);
        uuid_make(copy);
        snprintf(name, sizeof name, "keys/%s", copy);
        int other = open(folder_path(state, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(other, file, (size_t)size), size);
        close(other);
        assert_fetch(km, copy, -EKEYREJECTED);
    }
    assert_int_equal(ftruncate(fd, 100000), 0);
    assert_fetch(km, id, -EKEYREJECTED);
}

/* Neither read nor overwritten: it would be the file of somebody else. */
static void local_key_that_is_a_link_is_left_alone(void **state)
{
    char id[KEY_ID_MAX], path[512], elsewhere[512], text[16] = "";
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    snprintf(path, sizeof path, "%s/%s", folder_path(state, "keys"), own(id));
    strcpy(elsewhere, folder_path(state, "elsewhere"));
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_fetch(km, id, -ELOOP);

    folder_write(state, "elsewhere", "of somebody else");
    assert_int_not_equal(keymgr_destroy(km, id, NULL), 0);
    _cleanup_close_ int fd = open(elsewhere, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text), sizeof text);
    assert_memory_equal(text, "of somebody else", sizeof text);
}

/* Two folders of one user. */
static void local_identities_differ(void **state)
{
    char id[KEY_ID_MAX], other[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    assert_int_equal(rename(folder_path(state, "keys"), folder_path(state, "away")), 0);
    km = again(state, km);
    make_key(km, other);
    assert_int_not_equal(strncmp(id, other, strcspn(id, "/")), 0);

    /* nor do their sealing keys, which are random */
    char one[32], two[32];
    _cleanup_close_ int fd = open(folder_path(state, SEALING), O_RDONLY | O_CLOEXEC),
                        away = open(folder_path(state, "away/seal.key"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, one, sizeof one), sizeof one);
    assert_int_equal(read(away, two, sizeof two), sizeof two);
    assert_memory_not_equal(one, two, sizeof one);
}

static void local_keys_cannot_be_swapped(void **state)
{
    char a[KEY_ID_MAX], b[KEY_ID_MAX];
    uint8_t file[LOCAL_FILE_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key_a = a_key(km, &want, a);
    make_key(km, b);
    _cleanup_close_ int fd_a = open_key_file(state, a), fd_b = open_key_file(state, b);
    size_t n = read_key_file(fd_a, file);
    assert_int_equal(pwrite(fd_b, file, n, 0), n);
    assert_key_is(km, a, key_a);
    assert_fetch(km, b, -EKEYREJECTED);
}

/* Moves what has this name in the test's folder to `away`; `path` is where it was. */
static void take_away(void **state, const char *name, char path[512], char away[512])
{
    strcpy(path, folder_path(state, name));
    strcpy(away, folder_path(state, "away"));
    assert_int_equal(rename(path, away), 0);
}

/* What group or others may do with a file or folder, bit by bit. */
static const mode_t modes_for_others[] = {0040, 0020, 0010, 0004, 0002, 0001};

static void local_sealing_key_is_never_made_anew(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX], other[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_secret_ struct secret *none = NULL;
    char path[512], away[512];
    take_away(state, SEALING, path, away);

    km = again(state, km);
    assert_error(keymgr_create(km, &want, other, &none, &e), -EKEYREJECTED, e);
    assert_string_equal(e.text,
                        "sealing key seal.key: is missing, and 1 keys are sealed by it; restore it, or mount "
                        "the file system that it is on");
    assert_fetch(km, id, -EKEYREJECTED);
    assert_fetch(km, NO_KEY, -EHOSTUNREACH);
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_int_equal(keymgr_list(km, &l, NULL), -EKEYREJECTED);
    assert_int_equal(access(path, F_OK), -1);

    /* the wrong one, one of the wrong size, one that others can read, a link; then the right one */
    folder_write(state, SEALING, "0123456789abcdef0123456789abcdef");
    for (size_t i = 0; i < ARRAY_SIZE(modes_for_others); i++) {
        assert_int_equal(chmod(path, 0600 | modes_for_others[i]), 0);
        km = again(state, km);
        assert_fetch(km, id, -EACCES);
    }
    assert_int_equal(chmod(path, 0600), 0);
    km = again(state, km);
    assert_fetch(km, id, -EKEYREJECTED);
    folder_write(state, SEALING, "short");
    km = again(state, km);
    assert_fetch(km, id, -EKEYREJECTED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(away, path), 0);
    km = again(state, km);
    assert_fetch(km, id, -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(away, path), 0);
    km = again(state, km);
    assert_key_is(km, id, key);
}

static void local_sealing_key_may_lie_elsewhere(void **state)
{
    char id[KEY_ID_MAX], path[512];
    struct error e = ERROR_NONE;
    strcpy(path, folder_path(state, "elsewhere/my.key"));
    _cleanup_keymgr_ struct keymgr *km = a_manager(state, "local", path);
    _cleanup_secret_ struct secret *none = NULL;
    assert_error(keymgr_create(km, &want, id, &none, &e), -ENOENT, e);
    assert_int_equal(mkdir(folder_path(state, "elsewhere"), 0755), 0);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(access(folder_path(state, SEALING), F_OK), -1);
    assert_key_is(km, id, key);
}

/* An empty mount point, or another folder, must not look like keys that were destroyed: whatever is asked. */
static void assert_proves_nothing(struct keymgr *km, const char *id, int wanted)
{
    assert_fetch(km, id, wanted);
    assert_int_equal(keymgr_may_destroy(km, id, NULL), wanted);
    assert_int_equal(keymgr_destroy(km, id, NULL), wanted);
}

static void local_folder_that_is_not_there_proves_nothing(void **state)
{
    char id[KEY_ID_MAX], other[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    char folder[512], away[512];
    take_away(state, "keys", folder, away);
    km = again(state, km);
    assert_proves_nothing(km, id, -EHOSTUNREACH);
    assert_proves_nothing(km, own(id), -EHOSTUNREACH);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_proves_nothing(km, id, -EHOSTUNREACH);
    assert_int_equal(rmdir(folder), 0);
    make_key(km, other); /* another folder has come to be there */
    assert_proves_nothing(km, id, -EHOSTUNREACH);
    assert_proves_nothing(km, own(id), -EHOSTUNREACH);
    assert_int_equal(rename(folder, folder_path(state, "second")), 0);
    assert_int_equal(rename(away, folder), 0);
    km = again(state, km);
    assert_proves_nothing(km, other, -EHOSTUNREACH);
    assert_key_is(km, id, key);
}

/* The sealing key may lie on a file system of its own: that it is there says nothing of the folder. */
static void local_sealing_key_proves_nothing(void **state)
{
    char id[KEY_ID_MAX], path[512];
    strcpy(path, folder_path(state, "my.key"));
    _cleanup_keymgr_ struct keymgr *km = a_manager(state, "local", path);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    char folder[512], away[512];
    take_away(state, "keys", folder, away);
    assert_int_equal(mkdir(folder, 0700), 0);
    km = keymgr_close(km);
    km = a_manager(state, "local", path);
    assert_proves_nothing(km, id, -EHOSTUNREACH);
    assert_proves_nothing(km, own(id), -EHOSTUNREACH);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(rename(away, folder), 0);
    assert_key_is(km, id, key);
}

/* An identity that was lost is not made anew beside keys that had it. */
static void local_identity_is_never_made_anew(void **state)
{
    char id[KEY_ID_MAX], other[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_secret_ struct secret *none = NULL;
    char path[512], away[512];
    take_away(state, IDENTITY, path, away);
    km = again(state, km);
    assert_error(keymgr_create(km, &want, other, &none, &e), -EKEYREJECTED, e);
    assert_non_null(strstr(e.text, "identity"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(keymgr_destroy(km, id, NULL), -EHOSTUNREACH);
    assert_key_is(km, id, key); /* what is found is found */

    static const char *const damaged[] = {"",
                                          "x\n",
                                          "0.0123456789abcde\n",
                                          "0.0123456789abcdef/x\n",
                                          "00.0123456789abcdef\n",
                                          "0.0123456789abcdef\nx\n"};
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        folder_write(state, IDENTITY, damaged[i]);
        km = again(state, km);
        assert_int_equal(keymgr_create(km, &want, other, &none, NULL), -EKEYREJECTED);
        assert_int_equal(keymgr_destroy(km, id, NULL), -EKEYREJECTED);
        assert_key_is(km, id, key);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(away, path), 0);
    assert_key_is(km, id, key);
}

/* Whose a key is can be told where its folder is another user's. */
static void local_key_of_another_user_names_him(void **state)
{
    struct error e = ERROR_NONE;
    char theirs[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *none = NULL;
    snprintf(theirs, sizeof theirs, "%u.0123456789abcdef/" NO_KEY, geteuid() + 1);
    assert_proves_nothing(km, theirs, -EACCES);
    assert_error(keymgr_fetch(km, theirs, &none, &e), -EACCES, e);
    char wanted[32];
    snprintf(wanted, sizeof wanted, "(%u)", geteuid() + 1);
    assert_non_null(strstr(e.text, wanted));
}

/* One that cannot be read as it was written is no other folder's either. */
static void local_identity_that_is_damaged_is_told(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } damaged[] = {
        {"", 0}, {"0.x", 3}, {"0.0123456789abcdef\0", 19}, {"0.0123456789abcdef\n\n", 20}, {NULL, 4096}};
    char id[KEY_ID_MAX], long_text[4096];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    memset(long_text, '1', sizeof long_text);
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        struct error e = ERROR_NONE;
        char place[KEY_PLACE_MAX];
        _cleanup_close_ int fd = open(folder_path(state, IDENTITY), O_WRONLY | O_TRUNC | O_CLOEXEC);
        const char *text = damaged[i].text ? damaged[i].text : long_text;
        assert_int_equal(write(fd, text, damaged[i].size), damaged[i].size);
        km = again(state, km);
        assert_error(keymgr_place(km, false, place, &e), -EKEYREJECTED, e);
        assert_non_null(strstr(e.text, "is damaged"));
    }
}

/* Keys from before folders had an identity: read as they are, and proof of nothing once they are gone. */
static void local_keys_without_identity_are_read(void **state)
{
    struct error e = ERROR_NONE;
    char old[KEY_ID_MAX], id[KEY_ID_MAX], name[300];
    uint8_t file[LOCAL_FILE_MAX];
    size_t size = 0;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, old);
    assert_ok(keymgr_destroy(km, old, &e), e);
    assert_int_equal(unlink(folder_path(state, IDENTITY)), 0);
    _cleanup_close_ int fd = open(folder_path(state, SEALING), O_RDONLY | O_CLOEXEC);
    _cleanup_secret_ struct secret *sealing = NULL, *key = NULL;
    assert_ok(secret_new(LOCAL_SEALING_BYTES, &sealing, &e), e);
    assert_int_equal(read(fd, secret_bytes(sealing), LOCAL_SEALING_BYTES), LOCAL_SEALING_BYTES);
    assert_ok(secret_random(64, &key, &e), e);
    struct key_info info = want;
    strcpy(info.id, NO_KEY);
    assert_ok(local_file_seal(&info, "", key, sealing, file, &size, &e), e);
    assert_memory_equal(file, "mayfly-key 1\nid=", 16);
    snprintf(name, sizeof name, "keys/" NO_KEY);
    int old_fd = open(folder_path(state, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(old_fd, file, size), size);
    close(old_fd);

    km = again(state, km);
    assert_key_is(km, NO_KEY, key);
    assert_int_equal(count_listed(km), 1);
    make_key(km, id); /* and with it an identity */
    assert_non_null(strchr(id, '/'));
    assert_key_is(km, NO_KEY, key);
    assert_int_equal(count_listed(km), 2);
    assert_ok(keymgr_destroy(km, NO_KEY, &e), e);
    assert_proves_nothing(km, NO_KEY, -EHOSTUNREACH);
}

/* One damaged file takes no other with it, and can be removed by its name. */
static void local_damaged_key_blocks_no_other(void **state)
{
    struct error e = ERROR_NONE;
    char good[KEY_ID_MAX], bad[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, good);
    make_key(km, bad);
    _cleanup_close_ int fd = open_key_file(state, bad);
    assert_int_equal(ftruncate(fd, 20), 0);
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    assert_ok(keymgr_list(km, &l, &e), e);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.incomplete.errnum, -EKEYREJECTED);
    for (size_t i = 0; i < l.n; i++)
        assert_int_equal(l.keys[i].damaged, streq(l.keys[i].id, bad));
    assert_ok(keymgr_destroy(km, bad, &e), e);
    assert_int_equal(count_listed(km), 1);
    assert_key_is(km, good, key);
}

static void local_folder_must_be_ours_alone(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX], wanted[600];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = a_key(km, &want, id);
    _cleanup_secret_ struct secret *none = NULL;
    const char *folder = folder_path(state, "keys");
    for (size_t i = 0; i < ARRAY_SIZE(modes_for_others); i++) {
        assert_int_equal(chmod(folder, 0700 | modes_for_others[i]), 0);
        e = ERROR_NONE;
        assert_error(keymgr_fetch(km, id, &none, &e), -EACCES, e);
    }
    snprintf(wanted, sizeof wanted, "key folder %s: is not used: others may look into it; chmod 700 it",
             folder);
    assert_string_equal(e.text, wanted);
    assert_int_equal(keymgr_create(km, &want, id, &none, NULL), -EACCES);
    assert_int_equal(chmod(folder, 0700), 0);
    if (geteuid() != 0)
        return; /* chown */
    e = ERROR_NONE;
    assert_int_equal(chown(folder, 65534, 65534), 0);
    assert_error(keymgr_fetch(km, id, &none, &e), -EACCES, e);
    snprintf(
        wanted, sizeof wanted,
        "key folder %s: is not used: it belongs to user nobody, and this is user root; see [local] directory",
        folder);
    assert_string_equal(e.text, wanted);
    assert_int_equal(chown(folder, 0, 0), 0);
    assert_key_is(km, id, key);
}

/* What was in the file is gone from the disk, not only its name. */
static void local_destroy_overwrites(void **state)
{
    struct error e = ERROR_NONE;
    char id[KEY_ID_MAX];
    uint8_t before[LOCAL_FILE_MAX], after[LOCAL_FILE_MAX];
    struct stat st;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    _cleanup_close_ int fd = open_key_file(state, id);
    size_t n = read_key_file(fd, before);
    assert_ok(keymgr_destroy(km, id, &e), e);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(read_key_file(fd, after), n);
    for (size_t at = 0; at + 8 <= n; at++)
        assert_null(memmem(after, n, before + at, 8));
}

/* A power cut in the midst of destroy: before, and after the bytes were overwritten. */
static void local_interrupted_destroy_is_finished(void **state)
{
    struct error e = ERROR_NONE;
    char a[KEY_ID_MAX], b[KEY_ID_MAX], name[300], doomed[300];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, a);
    make_key(km, b);
    snprintf(name, sizeof name, "keys/%s", own(a));
    snprintf(doomed, sizeof doomed, "keys/%s.doomed", own(a));
    assert_int_equal(rename(folder_path(state, name), folder_path(state, doomed)), 0);
    assert_fetch(km, a, -ENOKEY);
    assert_int_equal(count_listed(km), 1);
    assert_int_equal(access(folder_path(state, doomed), F_OK), -1);

    snprintf(name, sizeof name, "keys/%s", own(b));
    snprintf(doomed, sizeof doomed, "keys/%s.doomed", own(b));
    assert_int_equal(rename(folder_path(state, name), folder_path(state, doomed)), 0);
    folder_write(state, doomed, "noise");
    assert_ok(keymgr_destroy(km, b, &e), e);
    assert_int_equal(access(folder_path(state, doomed), F_OK), -1);
    assert_int_equal(count_listed(km), 0);
}

static void local_passes_over_what_is_not_ours(void **state)
{
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    folder_write(state, "keys/README", "hello");
    folder_write(state, "keys/" NO_KEY ".bak", "hello");
    folder_write(state, "keys/x.doomed", "hello");
    assert_int_equal(count_listed(km), 1);
    assert_int_equal(access(folder_path(state, "keys/x.doomed"), F_OK), 0);
}

/* Nothing but the key files, seal.key and identity is ever in the folder: no rests of temporary files. */
static size_t count_files(void **state)
{
    DIR *dir = opendir(folder_path(state, "keys"));
    size_t n = 0;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(dir);
    return n;
}

/* What another mayfly does when the folder is listed next. */
static void (*meanwhile)(void **state);
static void **meanwhile_state;

typedef int filter_fn(const struct dirent *entry);
typedef int compare_fn(const struct dirent **a, const struct dirent **b);
int __real_scandirat64(int fd, const char *path, struct dirent ***ret, filter_fn *filter,
                       compare_fn *compare);
int __wrap_scandirat64(int fd, const char *path, struct dirent ***ret, filter_fn *filter,
                       compare_fn *compare);
int __wrap_scandirat64(int fd, const char *path, struct dirent ***ret, filter_fn *filter, compare_fn *compare)
{
    void (*now)(void **state) = TAKE_PTR(meanwhile);
    if (now)
        now(meanwhile_state);
    return __real_scandirat64(fd, path, ret, filter, compare);
}

static void make_a_key_by_another(void **state)
{
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
}

/* The first key of another comes when this one has seen that there is no identity yet. */
static void local_a_first_key_beside_another(void **state)
{
    char id[KEY_ID_MAX];
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    meanwhile_state = state;
    meanwhile = make_a_key_by_another;
    make_key(km, id);
    assert_null(meanwhile);
    assert_int_equal(count_listed(km), 2);
    assert_int_equal(count_files(state), 2 + 2);
}

static void a_key_is_gone_only_if_it_is(void **state)
{
    char id[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    make_key(km, id);
    assert_error(keymgr_check_gone(km, id, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_ok(keymgr_destroy(km, id, &e), e);
    assert_ok(keymgr_check_gone(km, id, &e), e);
    assert_error(keymgr_check_gone(km, NO_KEY, &e), -EHOSTUNREACH, e); /* of which place? */
    assert_true(key_ref_looks("local:x") && key_ref_looks("barbican:") && key_ref_looks("ephemeral:x/y"));
    assert_false(key_ref_looks("local") || key_ref_looks("locals:x") || key_ref_looks("loc:x") ||
                 key_ref_looks(""));
}

/* Somebody removes the folder as soon as it was made. The mode is that of the caller, if there is one: what
 * modes files get is tested here too. */
static const char *vanished;

int __real_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode)
{
    return vanished && streq(path, vanished) ? (errno = ENOENT, -1) : __real_open64(path, flags, mode);
}

static void local_says_that_its_folder_went(void **state)
{
    char id[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = NULL;
    vanished = folder_path(state, "keys");
    int r = keymgr_create(km, &want, id, &key, &e);
    vanished = NULL;
    assert_int_equal(r, -ENOENT);
    assert_non_null(strstr(e.text, "disappeared while it was opened"));
    assert_null(key);
}

static bool no_tmpfile;
static const char *locked; /* by fscrypt, as the kernel says it */

int __real_openat64(int fd, const char *path, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *path, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *path, int flags, mode_t mode)
{
    if (locked && str_starts(path, locked))
        return errno = ENOKEY, -1;
    return no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE ? (errno = EOPNOTSUPP, -1)
                                                          : __real_openat64(fd, path, flags, mode);
}

/* The kernel's word for a folder that nobody has unlocked is ours for a key that is gone for good. */
static void local_in_a_locked_folder_is_not_gone(void **state)
{
    char id[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = NULL, *again = NULL;
    assert_ok(keymgr_create(km, &want, id, &key, &e), e);
    locked = strrchr(id, '/') + 1; /* the name of its file */
    int fetched = keymgr_fetch(km, id, &again, &e);
    locked = NULL;
    assert_error(fetched, -EACCES, e);
    e = ERROR_NONE;
    assert_ok(keymgr_fetch(km, id, &again, &e), e);
    locked = strrchr(id, '/') + 1;
    int destroyed = keymgr_destroy(km, id, &e);
    locked = NULL;
    assert_error(destroyed, -EACCES, e);
}

static void local_says_what_its_file_system_lacks(void **state)
{
    char id[KEY_ID_MAX];
    struct error e = ERROR_NONE;
    _cleanup_keymgr_ struct keymgr *km = a_local(state);
    _cleanup_secret_ struct secret *key = NULL;
    no_tmpfile = true;
    int r = keymgr_create(km, &want, id, &key, &e);
    no_tmpfile = false;
    assert_int_equal(r, -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "set [local] directory to one on ext4 or XFS"));
    assert_int_equal(count_files(state), 0);
}

/* 0, or what went wrong, of a user to whom root lends a sealing key by this mode. */
static int use_lent_sealing_key(void **state, const struct passwd *user, mode_t mode, int wanted)
{
    const char *sealing = folder_path(state, "lent");
    char id[KEY_ID_MAX];
    struct secret *key = NULL;
    if (chmod(sealing, mode) < 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return 1;
    struct keymgr *km = a_manager(state, "local", sealing);
    return keymgr_create(km, &want, id, &key, NULL) == wanted ? 0 : 2;
}

static void local_sealing_key_may_be_lent_by_root(void **state)
{
    static const struct {
        mode_t mode;
        int wanted;
    } cases[] = {{0440, 0}, {0640, 0}, {0444, -EACCES}, {0460, -EACCES}};
    const struct passwd *user = getpwnam("nobody");
    char text[LOCAL_SEALING_BYTES + 1] = "";
    if (geteuid() != 0 || !user)
        skip();
    memset(text, 's', LOCAL_SEALING_BYTES);
    folder_write(state, "lent", text);
    assert_int_equal(chown(folder_path(state, "lent"), 0, user->pw_gid), 0);
    assert_int_equal(chmod(*state, 0711), 0);
    assert_int_equal(mkdir(folder_path(state, "keys"), 0700), 0);
    assert_int_equal(chown(folder_path(state, "keys"), user->pw_uid, user->pw_gid), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(use_lent_sealing_key(state, user, cases[i].mode, cases[i].wanted));
        int status = child_status(pid);
        if (status)
            fail_msg("mode %o: %x", cases[i].mode, status);
    }
}

static void an_agent_is_a_program_of_its_own(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    int socket = -1;
    pid_t pid = 0;
    char byte;
    assert_ok(agent_program_start("/bin/true", &socket, &pid, &e), e);
    assert_int_equal(read(socket, &byte, 1), 0);
    assert_int_equal(child_status(pid), 0);
    close(socket);
}

#define CHILDREN 8

/* Many first launches at once must agree on one sealing key, and one identity. */
static void local_eight_at_once_agree(void **state)
{
    struct error e = ERROR_NONE;
    for (int round = 0; round < 10; round++) {
        int go[2];
        pid_t pids[CHILDREN];
        assert_int_equal(pipe(go), 0);
        _cleanup_keymgr_ struct keymgr *km = a_local(state);
        for (size_t i = 0; i < CHILDREN; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                char byte, id[KEY_ID_MAX];
                struct secret *key = NULL, *again = NULL;
                close(go[1]);
                bool ok = read(go[0], &byte, 1) == 0 && keymgr_create(km, &want, id, &key, NULL) == 0 &&
                          keymgr_fetch(km, id, &again, NULL) == 0 && secret_equal(key, again);
                _exit(ok ? 0 : 1);
            }
        }
        close(go[0]);
        close(go[1]);
        for (size_t i = 0; i < CHILDREN; i++)
            assert_int_equal(child_status(pids[i]), 0);
        _cleanup_key_listing_ struct key_listing l = {.n = 0};
        assert_ok(keymgr_list(km, &l, &e), e);
        assert_int_equal(l.n, CHILDREN);
        assert_int_equal(count_files(state), CHILDREN + 2);
        for (size_t i = 0; i < l.n; i++)
            assert_ok(keymgr_destroy(km, l.keys[i].id, &e), e);
        assert_int_equal(count_files(state), 2);
        assert_int_equal(unlink(folder_path(state, IDENTITY)), 0);
        assert_int_equal(unlink(folder_path(state, SEALING)), 0);
        assert_int_equal(rmdir(folder_path(state, "keys")), 0);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYMGR_SUITE(folder_make, folder_remove),
        cmocka_unit_test(managers_are_known_by_name),
        IN_FOLDER(a_look_makes_no_folder),
        cmocka_unit_test(each_user_has_a_folder),
        IN_FOLDER(wishes_are_checked),
        cmocka_unit_test(references_are_split_at_the_first_colon),
        IN_FOLDER(place_that_is_away_is_asked_once_for_all_keys),
        cmocka_unit_test(keys_with_odd_ids_are_destroyed_again),
        cmocka_unit_test(what_cannot_be_granted_is_told),
        cmocka_unit_test(ids_are_split_at_the_first_slash),
        cmocka_unit_test(references_of_one_key_are_the_same),
        IN_FOLDER(ephemeral_keeps_nothing),
        IN_FOLDER(local_paths_are_ours_alone),
        IN_FOLDER(local_says_what_is_there),
        cmocka_unit_test(local_folder_lies_where_the_user_keeps_data),
        IN_FOLDER(local_keeps_what_was_made_elsewhere),
        IN_FOLDER(local_key_is_sealed),
        IN_FOLDER(local_tampering_is_noticed),
        IN_FOLDER(local_files_of_other_sizes_are_refused),
        IN_FOLDER(local_key_that_is_a_link_is_left_alone),
        IN_FOLDER(local_identities_differ),
        IN_FOLDER(local_keys_cannot_be_swapped),
        IN_FOLDER(local_sealing_key_is_never_made_anew),
        IN_FOLDER(local_sealing_key_may_lie_elsewhere),
        IN_FOLDER(local_folder_that_is_not_there_proves_nothing),
        IN_FOLDER(local_sealing_key_proves_nothing),
        IN_FOLDER(local_identity_is_never_made_anew),
        IN_FOLDER(local_identity_that_is_damaged_is_told),
        IN_FOLDER(local_key_of_another_user_names_him),
        IN_FOLDER(local_keys_without_identity_are_read),
        IN_FOLDER(local_damaged_key_blocks_no_other),
        IN_FOLDER(local_folder_must_be_ours_alone),
        IN_FOLDER(local_destroy_overwrites),
        IN_FOLDER(local_interrupted_destroy_is_finished),
        IN_FOLDER(local_passes_over_what_is_not_ours),
        IN_FOLDER(a_key_is_gone_only_if_it_is),
        IN_FOLDER(local_says_that_its_folder_went),
        IN_FOLDER(local_says_what_its_file_system_lacks),
        IN_FOLDER(local_in_a_locked_folder_is_not_gone),
        IN_FOLDER(local_sealing_key_may_be_lent_by_root),
        cmocka_unit_test(an_agent_is_a_program_of_its_own),
        IN_FOLDER(local_a_first_key_beside_another),
        IN_FOLDER(local_eight_at_once_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
