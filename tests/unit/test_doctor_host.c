/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds in the files of a host, and of libvirt's daemon on it. */
#include "host-tree.h"

#include "build-config.h"
#include "instance/doctor.h"

#include <sys/statvfs.h>

static struct config config;
static struct lacks lacks;
static const struct context context = {.config = &config};

static int setup(void **state)
{
    config_defaults(&config);
    lacks = (struct lacks){.config = ERROR_NONE};
    error_set(&lacks.virt, -ECONNREFUSED, "libvirt: is not asked here");
    return host_tree_make(state);
}

struct looked {
    struct doctor_paths paths;
    struct model model; /* empty */
    struct examination x;
};

static void look(void **state, void (*examine)(struct examination *x), struct looked *ret)
{
    ret->paths = (struct doctor_paths){.config_files = "", .hook = "/proc/self/exe", .root = *state};
    ret->model = (struct model){.n_instances = 0};
    ret->x = (struct examination){
        .context = &context, .lacks = &lacks, .paths = &ret->paths, .model = &ret->model};
    examine(&ret->x);
    assert_false(ret->x.out_of_memory);
}

static void looked_end(struct looked *l)
{
    free(l->x.findings);
}
#define _cleanup_looked_ _cleanup_(looked_end)

static const struct finding *find(const struct looked *l, const char *what, const char *words)
{
    for (size_t i = 0; i < l->x.n; i++)
        if (streq(l->x.findings[i].what, what) && strstr(l->x.findings[i].text, words))
            return &l->x.findings[i];
    return NULL;
}

static void assert_found(const struct looked *l, enum finding_result result, const char *what,
                         const char *words)
{
    const struct finding *f = find(l, what, words);
    for (size_t i = 0; (!f || f->result != result) && i < l->x.n; i++)
        print_message("%d %s: %s\n", l->x.findings[i].result, l->x.findings[i].what, l->x.findings[i].text);
    assert_non_null(f);
    assert_int_equal(f->result, result);
}

static void test_all_well(void **state)
{
    _cleanup_looked_ struct looked l;
    look(state, examine_host, &l);
    assert_found(&l, FINDING_OK, "programs", "all");
    assert_found(&l, FINDING_OK, "kernel", "Landlock");
    assert_found(&l, FINDING_OK, "swap of the host", "is not in use");
    assert_found(&l, FINDING_OK, "LVM of the host", "does not look");
}

static void test_programs(void **state)
{
    unlink(folder_path(state, "usr/sbin/mkfs.xfs"));
    chmod(folder_path(state, "usr/sbin/qemu-nbd"), 0644);
    _cleanup_looked_ struct looked l;
    look(state, examine_host, &l);
    assert_found(&l, FINDING_WARNING, "mkfs.xfs", "apt-get install xfsprogs");
    assert_found(&l, FINDING_FAILED, "qemu-nbd", "apt-get install qemu-utils");
    assert_null(find(&l, "programs", ""));
}

static void test_kernel(void **state)
{
    host_tree_write(state, "sys/kernel/security/lsm", "capability,apparmor\n");
    host_tree_write(state, "proc/sys/kernel/io_uring_disabled", "2\n");
    _cleanup_looked_ struct looked l;
    look(state, examine_host, &l);
    assert_found(&l, FINDING_WARNING, "kernel", "Landlock is not in use");
    assert_found(&l, FINDING_WARNING, "kernel", "io_uring");
    host_tree_write(state, "sys/kernel/security/lsm", "landlock\n");
    host_tree_write(state, "proc/sys/kernel/io_uring_disabled", "0\n");
    _cleanup_looked_ struct looked good;
    look(state, examine_host, &good);
    assert_found(&good, FINDING_OK, "kernel", "Landlock");
}

static const struct room {
    uint64_t blocks; /* of 4096 bytes */
    unsigned long files, free_files;
    bool enough;
} * room;

int __real_statvfs64(const char *path, struct statvfs *st);
int __wrap_statvfs64(const char *path, struct statvfs *st);
int __wrap_statvfs64(const char *path, struct statvfs *st)
{
    int r = __real_statvfs64(path, st);
    if (room) {
        st->f_bavail = room->blocks;
        st->f_frsize = 4096;
        st->f_files = room->files;
        st->f_favail = room->free_files;
    }
    return r;
}

static void test_room(void **state)
{
    static const struct room rooms[] = {
        {4096, 1000, 100, true}, /* 16 MiB */
        {4095, 1000, 100, false},
        {4096, 1000, 99, false},
        {4096, 0, 0, true}, /* a file system that does not count them */
    };
    for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
        room = &rooms[i];
        _cleanup_looked_ struct looked l;
        look(state, examine_host, &l);
        room = NULL;
        if (rooms[i].enough)
            assert_found(&l, FINDING_OK, "room for files", "there is enough");
        else
            assert_found(&l, FINDING_WARNING, "room for files", "/etc has only ");
    }
}

static const struct {
    const char *swap, *file[4][2]; /* a line of /proc/swaps; files of sysfs */
    enum finding_result result;
} swaps[] = {
    {"/dev/sda2 partition 1 0 -2", {{0}}, FINDING_WARNING},
    {"/dev/dm-1 partition 1 0 -2", {{"sys/class/block/dm-1/dm/uuid", "CRYPT-PLAIN-swap\n"}}, FINDING_OK},
    {"/dev/dm-1 partition 1 0 -2", {{"sys/class/block/dm-1/dm/uuid", "LVM-a\n"}}, FINDING_WARNING},
    {"/dev/dm-1 partition 1 0 -2",
     {{"sys/class/block/dm-1/dm/uuid", "LVM-a\n"},
      {"sys/class/block/dm-1/slaves/dm-0", ""},
      {"sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-a\n"}},
     FINDING_OK},
    {"/dev/dm-1 partition 1 0 -2",
     {{"sys/class/block/dm-1/slaves/dm-0", ""},
      {"sys/class/block/dm-1/slaves/sdb", ""},
      {"sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-a\n"}},
     FINDING_WARNING},
    {"/dev/zram0 partition 1 0 100", {{"sys/class/block/zram0/backing_dev", "none\n"}}, FINDING_OK},
    {"/dev/zram0 partition 1 0 100", {{"sys/class/block/zram0/backing_dev", "/dev/sdb\n"}}, FINDING_WARNING},
    {"/swapfile file 1 0 -2", {{0}}, FINDING_WARNING},
};

static void test_swap(void **state)
{
    folder_remove(state);
    for (size_t i = 0; i < ARRAY_SIZE(swaps); i++) {
        char text[128];
        assert_int_equal(host_tree_make(state), 0);
        snprintf(text, sizeof text, "Filename Type Size Used Priority\n%s\n", swaps[i].swap);
        host_tree_write(state, "proc/swaps", text);
        for (size_t n = 0; n < 4 && swaps[i].file[n][0]; n++)
            host_tree_write(state, swaps[i].file[n][0], swaps[i].file[n][1]);
        _cleanup_looked_ struct looked l;
        look(state, examine_host, &l);
        print_message("%zu: %s\n", i, swaps[i].swap);
        assert_found(&l, swaps[i].result, "swap of the host", "");
        folder_remove(state);
    }
    assert_int_equal(host_tree_make(state), 0);
}

static void test_lvm(void **state)
{
    host_tree_write(state, "etc/lvm/lvmlocal.conf",
                    "devices {\n  # global_filter = [ \"r|-dmcrypt|\" ]\n}\n");
    _cleanup_looked_ struct looked l;
    look(state, examine_host, &l);
    assert_found(&l, FINDING_WARNING, "LVM of the host", "global_filter");
    host_tree_write(state, "etc/lvm/lvm.conf",
                    "devices {\n\tfilter = [ \"r|/dev/mapper/.*-dmcrypt|\" ]\n}\n");
    _cleanup_looked_ struct looked set;
    look(state, examine_host, &set);
    assert_found(&set, FINDING_OK, "LVM of the host", "does not look");
}

/* libvirtd's name may hold blanks and parentheses; it started `seconds` after 2001-09-09. */
static void daemon_write(void **state, const char *name, unsigned seconds, const char *label)
{
    char text[256];
    snprintf(text, sizeof text, "%s\n", name);
    host_tree_write(state, "proc/4711/comm", text);
    snprintf(text, sizeof text, "4711 (a ) b) S 1 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 %lu 1 1\n",
             seconds * (unsigned long)sysconf(_SC_CLK_TCK));
    host_tree_write(state, "proc/4711/stat", text);
    host_tree_write(state, "proc/4711/attr/current", label);
}

#define FAR_AHEAD 3000000000U

static void test_hook_not_seen(void **state)
{
    daemon_write(state, "virtqemud", 1, "unconfined\n");
    _cleanup_looked_ struct looked before;
    look(state, examine_libvirt, &before);
    daemon_write(state, "virtqemud", FAR_AHEAD, "unconfined\n");
    _cleanup_looked_ struct looked after;
    look(state, examine_libvirt, &after);
    daemon_write(state, "virtlogd", 1, "unconfined\n");
    _cleanup_looked_ struct looked none;
    look(state, examine_libvirt, &none);
    if (access("/proc/self/exe", X_OK) == 0)
        assert_found(&before, FINDING_WARNING, "libvirt hook", "systemctl restart virtqemud");
    assert_found(&after, FINDING_OK, "libvirt hook", "is there");
    assert_found(&none, FINDING_OK, "libvirt hook", "is there");
    assert_found(&none, FINDING_OK, "AppArmor", "not known");
}

static void test_apparmor(void **state)
{
    static const struct {
        const char *label, *profile, *local, *words;
        enum finding_result result;
    } cases[] = {
        {"unconfined\n", "", "", "does not confine", FINDING_OK},
        {"libvirtd (complain)\n", "", "", "does not confine", FINDING_OK},
        {"libvirtd (enforce)\n", "  /sbin/* PUx,\n", "", MAYFLY_PROGRAM " PUx,", FINDING_WARNING},
        {"libvirtd (enforce)\n", "  #" MAYFLY_BINDIR "/* PUx,\n", "", "apparmor_parser", FINDING_WARNING},
        {"libvirtd (enforce)\n", "  " MAYFLY_BINDIR "/* PUx,\n", "", "lets its hook run", FINDING_OK},
        {"libvirtd (enforce)\n", "", MAYFLY_PROGRAM " PUx,\n", "lets its hook run", FINDING_OK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        daemon_write(state, "libvirtd", FAR_AHEAD, cases[i].label);
        host_tree_write(state, "etc/apparmor.d/usr.sbin.libvirtd", cases[i].profile);
        host_tree_write(state, "etc/apparmor.d/local/usr.sbin.libvirtd", cases[i].local);
        _cleanup_looked_ struct looked l;
        look(state, examine_libvirt, &l);
        print_message("%zu\n", i);
        assert_found(&l, cases[i].result, "AppArmor", cases[i].words);
    }
    host_tree_write(state, "sys/module/apparmor/parameters/enabled", "N\n");
    _cleanup_looked_ struct looked off;
    look(state, examine_libvirt, &off);
    assert_found(&off, FINDING_OK, "AppArmor", "not in use");
}

static bool has_nova, nova_is_member;
bool __wrap_user_exists(const char *user);
bool __wrap_user_exists(const char *user)
{
    assert_string_equal(user, "nova");
    return has_nova;
}

bool __wrap_user_is_in_group(const char *user, const char *group);
bool __wrap_user_is_in_group(const char *user, const char *group)
{
    assert_string_equal(user, "nova");
    assert_string_equal(group, "mayfly");
    return nova_is_member;
}

#define NOVA_CONF    "etc/nova/nova.conf"
#define COMPUTE_CONF "etc/nova/nova-compute.conf"
#define DRIVEN                                                                                               \
    "[DEFAULT]\ncompute_driver = mayfly.MayflyDriver\n[libvirt]\nimages_type = lvm\nimages_volume_group = "  \
    "vg0\n[barbican]\nauth_endpoint = https://keystone.test/v3\n"

/* Says of Nova this, and nothing else. */
static void assert_nova(void **state, const char *conf, const char *compute_conf, enum finding_result result,
                        const char *words)
{
    _cleanup_looked_ struct looked l;
    host_tree_write(state, NOVA_CONF, conf);
    host_tree_write(state, COMPUTE_CONF, compute_conf);
    look(state, examine_nova, &l);
    assert_found(&l, result, "Nova", words);
    assert_int_equal(l.x.n, 1);
}

static void test_nova(void **state)
{
    static const struct {
        const char *conf, *compute_conf;
        enum finding_result result;
        const char *words;
    } rows[] = {
        {"[ephemeral_storage_encryption]\nenabled = false\n", DRIVEN, FINDING_OK, "Mayfly makes the disks"},
        {DRIVEN, "", FINDING_OK, "Mayfly makes the disks"},
        {DRIVEN, "[DEFAULT]\ncompute_driver=libvirt.LibvirtDriver\n", FINDING_WARNING,
         "compute_driver = mayfly.MayflyDriver"},
        {"[libvirt]\ncompute_driver = mayfly.MayflyDriver\n", "", FINDING_WARNING,
         "Mayfly does not make the disks"},
        {DRIVEN "[libvirt]\nimages_type = qcow2 ; no\n", "", FINDING_WARNING, "images_type = lvm"},
        {DRIVEN "[libvirt]\nimages_volume_group = other\n", "", FINDING_WARNING,
         "images_volume_group is other"},
        {DRIVEN "[ephemeral_storage_encryption]\nenabled = True\n", "", FINDING_WARNING, "enabled = false"},
        {DRIVEN "[DEFAULT]\nconfig_drive_format = vfat\n", "", FINDING_WARNING,
         "config_drive_format = iso9660 in [DEFAULT]"},
        {DRIVEN "[DEFAULT]\nforce_raw_images = False\n", "", FINDING_WARNING,
         "force_raw_images = true in [DEFAULT]"},
        {DRIVEN "[libvirt]\ninject_partition = -1\n", "", FINDING_WARNING,
         "inject_partition = -2 in [libvirt]"},
        {DRIVEN "[libvirt]\nsnapshot_image_format = qcow2\n", "", FINDING_WARNING,
         "snapshot_image_format = raw in [libvirt]"},
        {DRIVEN "[barbican]\nauth_endpoint =\n", "", FINDING_WARNING, "auth_endpoint in [barbican]"},
        {DRIVEN "nonsense\n", "", FINDING_FAILED, "nova.conf:8: is neither"},
    };
    config.volume_groups = (struct config_list){.n = 1, .item = {"vg0"}};
    strcpy(config.key_backend, "barbican");
    strcpy(config.host_access, "read");
    config.encryption_enabled = has_nova = nova_is_member = true;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_nova(state, rows[i].conf, rows[i].compute_conf, rows[i].result, rows[i].words);

    nova_is_member = false;
    assert_nova(state, DRIVEN, "", FINDING_FAILED, "adduser nova mayfly");
    nova_is_member = true;
    config.encryption_enabled = false;
    assert_nova(state, DRIVEN, "", FINDING_FAILED, "encryption is off");
    config.encryption_enabled = true;
    strcpy(config.host_access, "none");
    assert_nova(state, DRIVEN, "", FINDING_WARNING, "host_access = read");
    strcpy(config.key_backend, "local");
    assert_nova(state, DRIVEN, "", FINDING_WARNING, "backend = barbican");
}

/* A host that has none of it hears nothing of it. */
static void test_no_nova(void **state)
{
    has_nova = false;
    host_tree_write(state, NOVA_CONF, DRIVEN);
    _cleanup_looked_ struct looked none, without;
    look(state, examine_nova, &none);
    assert_int_equal(none.x.n, 0);
    has_nova = true;
    unlink(folder_path(state, NOVA_CONF));
    look(state, examine_nova, &without);
    assert_int_equal(without.x.n, 0);
}

static void assert_sockets(void **state, mode_t mode, enum finding_result result, const char *words)
{
    _cleanup_looked_ struct looked l;
    chmod(folder_path(state, SOCKETS_OF_HOST), mode);
    look(state, examine_host, &l);
    assert_found(&l, result, "sockets of disks", words);
}

static void test_sockets(void **state)
{
    _cleanup_looked_ struct looked l;
    look(state, examine_host, &l);
    assert_null(find(&l, "sockets of disks", "")); /* dm-crypt needs none */
    strcpy(config.engine, "user");
    assert_sockets(state, 0, FINDING_OK, "not there yet");
    host_tree_write(state, SOCKETS_OF_HOST "/lock", "");
    assert_sockets(state, 0700, FINDING_WARNING, "chmod 2755");
    assert_sockets(state, 02777, FINDING_WARNING, "has mode 2777");
    if (getegid() == 0) {
        assert_sockets(state, 02755, FINDING_WARNING, "chgrp");
        assert_int_equal(chown(folder_path(state, SOCKETS_OF_HOST), 0, 12345), 0);
    }
    assert_sockets(state, 02755, FINDING_OK, "QEMU's group");
}

#define host_test(f) cmocka_unit_test_setup_teardown(f, setup, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_all_well),      host_test(test_programs), host_test(test_kernel),
        host_test(test_swap),          host_test(test_lvm),      host_test(test_apparmor),
        host_test(test_hook_not_seen), host_test(test_room),     host_test(test_nova),
        host_test(test_no_nova),       host_test(test_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
