/* SPDX-License-Identifier: Apache-2.0 */
/* Opening images, with the real qemu-nbd: what is refused, in which words, and that nothing is left over; and
 * the cage, tried from inside. */
#include "base/fd.h"
#include "base/place.h"
#include "base/str.h"
#include "child.h"
#include "image-files.h"
#include "image/image-internal.h"
#include "image/sandbox.h"
#include "reach.h"

#include <endian.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void refused(const char *path, const char *format, int wanted, const char *words)
{
    struct image *i = NULL;
    struct error e = ERROR_NONE;
    int before = count_descriptors();
    assert_error(image_open(&(struct image_source){.path = path, .format = format}, &i, &e), wanted, e);
    assert_null(i);
    if (!strstr(e.text, words) || !strstr(e.text, "image "))
        fail_msg("no \"%s\" in: %s", words, e.text);
    if (strpbrk(e.text, "\n\r"))
        fail_msg("more than a line: %s", e.text);
    assert_int_equal(count_children(), 0);
    assert_int_equal(count_descriptors(), before);
}

static void sizes_are_told(void **state)
{
    (void)state;
    run("truncate -s 1000001 odd; qemu-img create -q -f qcow2 a.qcow2 3T; truncate -s 3M 'we\"ird}, \n "
        "name'");
    static const struct {
        const char *path;
        uint64_t bytes;
    } files[] = {{"odd", 1000448}, {"a.qcow2", UINT64_C(3) << 40}, {"we\"ird}, \n name", 3 << 20}};
    for (size_t n = 0; n < ARRAY_SIZE(files); n++) {
        _cleanup_image_ struct image *i = NULL;
        struct error e = ERROR_NONE;
        assert_ok(image_open(&(struct image_source){.path = files[n].path}, &i, &e), e);
        assert_int_equal(image_size_bytes(i), files[n].bytes);
        assert_int_equal(count_children(),
                         str_ends(files[n].path, ".qcow2")); /* what is raw needs no parser */
        i = image_close(i);
        assert_int_equal(count_children(), 0);
    }
}

static void what_is_no_image_is_refused(void **state)
{
    (void)state;
    run("mkfifo fifo; mkdir folder; : > empty; truncate -s 1M zeros");
    refused("none", NULL, -ENOENT, "No such file");
    refused("no\nne", NULL, -ENOENT, "no?ne");
    refused("fifo", NULL, -EINVAL, "neither a regular file");
    refused("folder", NULL, -EINVAL, "neither a regular file");
    refused("/dev/zero", NULL, -EINVAL, "neither a regular file");
    refused("empty", NULL, -EINVAL, "is empty");
    refused("zeros", "qcow2", -EINVAL, "not a qcow2");
    refused("zeros", "vmdk", -EINVAL, "raw, qcow2");
}

/* Made by the programs that people have them from. qemu-img measures the processor for LUKS, and fails where
 * the clock stands still for as long: it is asked again then. */
static void other_formats_are_refused(void **state)
{
    (void)state;
    run("mkdir pack; cd pack; truncate -s 1M disk; printf '\\125\\252' | dd of=disk bs=1 seek=510 "
        "conv=notrunc status=none\n"
        "for f in vmdk vdi vhdx vpc qed parallels; do qemu-img convert -f raw -O $f disk disk.$f; done\n"
        "qemu-img convert -f raw -O vpc -o subformat=fixed disk disk.fixed\n"
        "qemu-img convert -f raw -O vmdk -o subformat=monolithicFlat disk disk.flat\n"
        "for i in 1 2 3 4 5 6 7 8 9; do\n"
        "qemu-img create -q -f luks --object secret,id=k,data=x -o key-secret=k,iter-time=10 disk.luks 1M && "
        "break\n"
        "done\n"
        "tar cf disk.ova disk; gzip -k disk; xz -k disk; xz -k --format=lzma disk; bzip2 -k disk; zstd -q "
        "disk\n"
        "lz4 -q disk disk.lz4; lz4 -q -l disk disk.old; zip -q disk.zip disk\n"
        "echo '<!DOCTYPE HTML><p>404' > disk.html");
    static const struct {
        const char *path, *words;
    } files[] = {
        {"pack/disk.vmdk", "VMDK"}, {"pack/disk.flat", "VMDK"},
        {"pack/disk.vdi", "VDI"},   {"pack/disk.vhdx", "VHDX"},
        {"pack/disk.vpc", "VPC"},   {"pack/disk.fixed", "fixed VHD"},
        {"pack/disk.qed", "QED"},   {"pack/disk.parallels", "Parallels"},
        {"pack/disk.luks", "LUKS"}, {"pack/disk.ova", "OVA"},
        {"pack/disk.gz", "gzip"},   {"pack/disk.xz", "xz"},
        {"pack/disk.lzma", "lzma"}, {"pack/disk.bz2", "bzip2"},
        {"pack/disk.zst", "zstd"},  {"pack/disk.lz4", "lz4"},
        {"pack/disk.old", "lz4"},   {"pack/disk.zip", "zip"},
        {"pack/disk.html", "HTML"},
    };
    for (size_t n = 0; n < ARRAY_SIZE(files); n++) {
        _cleanup_image_ struct image *i = NULL;
        struct error e = ERROR_NONE;
        refused(files[n].path, NULL, -EINVAL, files[n].words);
        assert_ok(image_open(&(struct image_source){.path = files[n].path, .format = "raw"}, &i, &e), e);
        assert_null(image_doubt(i)); /* its user knows */
    }
}

static bool is_doubted(const char *path)
{
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = path}, &i, &e), e);
    return image_doubt(i);
}

static void what_shows_nothing_is_doubted(void **state)
{
    (void)state;
    run("truncate -s 1M zeros; head -c 1M /dev/urandom > noise; printf '\\0\\0' | dd of=noise bs=1 seek=510 "
        "conv=notrunc status=none; printf 'Not found' > text\n"
        "truncate -s 8M ext4 swap; mkfs.ext4 -q ext4; mkswap -q swap 2>/dev/null\n"
        "cp zeros mbr; printf '\\125\\252' | dd of=mbr bs=1 seek=510 conv=notrunc status=none");
    assert_false(is_doubted("zeros") || is_doubted("ext4") || is_doubted("swap") || is_doubted("mbr"));
    assert_true(is_doubted("noise") && is_doubted("text"));
}

/* The socket's folder: a TMPDIR that another user's environment has left, or one that is too long. */
static void a_wrong_temporary_folder_is_no_matter(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    const char *const folders[] = {"/proc", "/nowhere", longer};
    run("qemu-img create -q -f qcow2 a.qcow2 1M");
    for (size_t n = 0; n < ARRAY_SIZE(folders); n++) {
        _cleanup_image_ struct image *i = NULL;
        struct error e = ERROR_NONE;
        setenv("TMPDIR", folders[n], 1);
        assert_ok(image_open(&(struct image_source){.path = "a.qcow2"}, &i, &e), e);
    }
    unsetenv("TMPDIR");
}

static bool at_once(void *context)
{
    ++*(unsigned *)context;
    return true;
}

static void opening_can_be_stopped(void **state)
{
    (void)state;
    unsigned asked = 0;
    const struct image_progress progress = {.stopped = at_once, .context = &asked};
    struct image *i = NULL;
    struct error e = ERROR_NONE;
    run("qemu-img create -q -f qcow2 a.qcow2 1M");
    assert_error(image_open(&(struct image_source){.path = "a.qcow2", .progress = &progress}, &i, &e),
                 -ECANCELED, e);
    assert_true(asked > 0);
    assert_int_equal(count_children(), 0);
}

static void bad_images_are_refused(void **state)
{
    (void)state;
    run("qemu-img create -q -f raw secret 1M; qemu-img create -q -f qcow2 -b secret -F raw backed 1M\n"
        "qemu-img create -q -f qcow2 -o data_file=data external 1M\n"
        "qemu-img create -q -f qcow2 good 1G\n"
        "put() { cp good $1; printf \"$3\" | dd of=$1 bs=1 seek=$2 conv=notrunc status=none; }\n"
        "put corrupt 79 '\\002'; put huge 24 '\\021'; put l1 36 '\\377\\377\\377\\377'; put snaps 60 "
        "'\\377'\n"
        "cp good cut1; truncate -s 60 cut1; cp good cut2; truncate -s 196608 cut2; cp good cut3; truncate -s "
        "65536 cut3\n"
        "put luks 32 '\\0\\0\\0\\002'; put snapshots 60 '\\0\\0\\0\\001\\0\\0\\0\\0\\0\\004\\0\\0'\n"
        "tr '\\0' '\\377' < /dev/zero | dd of=snapshots bs=64k seek=4 count=1 iflag=fullblock status=none");
    refused("backed", NULL, -EINVAL, "backing file");
    refused("external", NULL, -EINVAL, "data is in another file");
    refused("luks", NULL, -EINVAL, "encrypted");
    refused("corrupt", NULL, -EINVAL, "corrupt");
    refused("huge", NULL, -EINVAL, "1 EiB");
    refused("l1", NULL, -EINVAL, "L1");
    refused("snaps", NULL, -EINVAL, "snapshot");
    refused("cut1", NULL, -EINVAL, "cut off");
    refused("cut2", NULL, -EINVAL, "L1 table");
    refused("cut3", NULL, -EINVAL, "L1 table");
    refused("snapshots", NULL, -EIO, "qemu-img: "); /* a table that only QEMU can judge */
}

static void opens(const char *path)
{
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = path}, &i, &e), e);
}

/* The big-endian number at an offset of a file, without the flags in its highest and lowest bits. */
static uint64_t place_at(const char *path, uint64_t offset_bytes)
{
    uint64_t value;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_pread_all(fd, &value, sizeof value, offset_bytes), 0);
    return be64toh(value) & UINT64_C(0x00fffffffffffe00);
}

/* A copy of `path` that ends at `bytes`. Refused, and the file is as it was. */
static void cut_is_refused(const char *path, uint64_t bytes, const char *words)
{
    _cleanup_free_ char *line =
        str_format("cp %s cut; truncate -s %llu cut; cp cut before", path, (unsigned long long)bytes);
    assert_non_null(line);
    run(line);
    refused("cut", NULL, -EINVAL, words);
    run("cmp cut before");
}

static void cut_off_tables_and_data_are_refused(void **state)
{
    (void)state;
    static const char *const truncated = "image cut: is damaged or truncated: ";
    run("dd if=/dev/urandom of=data.raw bs=1M count=3 status=none; truncate -s 9M data.raw\n"
        "yes mayfly | head -c 3M | dd of=data.raw bs=1M seek=5 conv=notrunc status=none\n"
        "qemu-img convert -f raw -O qcow2 data.raw whole\n"
        "qemu-img convert -f raw -O qcow2 -c data.raw zlib\n"
        "qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd data.raw zstd\n"
        "qemu-img create -q -f qcow2 -o cluster_size=512 grown 64M\n"
        "qemu-io -c 'write -P 1 0 9M' grown > /dev/null");
    uint64_t l1 = place_at("whole", 40), l2 = place_at("whole", l1), data = place_at("whole", l2);
    assert_true(l1 > 0 && l2 > l1 && data > l2);
    cut_is_refused("whole", l1 + 7, "L1 table");
    cut_is_refused("whole", l1 + 8, truncated); /* all that its head leads to is there */
    cut_is_refused("whole", l2, truncated);
    cut_is_refused("whole", l2 + 8, truncated);
    cut_is_refused("whole", data + 1, truncated);
    cut_is_refused("whole", data + (2 << 20), truncated);
    cut_is_refused("whole", data + (2 << 20) + 5, "by one cluster or more: offset 0x");

    /* This one has outgrown its first refcount table: the second one lies behind data. */
    uint64_t counts = place_at("grown", 48);
    assert_true(counts > 1 << 20);
    cut_is_refused("grown", counts, "reference counts");
    cut_is_refused("grown", counts + 100, truncated);

    struct stat st;
    for (int n = 0; n < 2; n++) {
        const char *name = n ? "zstd" : "zlib";
        assert_int_equal(stat(name, &st), 0);
        opens(name);
        cut_is_refused(name, (uint64_t)st.st_size / 2, truncated);
        cut_is_refused(name, (uint64_t)st.st_size - 70000, truncated);
    }
}

/* QEMU leaves the end of the last cluster out where it was never written: nobody can tell it from a cut. */
static void what_qemu_leaves_as_it_is_opens(void **state)
{
    (void)state;
    run("dd if=/dev/urandom of=data.raw bs=1M count=3 status=none; qemu-img convert -f raw -O qcow2 data.raw "
        "short\n"
        "cp short leak; truncate -s -1 short\n"
        "truncate -s 8M leak; printf '\\0\\001' | dd of=leak bs=1 seek=131272 conv=notrunc status=none");
    opens("short");
    run("s=0; qemu-img check -q leak > /dev/null || s=$?; test $s = 3"); /* leaked clusters */
    opens("leak");
}

static void unreadable_is_said(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    run("truncate -s 1M locked; chmod 600 locked; truncate -s 1M open; chmod 644 open");
    pid_t pid = fork();
    if (pid == 0) {
        struct image *i = NULL;
        struct error e = ERROR_NONE;
        if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
            _exit(1);
        if (image_open(&(struct image_source){.path = "locked"}, &i, &e) != -EACCES ||
            !strstr(e.text, "user nobody may not read it"))
            _exit(2);
        e = ERROR_NONE;
        if (image_open(&(struct image_source){.path = "open"}, &i, &e) != 0)
            _exit(3);
        image_close(i);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

/* Opened by root, and read as a user who may not: a raw one, and one that qemu-img and qemu-nbd want to open
 * themselves. */
static int read_early(struct image_early *early, const char *path, uint64_t bytes)
{
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    uint8_t written[4096];
    _cleanup_close_ int fd = fd_memfd_empty("disk", 0);
    const struct image_target target = {.disk = &(struct opened){.fd = fd}, .name = "disk"};
    if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || ftruncate(fd, (off_t)bytes) < 0)
        return 2;
    if (image_open(&(struct image_source){.path = path, .early = early}, &i, &e) < 0 ||
        image_import(i, &target, 1, NULL, &e) < 0) {
        print_message("%s\n", e.text);
        return 3;
    }
    if (image_size_bytes(i) != bytes || pread(fd, written, sizeof written, 1 << 20) != sizeof written)
        return 4;
    return memcmp(written, "early", 5) == 0 ? 0 : 5;
}

static void what_the_caller_opened_is_read(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    run("truncate -s 2M early.raw; printf early | dd of=early.raw bs=1M seek=1 conv=notrunc status=none\n"
        "qemu-img convert -f raw -O qcow2 early.raw early.qcow2; chmod 600 early.raw early.qcow2");
    static const char *const paths[] = {"early.raw", "early.qcow2"};
    for (size_t n = 0; n < ARRAY_SIZE(paths); n++) {
        struct image_early early = {.is_open = false};
        struct error e = ERROR_NONE;
        assert_ok(image_open_early(paths[n], &early, &e), e);
        pid_t pid = fork();
        if (pid == 0)
            _exit(setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0
                      ? 1
                      : read_early(&early, paths[n], 2 << 20));
        image_early_close(&early);
        assert_int_equal(child_status(pid), 0);
    }
    struct image_early none = {.is_open = false};
    struct error e = ERROR_NONE;
    run("mkfifo early.fifo");
    assert_error(image_open_early("early.none", &none, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_error(image_open_early("early.fifo", &none, &e), -EINVAL, e);
    assert_false(none.is_open);
}

/* One try each, by system calls alone; the bit is set where it succeeded. */
static int tries(void)
{
    int done = 0;
    done |= syscall(SYS_openat, AT_FDCWD, "writable", O_WRONLY) >= 0 ? 1 << 0 : 0;
    done |= syscall(SYS_openat, AT_FDCWD, "fresh", O_RDONLY | O_CREAT, 0600) >= 0 ? 1 << 1 : 0;
    done |= syscall(SYS_openat, AT_FDCWD, "writable", O_RDWR) >= 0 ? 1 << 2 : 0;
    done |= syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0 ? 1 << 3 : 0;
    done |= syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0 ? 1 << 4 : 0;
    done |= syscall(SYS_mkdirat, AT_FDCWD, "made", 0700) >= 0 ? 1 << 5 : 0;
    done |= syscall(SYS_openat, AT_FDCWD, "writable", O_RDONLY) >= 0 ? 1 << 6 : 0;
    return done;
}

static struct reach host;

/* Calls that no part of QEMU's programs has a use for, and what can be read of the host. */
static int tries_more(const struct sandbox *box)
{
    static const char *const meant[] = {"/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache"};
    static const long calls[] = {
        SYS_connect,
        SYS_bind,
        SYS_listen,
        SYS_socketpair,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_kill,
        SYS_tkill,
        SYS_tgkill,
        SYS_execveat,
        SYS_io_uring_enter,
        SYS_mount,
        SYS_unshare,
        SYS_setns,
        SYS_add_key,
        SYS_request_key,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_userfaultfd,
        SYS_memfd_create,
        SYS_unlinkat,
        SYS_renameat2,
        SYS_linkat,
        SYS_symlinkat,
        SYS_fchmodat,
        SYS_fchownat,
        SYS_truncate,
        SYS_ftruncate,
        SYS_fallocate,
        SYS_pwrite64,
        SYS_pwritev,
        SYS_mknodat,
        SYS_setuid,
        SYS_setresuid,
        SYS_capset,
        SYS_pidfd_open,
        SYS_pidfd_getfd,
        SYS_openat2,
        SYS_open_by_handle_at,
        SYS_seccomp,
        SYS_personality,
        SYS_shmget,
        SYS_msgget,
        SYS_inotify_init1,
        SYS_splice,
        SYS_copy_file_range,
        SYS_sendfile,
        SYS_setrlimit,
        SYS_process_vm_writev,
        SYS_kcmp,
    };
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        if (syscall(calls[i], -1, -1, -1, -1, -1) >= 0 || errno != EPERM)
            return dprintf(STDERR_FILENO, "system call %ld is let through\n", calls[i]), 1;
    if (syscall(SYS_ioctl, 1, 0x5412 /* TIOCSTI */, "x") >= 0 || errno != EPERM ||
        syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1) >= 0 || errno != EPERM ||
        syscall(SYS_prlimit64, 0, 7, &(uint64_t[2]){1, 1}, NULL) >= 0 || errno != EPERM)
        return 2;
    const char *reached = sandbox_hides_files(box) ? reach_try(&host, meant, ARRAY_SIZE(meant)) : NULL;
    return reached ? dprintf(STDERR_FILENO, "%s can be read\n", reached), 3 : 0;
}

/* --wrap: without the filter, so that what Landlock and the limits hold alone can be seen. */
static bool without_filter;

int __real_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return without_filter && option == PR_SET_SECCOMP ? 0 : __real_prctl(option, a, b, c, d);
}

/* For a process that is given this file, which is ours to write to, or an image to read. */
static struct sandbox *cage_for(int given, bool written)
{
    struct sandbox *box = NULL;
    struct error e = ERROR_NONE;
    assert_ok(sandbox_prepare(given, written, NULL, &box, &e), e);
    return box;
}

static int tries_without_filter(const struct sandbox *box, const char *given)
{
    static const struct {
        int resource;
        rlim_t most;
    } limits[] = {{RLIMIT_AS, 2ULL << 30}, {RLIMIT_NOFILE, 64}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}};
    struct rlimit now;
    without_filter = true;
    if (sandbox_enter(box) < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (getrlimit(limits[i].resource, &now) < 0 || now.rlim_max > limits[i].most)
            return 2;
    return sandbox_hides_files(box) && open(given, O_WRONLY | O_CLOEXEC) >= 0 ? 3 : 0;
}

static void each_wall_holds_alone(void **state)
{
    (void)state;
    run("echo y > given");
    _cleanup_close_ int given = open("given", O_RDONLY | O_CLOEXEC);
    _cleanup_sandbox_ struct sandbox *box = cage_for(given, false);
    pid_t pid = fork();
    if (pid == 0)
        _exit(tries_without_filter(box, "given"));
    assert_int_equal(child_status(pid), 0);
}

static int tried_inside(const struct sandbox *box)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (box && sandbox_enter(box) < 0)
            _exit(255);
        _exit(tries());
    }
    int status = child_status(pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_cage_holds(void **state)
{
    (void)state;
    run("echo x > writable; echo y > given");
    _cleanup_close_ int given = open("given", O_RDONLY | O_CLOEXEC);
    _cleanup_sandbox_ struct sandbox *box = cage_for(given, false);

    assert_int_equal(tried_inside(NULL), 0x7f); /* outside of it, all of that works */
    run("rm -r fresh made");
    reach_note(&host);
    pid_t pid = fork();
    if (pid == 0)
        _exit(sandbox_enter(box) < 0 ? 255 : tries_more(box));
    assert_int_equal(child_status(pid), 0);
    assert_int_equal(tried_inside(box), sandbox_hides_files(box) ? 0 : 1 << 6);
    assert_int_equal(access("fresh", F_OK), -1);
}

/* From inside: no new process, no write to a file that is open, but the given file may be opened again. */
static void the_cage_lets_through_what_is_meant(void **state)
{
    (void)state;
    run("echo x > target; echo y > given");
    _cleanup_close_ int given = open("given", O_RDONLY | O_CLOEXEC),
                        target = open("target", O_RDWR | O_CLOEXEC);
    _cleanup_sandbox_ struct sandbox *box = cage_for(given, false);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", given);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        if (sandbox_enter(box) < 0)
            _exit(1);
        if (syscall(SYS_openat, AT_FDCWD, path, O_RDONLY) < 0)
            _exit(2);
        if (syscall(SYS_openat, AT_FDCWD, path, O_RDWR) >= 0)
            _exit(3);
        if (pwrite(target, "zzzz", 4, 100) >= 0)
            _exit(4);
        if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0)
            _exit(5);
        if (syscall(SYS_io_uring_setup, 4, NULL) >= 0 || errno != EPERM)
            _exit(6);
        if (syscall(SYS_keyctl, 0, 0) >= 0 || errno != EPERM)
            _exit(7);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

/* For a file of ours: that one may be written to, and grow; no other can be opened for writing, or be made.
 */
static void the_cage_of_a_writer(void **state)
{
    (void)state;
    run("echo x > other; echo y > given; rm -f fresh");
    _cleanup_close_ int given = open("given", O_RDWR | O_CLOEXEC);
    _cleanup_sandbox_ struct sandbox *box = cage_for(given, true);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", given);
    bool walls = sandbox_hides_files(box);
    pid_t pid = fork();
    if (pid == 0) {
        if (sandbox_enter(box) < 0)
            _exit(1);
        int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0644);
        if (again < 0 || pwrite(again, "zzzz", 4, 1 << 20) != 4 || ftruncate(again, 2 << 20) < 0 ||
            fdatasync(again) < 0)
            _exit(2);
        if (walls && syscall(SYS_openat, AT_FDCWD, "other", O_RDWR) >= 0)
            _exit(3);
        if (walls && syscall(SYS_openat, AT_FDCWD, "fresh", O_RDWR | O_CREAT, 0644) >= 0)
            _exit(4);
        if (syscall(SYS_openat, AT_FDCWD, "other", O_WRONLY) >= 0 ||
            syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_TRUNC) >= 0)
            _exit(5);
        if (unlink("other") >= 0 || syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0)
            _exit(6);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

/* The real qemu-nbd is in it: its own status says so. */
static void the_server_is_in_the_cage(void **state)
{
    (void)state;
    char library[PATH_MAX]; /* one with a blank in its name cannot be preloaded */
    place_find("src/image", "inflate.so", library);
    run("qemu-img create -q -f qcow2 zeros 1M");
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = "zeros"}, &i, &e), e);
    assert_int_equal(getsid(i->server.pid), i->server.pid); /* out of reach of a terminal's Ctrl-C */
    _cleanup_free_ char *line = str_format(
        "grep -q '^NoNewPrivs:.1$' /proc/%d/status\n"
        "grep -q '^Seccomp:.2$' /proc/%d/status\n"
        "grep -q '^CapPrm:.0*$' /proc/%d/status\n"
        "grep -q '^Max file size  *0  *0 ' /proc/%d/limits\n"
        "! grep -z -v -e ^PATH= -e ^LC_ALL= -e ^LISTEN_ -e ^MALLOC_ -e ^LD_PRELOAD= /proc/%d/environ\n"
        "grep -q /inflate.so /proc/%d/maps || echo '%s' | grep -q '[ :]'\n",
        i->server.pid, i->server.pid, i->server.pid, i->server.pid, i->server.pid, i->server.pid, library);
    assert_non_null(line);
    run(line);
}

/* Whatever goes wrong with a program of QEMU's, it ends in time, and floods nobody: the pipe is full, and
 * `yes`, which cares, gives up. */
static void a_program_that_goes_wrong_ends(void **state)
{
    (void)state;
    run("truncate -s 1M zeros");
    static const char *const programs[][3] = {{"sleep", "60", NULL}, {"yes", "ERROR \x1b many", NULL}};
    _cleanup_close_ int fd = open("zeros", O_RDONLY | O_CLOEXEC);
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    struct error e = ERROR_NONE;
    assert_ok(qemu_view_make(&(struct qemu_file){.fd = fd}, &view, &e), e);

    for (size_t n = 0; n < ARRAY_SIZE(programs); n++) {
        char first[256], last[256];
        _cleanup_(qemu_end) struct qemu q = QEMU_NONE;
        assert_ok(qemu_start(&view, programs[n], -1, &q, &e), e);
        int status = qemu_wait(&q, n ? 20000 : 300);
        assert_int_equal(status, n ? 1 << 8 : -ETIMEDOUT);
        assert_int_equal(count_children(), 0);
        assert_string_equal(qemu_first_error(&q, first, sizeof first), n ? "? many" : "");
        assert_string_equal(qemu_last_words(&q, last, sizeof last), n ? "? many" : "");
    }
}

/* Without a deadline, but not without an end. */
static void a_program_that_hangs_can_be_left(void **state)
{
    (void)state;
    static const char *const argv[] = {"sleep", "60", NULL};
    unsigned asked = 0;
    run("truncate -s 1M zeros");
    _cleanup_close_ int fd = open("zeros", O_RDONLY | O_CLOEXEC);
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    _cleanup_(qemu_end) struct qemu q = QEMU_NONE;
    struct error e = ERROR_NONE;
    assert_ok(qemu_view_make(&(struct qemu_file){.fd = fd}, &view, &e), e);
    assert_ok(qemu_start(&view, argv, -1, &q, &e), e);
    assert_int_equal(qemu_wait_for(&q, at_once, &asked), -ECANCELED);
    assert_int_equal(asked, 1);
    assert_int_equal(count_children(), 0);
}

static void a_program_that_is_missing_is_said(void **state)
{
    (void)state;
    run("truncate -s 1M zeros");
    static const char *const argv[] = {"no-such-program", NULL};
    char field[64];
    _cleanup_close_ int fd = open("zeros", O_RDONLY | O_CLOEXEC);
    _cleanup_(qemu_view_release) struct qemu_view view = {0};
    _cleanup_(qemu_end) struct qemu q = QEMU_NONE;
    struct error e = ERROR_NONE;
    assert_ok(qemu_view_make(&(struct qemu_file){.fd = fd}, &view, &e), e);
    assert_ok(qemu_start(&view, argv, -1, &q, &e), e);
    assert_string_equal(qemu_status_text(qemu_wait(&q, 5000), field, sizeof field),
                        "is not installed; see the package qemu-utils");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_told),
        cmocka_unit_test(what_is_no_image_is_refused),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(what_shows_nothing_is_doubted),
        cmocka_unit_test(a_wrong_temporary_folder_is_no_matter),
        cmocka_unit_test(opening_can_be_stopped),
        cmocka_unit_test(bad_images_are_refused),
        cmocka_unit_test(cut_off_tables_and_data_are_refused),
        cmocka_unit_test(what_qemu_leaves_as_it_is_opens),
        cmocka_unit_test(a_program_that_goes_wrong_ends),
        cmocka_unit_test(a_program_that_hangs_can_be_left),
        cmocka_unit_test(a_program_that_is_missing_is_said),
        cmocka_unit_test(unreadable_is_said),
        cmocka_unit_test(what_the_caller_opened_is_read),
        cmocka_unit_test(the_cage_holds),
        cmocka_unit_test(each_wall_holds_alone),
        cmocka_unit_test(the_cage_lets_through_what_is_meant),
        cmocka_unit_test(the_cage_of_a_writer),
        cmocka_unit_test(the_server_is_in_the_cage),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
