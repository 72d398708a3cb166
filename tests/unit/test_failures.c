/* SPDX-License-Identifier: Apache-2.0 */
/* Keys are made, derived, read and destroyed while each call of the system and of OpenSSL fails once, one
 * after the other (linked with --wrap). The operation must say so; and then no key is lost or half made, and
 * what was not done can be done. */
#include "keymgr-suite.h"
#include "keys/derive.h"
#include "storage/check.h"
#include "storage/xts.h"

#include "fail-once.h"
#include "folder.h"
#include "key-sample.h"
#include "no-memfd-secret.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ------------------------------------------------------------ failing calls */

WRAP(int, open64, IO_ERROR, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(int, openat64, IO_ERROR, (int fd, const char *path, int flags, mode_t mode), (fd, path, flags, mode))
WRAP(int, fstat64, IO_ERROR, (int fd, struct stat *st), (fd, st))
WRAP(int, mkdir, IO_ERROR, (const char *path, mode_t mode), (path, mode))
WRAP(int, fsync, IO_ERROR, (int fd), (fd))
WRAP(int, fdatasync, IO_ERROR, (int fd), (fd))
WRAP(int, linkat, IO_ERROR, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))

static bool no_room; /* for another name */

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    bool fail = fails("renameat");
    errno = fail ? EIO : ENOSPC;
    return fail || no_room ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

WRAP(int, unlinkat, IO_ERROR, (int fd, const char *name, int flags), (fd, name, flags))

static char going[600]; /* file of a key that goes once the folder was read */

int __real_scandirat64(int fd, const char *path, struct dirent ***ret, int (*filter)(const struct dirent *),
                       int (*order)(const struct dirent **, const struct dirent **));
int __wrap_scandirat64(int fd, const char *path, struct dirent ***ret, int (*filter)(const struct dirent *),
                       int (*order)(const struct dirent **, const struct dirent **));
int __wrap_scandirat64(int fd, const char *path, struct dirent ***ret, int (*filter)(const struct dirent *),
                       int (*order)(const struct dirent **, const struct dirent **))
{
    if (fails("scandirat64"))
        return IO_ERROR;
    int n = __real_scandirat64(fd, path, ret, filter, order);
    if (going[0])
        assert_int_equal(unlink(going), 0);
    going[0] = '\0';
    return n;
}

WRAP(ssize_t, read, IO_ERROR, (int fd, void *data, size_t size), (fd, data, size))
WRAP(ssize_t, write, IO_ERROR, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite64, IO_ERROR, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, getrandom, IO_ERROR, (void *data, size_t size, unsigned flags), (data, size, flags))
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(int, madvise, IO_ERROR, (void *map, size_t size, int advice), (map, size, advice))

static int n_mapped; /* mappings that were not given back: secrets are nothing else */

void *__real_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails("mmap64")) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    n_mapped++;
    return __real_mmap64(at, size, protection, flags, fd, offset);
}

int __real_munmap(void *map, size_t size);
int __wrap_munmap(void *map, size_t size);
int __wrap_munmap(void *map, size_t size)
{
    n_mapped--;
    return __real_munmap(map, size);
}

WRAP(int, memfd_create, IO_ERROR, (const char *name, unsigned flags), (name, flags))
WRAP(int, ftruncate64, IO_ERROR, (int fd, off_t size), (fd, size))
WRAP(int, fcntl64, IO_ERROR, (int fd, int command, long argument), (fd, command, argument))
WRAP(int, getrlimit64, IO_ERROR, (int which, struct rlimit *limit), (which, limit))
WRAP_ALLOCATIONS

WRAP(EVP_MD *, EVP_MD_fetch, NULL, (OSSL_LIB_CTX * context, const char *name, const char *properties),
     (context, name, properties))
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
WRAP(int, EVP_DigestInit_ex, 0, (EVP_MD_CTX * c, const EVP_MD *hash, ENGINE *engine), (c, hash, engine))
WRAP(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * c, const void *data, size_t size), (c, data, size))
WRAP(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * c, unsigned char *hash, unsigned *size), (c, hash, size))
WRAP(EVP_KDF *, EVP_KDF_fetch, NULL, (OSSL_LIB_CTX * context, const char *name, const char *properties),
     (context, name, properties))
WRAP(EVP_KDF_CTX *, EVP_KDF_CTX_new, NULL, (EVP_KDF * kdf), (kdf))
WRAP(int, EVP_KDF_derive, 0, (EVP_KDF_CTX * c, unsigned char *key, size_t size, const OSSL_PARAM params[]),
     (c, key, size, params))
WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, NULL, (void), ())
WRAP(int, EVP_CipherInit_ex, 0,
     (EVP_CIPHER_CTX * c, const EVP_CIPHER *cipher, ENGINE *engine, const unsigned char *key,
      const unsigned char *iv, int encrypt),
     (c, cipher, engine, key, iv, encrypt))
WRAP(int, EVP_CipherUpdate, 0,
     (EVP_CIPHER_CTX * c, unsigned char *out, int *n, const unsigned char *in, int size),
     (c, out, n, in, size))
WRAP(int, EVP_CipherFinal_ex, 0, (EVP_CIPHER_CTX * c, unsigned char *out, int *n), (c, out, n))
WRAP(int, EVP_CIPHER_CTX_ctrl, 0, (EVP_CIPHER_CTX * c, int what, int size, void *data), (c, what, size, data))
WRAP(int, EVP_DecryptInit_ex, 0,
     (EVP_CIPHER_CTX * c, const EVP_CIPHER *cipher, ENGINE *engine, const unsigned char *key,
      const unsigned char *iv),
     (c, cipher, engine, key, iv))
WRAP(int, EVP_DecryptUpdate, 0,
     (EVP_CIPHER_CTX * c, unsigned char *out, int *n, const unsigned char *in, int size),
     (c, out, n, in, size))

/* ---------------------------------------------------------------- the world */

struct place {
    void **state;
    struct keymgr *km;
    size_t n_keys;        /* before the operation */
    struct secret *known; /* the key `id`, as it was made */
    char id[KEY_ID_MAX];
    struct volume volume;                /* with the check value of `volume_key` */
    struct secret *volume_key, *sectors; /* some bytes */
};

struct operation {
    const char *name;
    bool first_key; /* begins without a key folder */
    bool deep;      /* whose parents are not there either */
    bool doomed;    /* the key is one whose destroying was cut off */
    int (*run)(struct place *p, struct error *e);
    void (*look)(struct place *p, int r); /* nothing fails any more; `r` as run() returned it; may be NULL */
    const char *spared[3];                /* calls whose failure is made up for */
};

static const char *folder_name = "keys";

struct keymgr *suite_open(void **state)
{
    struct error e = ERROR_NONE;
    struct keymgr *km = NULL;
    struct config c;
    config_defaults(&c);
    assert_int_equal(str_copy(c.local_directory, sizeof c.local_directory, folder_path(state, folder_name)),
                     0);
    assert_ok(keymgr_open(&c, &KEY_CONTEXT_NONE, "local", &km, &e), e);
    return km;
}

/* As the next run has it. */
static struct keymgr *reopened(struct place *p)
{
    keymgr_close(p->km);
    return p->km = suite_open(p->state);
}

static void begin(struct place *p, const struct operation *o)
{
    struct error e = ERROR_NONE;
    nftw(folder_path(p->state, "keys"), folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    folder_name = o->deep ? "keys/of/host" : "keys";
    reopened(p);
    p->volume = a_volume();
    p->volume_key = counted(64);
    p->sectors = counted(1024);
    assert_ok(volume_check_value(&p->volume, p->volume_key, p->volume.check, &e), e);
    p->n_keys = 0;
    if (!o->first_key) {
        p->n_keys = 1;
        assert_ok(keymgr_create(p->km, &want, p->id, &p->known, &e), e);
        reopened(p);
    }
    if (o->doomed) {
        const char *file = folder_path(p->state, "keys");
        char from[600], to[620];
        snprintf(from, sizeof from, "%s%s", file, strchr(p->id, '/'));
        snprintf(to, sizeof to, "%s.doomed", from);
        assert_int_equal(rename(from, to), 0);
    }
}

static void finish(struct place *p)
{
    p->known = secret_free(p->known);
    p->volume_key = secret_free(p->volume_key);
    p->sectors = secret_free(p->sectors);
    p->km = keymgr_close(p->km);
}

static bool is_spared(const struct operation *o, const char *call)
{
    for (size_t i = 0; i < ARRAY_SIZE(o->spared); i++)
        if (o->spared[i] && strcmp(o->spared[i], call) == 0)
            return true;
    return false;
}

/* The operation with its n-th call failing. False: it makes fewer calls. */
static bool with_failure(struct place *p, const struct operation *o, unsigned n)
{
    struct error e = ERROR_NONE;
    begin(p, o);
    calls = 0;
    failed = NULL;
    fail_at = n;
    int r = o->run(p, &e);
    fail_at = 0;
    if (!failed)
        assert_ok(r, e);
    else if (r == 0 && !is_spared(o, failed))
        fail_msg("%s: call %u, %s, failed, and nobody is told", o->name, n, failed);
    else if (r < 0)
        assert_true(e.errnum == r && e.text[0]);
    if (o->look)
        o->look(p, r);
    finish(p);
    if (n_mapped)
        fail_msg("%s: with %s failing, %d secrets stay in memory", o->name, failed ? failed : "nothing",
                 n_mapped);
    return failed != NULL;
}

/* ----------------------------------------------------------- the operations */

static int create(struct place *p, struct error *e)
{
    p->known = secret_free(p->known);
    return keymgr_create(p->km, &want, p->id, &p->known, e);
}

/* What was not said to be made may be there, but then it is whole. */
static void look_at_created(struct place *p, int r)
{
    size_t n = count_listed(reopened(p));
    assert_true(r == 0 ? n == p->n_keys + 1 : n <= p->n_keys + 1);
    if (r == 0)
        assert_key_is(p->km, p->id, p->known);
    struct error e = ERROR_NONE;
    assert_ok(create(p, &e), e);
    assert_int_equal(count_listed(p->km), n + 1);
}

static int create_many(struct place *p, struct error *e)
{
    const struct key_info wants[] = {want, want, want};
    struct key_made made[ARRAY_SIZE(wants)];
    int r = keymgr_create_many(p->km, wants, ARRAY_SIZE(wants), made, e);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(wants); i++)
        secret_free(made[i].secret);
    return r;
}

/* All, or none but the one that failed last. */
static void look_at_many(struct place *p, int r)
{
    size_t n = count_listed(reopened(p)) - p->n_keys;
    assert_true(r == 0 ? n == 3 : n <= 1);
}

static int fetch(struct place *p, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    int r = keymgr_fetch(p->km, p->id, &key, e);
    assert_true(r != -ENOKEY && (key != NULL) == (r == 0));
    assert_true(r < 0 || secret_equal(key, p->known));
    return r;
}

static void look_at_kept(struct place *p, int r)
{
    (void)r;
    assert_key_is(reopened(p), p->id, p->known);
}

static int list(struct place *p, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(p->km, &l, e);
    assert_true(r < 0 || l.n == 1);
    return r < 0 ? r : l.incomplete.errnum ? error_pass(e, l.incomplete.errnum, &l.incomplete) : 0;
}

/* Here the other ends of what was begun are errors too. */
static int list_none(struct place *p, struct error *e)
{
    _cleanup_key_listing_ struct key_listing l = {.n = 0};
    int r = keymgr_list(p->km, &l, e);
    assert_int_equal(l.n, 0);
    return r;
}

static int open_manager(const char *name, struct error *e)
{
    _cleanup_keymgr_ struct keymgr *km = NULL;
    struct config c;
    config_defaults(&c);
    int r = keymgr_open(&c, &KEY_CONTEXT_NONE, name, &km, e);
    assert_true((km != NULL) == (r == 0));
    return r;
}

static int open_local(struct place *p, struct error *e)
{
    (void)p;
    return open_manager("local", e);
}

static int open_ephemeral(struct place *p, struct error *e)
{
    (void)p;
    return open_manager("ephemeral", e);
}

/* What cannot be looked at is a finding, with its reason. */
static int diagnose(struct place *p, struct error *e)
{
    struct key_finding f[KEY_FINDINGS_MAX];
    size_t n = 0;
    int r = keymgr_diagnose(p->km, f, &n, e);
    assert_true(n >= 1);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (f[i].result < 0)
            r = error_set(e, f[i].result, "%s", f[i].text);
    return r;
}

static int may_destroy(struct place *p, struct error *e)
{
    return keymgr_may_destroy(p->km, p->id, e);
}

static int destroy(struct place *p, struct error *e)
{
    return keymgr_destroy(p->km, p->id, e);
}

static void look_at_destroyed(struct place *p, int r)
{
    struct error e = ERROR_NONE;
    reopened(p);
    if (r < 0) {
        int again = keymgr_destroy(p->km, p->id, &e);
        assert_true(again == 0 || again == -ENOKEY);
    }
    assert_fetch(p->km, p->id, -ENOKEY);
    assert_int_equal(count_listed(p->km), 0);
}

static int derive(struct place *p, const char *kdf, struct error *e)
{
    _cleanup_secret_ struct secret *key = NULL;
    strcpy(p->volume.kdf, kdf);
    int r = derive_volume_key(&p->volume, p->volume_key, &key, e);
    assert_true((key != NULL) == (r == 0));
    return r;
}

static int derive_ours(struct place *p, struct error *e)
{
    return derive(p, KDF_HKDF_SHA512, e);
}

static int derive_novas(struct place *p, struct error *e)
{
    return derive(p, KDF_NOVA_SHA256, e);
}

static int verify(struct place *p, struct error *e)
{
    return volume_verify_key(&p->volume, p->volume_key, e);
}

/* One whose halves are alike, say. */
WRAP(int, volume_check_key_form, error_set(e, -EKEYREJECTED, "key: is no key"),
     (const struct volume *v, const struct secret *key, struct error *e), (v, key, e))

static int decrypt(struct place *p, struct error *e)
{
    return xts_decrypt(p->volume_key, p->sectors, e);
}

static int hand_over(struct place *p, struct error *e)
{
    _cleanup_handover_ struct secret_handover *h = NULL;
    _cleanup_secret_ struct secret *got = NULL;
    int r = secret_handover(p->known, &h, e);
    assert_true((h != NULL) == (r == 0));
    if (r == 0)
        r = secret_receive(secret_handover_fd(h), secret_size(p->known), &got, e);
    assert_true((got != NULL) == (r == 0));
    assert_true(!got || secret_equal(got, p->known));
    return r;
}

static int hand_over_sealed(struct place *p, struct error *e)
{
    no_memfd_secret = true;
    int r = hand_over(p, e);
    no_memfd_secret = false;
    return r;
}

/* Then no more than one page is counted on. */
static int count_pages(struct place *p, struct error *e)
{
    (void)p;
    size_t pages = secret_pages_max();
    return failed ? assert_int_equal(pages, 1), error_set(e, -EIO, "one page") : 0;
}

static void no_failure_is_passed_over(void **state)
{
    static const struct operation operations[] = {
        {.name = "create the first key", .first_key = true, .run = create, .look = look_at_created},
        {.name = "create below", .first_key = true, .deep = true, .run = create, .look = look_at_created},
        {.name = "create one more", .run = create, .look = look_at_created},
        {.name = "create many", .run = create_many, .look = look_at_many},
        {.name = "fetch", .run = fetch, .look = look_at_kept},
        {.name = "list", .run = list, .look = look_at_kept},
        {.name = "list what is doomed", .doomed = true, .run = list_none, .look = look_at_destroyed},
        {.name = "open local", .run = open_local},
        {.name = "open ephemeral", .run = open_ephemeral},
        {.name = "diagnose", .run = diagnose, .look = look_at_kept},
        {.name = "may destroy", .run = may_destroy, .look = look_at_kept},
        {.name = "destroy", .run = destroy, .look = look_at_destroyed},
        {.name = "derive", .run = derive_ours},
        {.name = "derive as Nova", .run = derive_novas},
        {.name = "verify", .run = verify},
        {.name = "decrypt", .run = decrypt},
        /* what memfd_secret(2) makes is locked, and not dumped, without being told to be */
        {.name = "hand over", .run = hand_over, .spared = {"mlock", "madvise", "ftruncate64"}},
        {.name = "hand over, sealed", .run = hand_over_sealed},
        {.name = "count pages", .run = count_pages},
    };
    for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
        struct place p = {.state = state};
        FAIL_EACH_CALL(with_failure(&p, &operations[i], n));
    }
}

/* A file system without room for another name: the key goes under the one that it has. */
static void a_full_folder_keeps_no_key_from_going(void **state)
{
    struct place p = {.state = state};
    struct error e = ERROR_NONE;
    begin(&p, &(struct operation){.name = "destroy"});
    no_room = true;
    assert_ok(destroy(&p, &e), e);
    no_room = false;
    look_at_destroyed(&p, 0);
    finish(&p);
}

/* Another mayfly destroys the key while the folder is looked through. */
static void a_key_may_go_while_they_are_listed(void **state)
{
    struct place p = {.state = state};
    begin(&p, &(struct operation){.name = "list"});
    snprintf(going, sizeof going, "%s%s", folder_path(state, "keys"), strchr(p.id, '/'));
    assert_int_equal(count_listed(p.km), 0);
    assert_string_equal(going, "");
    finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_failure_is_passed_over, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_key_may_go_while_they_are_listed, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_full_folder_keeps_no_key_from_going, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
