/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exports through the real QEMU: what comes back from the image is what the device had, none of it
 * stands in the file, and a file has its name only once it is whole. */
#include "base/fd.h"
#include "base/str.h"
#include "child.h"
#include "image-files.h"
#include "image/file.h"
#include "image/image-internal.h"
#include "image/keeper.h"

#include <grp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define DEVICE                                                                                               \
    "{ yes MARKER | head -c 300000; head -c 3000000 /dev/zero; yes MARKER | head -c 70000; } > device; "

/* --wrap: what was written is on the disk before the file gets its name. */
static unsigned n_synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    n_synced++;
    return __real_fsync(fd);
}

static int exported(const char *path, const struct secret *key, const struct image_progress *p,
                    struct error *e)
{
    _cleanup_image_file_ struct image_file *file = NULL;
    _cleanup_close_ int device = open("device", O_RDONLY | O_CLOEXEC);
    int before = count_descriptors();
    assert_true(device >= 0);
    int r = image_file_new(path, &file, e);
    n_synced = 0;
    if (r == 0)
        r = image_export(&(struct opened){.fd = device}, image_file_fd(file), path, key, p, e);
    assert_true(r < 0 || n_synced > 0);
    assert_int_equal(access(path, F_OK), -1);
    if (r == 0)
        r = image_file_link(file, e);
    file = image_file_free(file);
    assert_int_equal(count_children(), 0);
    assert_int_equal(count_descriptors(), before);
    return r;
}

/* What image_import() makes of it is the device again. */
static void comes_back(const char *path, const struct secret *key)
{
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    _cleanup_close_ int back = open("back", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_ok(image_open(&(struct image_source){.path = path, .key = key}, &i, &e), e);
    assert_int_equal(ftruncate(back, (off_t)image_size_bytes(i)), 0);
    assert_ok(image_import(i, &(struct image_target){.disk = &(struct opened){.fd = back}, .name = "back"}, 1,
                           NULL, &e),
              e);
    run("cmp device back");
}

static void a_key(struct secret **ret)
{
    struct error e = ERROR_NONE;
    assert_ok(secret_random(64, ret, &e), e);
}

static void encrypted(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = NULL, *other = NULL;
    struct image *i = NULL;
    struct error e = ERROR_NONE;
    a_key(&key);
    a_key(&other);
    run(DEVICE "truncate -s 8M device");
    assert_ok(exported("luks.qcow2", key, NULL, &e), e);
    run("! grep -q MARKER luks.qcow2; test $(stat -c %a luks.qcow2) = 600");
    run("test $(du -k luks.qcow2 | cut -f 1) -lt 4000"); /* LUKS' header takes 2 MiB */
    run("qemu-img info luks.qcow2 | grep -q 'format: luks'");
    comes_back("luks.qcow2", key);

    assert_error(image_open(&(struct image_source){.path = "luks.qcow2"}, &i, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "it is encrypted; name its key"));
    e = ERROR_NONE;
    assert_error(image_open(&(struct image_source){.path = "luks.qcow2", .key = other}, &i, &e),
                 -EKEYREJECTED, e);
    assert_int_equal(count_children(), 0);
}

/* Is there a mapping of this size that is in no core dump and not for children? It is locked as well, which
 * AddressSanitizer keeps from happening. */
static void look_for_mapping(size_t bytes, bool *ret)
{
    char line[256];
    unsigned long kib = 0;
    _cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        (void)!sscanf(line, "Size: %lu kB", &kib);
        if (kib == bytes >> 10 && str_starts(line, "VmFlags:") && strstr(line, " dd ") &&
            strstr(line, " dc "))
            *ret = true;
    }
}

static void look_for_memory(void *context, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    look_for_mapping(BLOCK_BYTES * 8, context);
}

static void look_for_export(void *context, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    look_for_mapping(1 << 20, context);
}

/* All of it was read, and then the snapshot was lost: what was read may have been wrong by then. */
static void lose_the_device(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    if (done == total)
        assert_int_equal(truncate("device", 0), 0);
}

static void a_snapshot_that_is_lost_at_the_end_gives_no_image(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const struct image_progress progress = {.update = lose_the_device};
    run(DEVICE "truncate -s 8M device");
    assert_int_not_equal(exported("lost.qcow2", NULL, &progress, &e), 0);
    assert_non_null(strstr(e.text, "the snapshot cannot be read"));
}

static void what_is_deciphered_is_not_swapped(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = NULL;
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    bool found = false;
    const struct image_progress progress = {.update = look_for_memory, .context = &found};
    a_key(&key);
    run(DEVICE "truncate -s 8M device");
    const struct image_progress writing = {.update = look_for_export, .context = &found};
    assert_ok(exported("secret.qcow2", key, &writing, &e), e);
    assert_true(found);
    found = false;
    _cleanup_close_ int back = open("back", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(back, 8 << 20), 0);
    assert_ok(image_open(&(struct image_source){.path = "secret.qcow2", .key = key}, &i, &e), e);
    assert_ok(image_import(i, &(struct image_target){.disk = &(struct opened){.fd = back}, .name = "back"}, 1,
                           &progress, &e),
              e);
    assert_true(found);
}

static void plaintext(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = NULL;
    struct image *i = NULL;
    struct error e = ERROR_NONE;
    a_key(&key);
    run(DEVICE "truncate -s 3370496 device"); /* no whole number of clusters */
    assert_ok(exported("plain.qcow2", NULL, NULL, &e), e);
    run("grep -q MARKER plain.qcow2; test $(du -k plain.qcow2 | cut -f 1) -lt 1000");
    comes_back("plain.qcow2", NULL);
    assert_error(image_open(&(struct image_source){.path = "plain.qcow2", .key = key}, &i, &e), -EINVAL, e);
}

static bool stop(void *context)
{
    (void)context;
    return true;
}

static pid_t start_reader(const char *command, int *ret_fd)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[0], STDIN_FILENO);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    close(ends[0]);
    *ret_fd = ends[1];
    return pid;
}

static int streamed(const char *command, const struct image_progress *p, struct error *e)
{
    _cleanup_close_ int device = open("device", O_RDONLY | O_CLOEXEC);
    int fd = -1, status = 0;
    pid_t pid = start_reader(command, &fd);
    int r = image_stream(&(struct opened){.fd = device}, fd, "out", p, e);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return r;
}

static void to_a_descriptor(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    const struct image_progress lost = {.update = lose_the_device}, stopped = {.stopped = stop};
    signal(SIGPIPE, SIG_IGN); /* as mayfly has it */
    run(DEVICE "truncate -s 3370496 device");
    assert_ok(streamed("sleep 0.3; cat >back", NULL, &e), e); /* more than a pipe holds */
    run("cmp device back");

    assert_error(streamed("head -c 100000 >/dev/null", NULL, &e), -EIO, e);
    assert_non_null(strstr(e.text, "its reader is gone"));
    e = ERROR_NONE;
    assert_error(streamed("cat >/dev/null", &stopped, &e), -ECANCELED, e);
    e = ERROR_NONE;
    assert_int_not_equal(streamed("cat >/dev/null", &lost, &e), 0);
    assert_non_null(strstr(e.text, "the snapshot cannot be read"));
}

static void nothing_is_left_of_what_fails(void **state)
{
    (void)state;
    struct image_progress p = {.stopped = stop};
    struct error e = ERROR_NONE;
    run(DEVICE "mkdir -p folder; touch there");
    assert_error(exported("folder/a", NULL, &p, &e), -ECANCELED, e);
    run("test -z \"$(ls folder)\"");
    e = ERROR_NONE;
    run("truncate -s 0 device");
    assert_error(exported("folder/a", NULL, NULL, &e), -EINVAL, e);
    run("test -z \"$(ls folder)\"");
}

/* From now on this process is on a file system that knows no files without a name, nor ... */
static void forbid(bool rename, bool link)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE));
    if (r == 0 && rename)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(renameat2), 0);
    if (r == 0 && link)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(linkat), 0);
    if (r < 0 || seccomp_load(filter) < 0)
        _exit(100);
    seccomp_release(filter);
}

/* How many files are in the folder? */
static int count_files(void)
{
    int n = -2;
    DIR *d = opendir("plain");
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

/* 0, or the number of the line that is not as it should be. */
static int try_names(void)
{
    struct image_file *f = NULL;
    struct error e = ERROR_NONE;
#define MUST(what)                                                                                           \
    if (!(what))                                                                                             \
    return __LINE__ & 0xff ? __LINE__ & 0xff : 255
    struct error why = ERROR_NONE;
    MUST(image_file_new("no\nfolder/a", &f, &why) == -ENOENT && strstr(why.text, "no?folder/a"));
    MUST(image_file_new("plain/a", &f, &e) == 0);
    MUST(count_files() == 1 && access("plain/a", F_OK) < 0);
    MUST(write(image_file_fd(f), "x", 1) == 1);
    MUST(image_file_link(f, &e) == 0);
    MUST(count_files() == 1 && access("plain/a", F_OK) == 0);
    f = image_file_free(f);
    MUST(count_files() == 1);
    MUST(image_file_new("plain/a", &f, &e) == -EEXIST);
    e = ERROR_NONE;
    MUST(image_file_new("plain/b", &f, &e) == 0);
    MUST(image_file_unlink(f, &e) == 0);
    close(open("plain/b", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* somebody else's, meanwhile */
    MUST(image_file_link(f, &e) == -EEXIST);
    f = image_file_free(f);
    MUST(count_files() == 2);
    return 0;
}

static void try_without(bool rename, bool link, int wanted)
{
    run("rm -rf plain; mkdir plain");
    pid_t pid = fork();
    if (pid == 0) {
        struct image_file *f = NULL;
        struct error e = ERROR_NONE;
        forbid(rename, link);
        if (wanted == 0)
            _exit(try_names());
        _exit(image_file_new("plain/a", &f, &e) == wanted && count_files() == 0 ? 0 : 101);
    }
    assert_int_equal(child_status(pid), 0);
}

/* Root's process makes the file in a folder that is root's alone, for a user who writes it. */
static int write_by_keeper(struct image_keeper *k)
{
    _cleanup_image_file_ struct image_file *f = NULL, *again = NULL;
    struct error e = ERROR_NONE;
    MUST(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    MUST(image_file_new("roots/a", &f, &e) == -EACCES && strstr(e.text, "user nobody"));
    e = ERROR_NONE;
    MUST(image_file_new_by(k, "roots/there", &f, &e) == -EEXIST && strstr(e.text, "not replaced"));
    e = ERROR_NONE;
    MUST(image_file_new_by(k, "roots/a", &f, &e) == 0);
    MUST(image_file_new_by(k, "roots/b", &again, &e) == -EINVAL);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", image_file_fd(f));
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC); /* as QEMU does */
    MUST(fd >= 0 && write(fd, "x", 1) == 1);
    e = ERROR_NONE;
    MUST(image_file_link(f, &e) == 0);
    return 0;
}

static void a_file_is_made_where_only_the_caller_may(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    run("rm -rf roots; mkdir -m 700 roots; : > roots/there");
    for (int killed = 0; killed <= 1; killed++) {
        struct image_keeper *k = NULL;
        struct error e = ERROR_NONE;
        assert_ok(image_keeper_start(65534, &k, &e), e);
        pid_t pid = fork();
        if (pid == 0 && killed) {
            struct image_file *f = NULL;
            _exit(image_file_new_by(k, "roots/b", &f, &e) == 0 ? 0 : 1); /* and never gives it a name */
        }
        if (pid == 0)
            _exit(write_by_keeper(k));
        assert_int_equal(child_status(pid), 0);
        assert_null(image_keeper_end(k));
    }
    struct stat st;
    assert_int_equal(stat("roots/a", &st), 0);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_size, 1);
    run("test $(ls -A roots | wc -l) = 2");
}

/* NFS has hard links only, vfat the rename only; who has neither is told before anything is written. */
static void file_systems_without_nameless_files(void **state)
{
    (void)state;
    try_without(false, false, 0);
    try_without(false, true, 0);
    try_without(true, false, 0);
    try_without(true, true, -EOPNOTSUPP);
}

static void names_are_taken_once(void **state)
{
    (void)state;
    struct image_file *file = NULL;
    struct error e = ERROR_NONE;
    run("mkdir -p names; echo old > names/there; ln -s nowhere names/link");
    assert_error(image_file_new("names/there", &file, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_error(image_file_new("names/link", &file, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_error(image_file_new("names/none/a", &file, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_error(image_file_new("names/", &file, &e), -EINVAL, e);
    e = ERROR_NONE;

    assert_ok(image_file_new("names/new", &file, &e), e);
    run("echo other > names/new"); /* meanwhile */
    assert_error(image_file_link(file, &e), -EEXIST, e);
    e = ERROR_NONE;
    assert_ok(image_file_unlink(file, &e), e); /* not ours */
    run("grep -q other names/new; rm names/new");
    assert_ok(image_file_link(file, &e), e);
    run("test -f names/new");
    assert_ok(image_file_unlink(file, &e), e);
    assert_ok(image_file_unlink(file, &e), e);
    run("test ! -e names/new; grep -q old names/there");
    file = image_file_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encrypted),
        cmocka_unit_test(a_snapshot_that_is_lost_at_the_end_gives_no_image),
        cmocka_unit_test(what_is_deciphered_is_not_swapped),
        cmocka_unit_test(plaintext),
        cmocka_unit_test(to_a_descriptor),
        cmocka_unit_test(nothing_is_left_of_what_fails),
        cmocka_unit_test(file_systems_without_nameless_files),
        cmocka_unit_test(a_file_is_made_where_only_the_caller_may),
        cmocka_unit_test(names_are_taken_once),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
