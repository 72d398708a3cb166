/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds on the doubles: each part that can fail, that one failure hides no other, and that the
 * key which it tries is gone again, or told of. */
#include "host-tree.h"
#include "instances.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct findings {
    struct finding *all;
    size_t n;
};

static const char *hook = "/proc/self/exe"; /* a file that can be executed */
static void *host;                          /* its files, as they should be */
static struct lacks lacks;

static void examine(struct bench *b, const char *config_files, struct findings *ret)
{
    const struct doctor_paths paths = {.config_files = config_files, .hook = hook, .root = host};
    struct error e = ERROR_NONE;
    assert_ok(instance_doctor(&b->f.context, &lacks, &paths, &ret->all, &ret->n, &e), e);
}

static struct findings doctor(struct bench *b)
{
    struct findings f = {0};
    fake_again(&b->f);
    if (lacks.broker.errnum)
        b->f.context.broker = broker_disconnect(b->f.context.broker);
    if (lacks.virt.errnum)
        b->f.context.virt = virt_disconnect(b->f.context.virt);
    examine(b, "mayfly.conf", &f);
    return f;
}

static void findings_end(struct findings *f)
{
    free(f->all);
}
#define _cleanup_findings_ _cleanup_(findings_end)

static size_t count(const struct findings *f, enum finding_result result)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->all[i].result == result;
    return n;
}

static const struct finding *find(const struct findings *f, const char *what)
{
    for (size_t i = 0; i < f->n; i++)
        if (streq(f->all[i].what, what))
            return &f->all[i];
    return NULL;
}

static void assert_finding(const struct findings *f, const char *what, enum finding_result result, int errnum,
                           const char *words)
{
    const struct finding *one = find(f, what);
    if (!one || one->result != result || one->errnum != errnum || !strstr(one->text, words))
        fail_msg("%s: result %d, %d: %s", what, one ? (int)one->result : -1, one ? one->errnum : 0,
                 one ? one->text : "(not there)");
}

static int setup(void **state)
{
    lacks = (struct lacks){.config = ERROR_NONE};
    hook = "/proc/self/exe";
    return host_tree_make(&host) == 0 ? bench_setup(state) : -1;
}

static int teardown(void **state)
{
    folder_remove(&host);
    return bench_teardown(state);
}

static void test_all_well(void **state)
{
    struct bench *b = *state;
    static struct host before;
    bench_make(b, "t", true);
    before = b->w->host;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_int_equal(count(&f, FINDING_FAILED), 0);
    assert_finding(&f, "configuration", FINDING_OK, 0, "mayfly.conf");
    assert_finding(&f, "broker", FINDING_OK, 0, "");
    assert_finding(&f, "volume group vg0", FINDING_OK, 0, "free");
    assert_finding(&f, "LVM metadata of vg0", FINDING_OK, 0, "100%");
    assert_finding(&f, "libvirt hook", FINDING_OK, 0, hook);
    assert_finding(&f, "key manager local: keys", FINDING_OK, 0, "1 of this host");
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone");
    assert_memory_equal(&before, &b->w->host, sizeof before);
    assert_string_equal(b->w->violation, "");
}

static void test_locked_memory(void **state)
{
    struct bench *b = *state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    _cleanup_findings_ struct findings f = doctor(b);
    none.rlim_cur = 64 << 10;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    _cleanup_findings_ struct findings few = doctor(b);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
    assert_finding(&f, "locked memory", FINDING_FAILED, -EPERM, "ulimit -l");
    assert_finding(&few, "locked memory", FINDING_WARNING, 0, "lock 16 pages");
}

static void test_configuration(void **state)
{
    struct bench *b = *state;
    error_set(&lacks.config, -EINVAL, "mayfly.conf:3: nonsense");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_int_equal(f.n, 1);
    assert_finding(&f, "configuration", FINDING_FAILED, -EINVAL, "nonsense");
}

static void test_nothing_configured(void **state)
{
    struct bench *b = *state;
    b->f.config.volume_groups.n = 0;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "configuration", FINDING_FAILED, -EINVAL, "images_volume_group");
    assert_finding(&f, "broker", FINDING_OK, 0, "");
    assert_finding(&f, "key manager local: a key", FINDING_WARNING, 0, "no trial key was made");
    assert_int_equal(b->w->host.n_keys, 0);
}

static void test_encryption_off(void **state)
{
    struct bench *b = *state;
    b->f.config.encryption_enabled = false;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "configuration", FINDING_WARNING, 0, "encryption is off");
    assert_int_equal(count(&f, FINDING_FAILED), 0);
}

static void assert_silent(const struct findings *f, const char *words)
{
    for (size_t i = 0; i < f->n; i++)
        assert_null(strstr(f->all[i].what, words));
}

/* Whose disks are files has neither LVM nor libvirt's hook. */
static void test_pool_of_files(void **state)
{
    struct bench *b = *state;
    struct findings f;
    strcpy(b->f.config.pool_path, "/home/u/disks");
    examine(b, "", &f);
    assert_finding(&f, "configuration", FINDING_OK, 0, "no file: ");
    assert_finding(&f, "broker", FINDING_OK, 0, "/home/u/disks");
    assert_silent(&f, "LVM of the host");
    assert_silent(&f, "libvirt hook");
    findings_end(&f);
}

static void test_no_broker(void **state)
{
    struct bench *b = *state;
    error_set(&lacks.broker, -ENOENT, "mayfly-broker: is not there");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "broker", FINDING_FAILED, -ENOENT, "is not there");
    assert_null(find(&f, "volume group vg0"));
    assert_non_null(find(&f, "libvirt"));
    assert_finding(&f, "key manager local: a key", FINDING_WARNING, 0, "no trial key was made");
    assert_int_equal(count(&f, FINDING_FAILED), 1);
    assert_int_equal(b->w->host.n_keys, 0);
}

static void test_groups(void **state)
{
    struct bench *b = *state;
    b->f.config.volume_groups.n = 2;
    strcpy(b->f.config.volume_groups.item[1], "vg1");
    b->w->host.group.complete = false;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "volume group vg0", FINDING_FAILED, -ENODEV, "physical volume");
    assert_finding(&f, "volume group vg1", FINDING_FAILED, -ENOENT, "does not exist");
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone");
}

static void test_metadata_low(void **state)
{
    struct bench *b = *state;
    b->w->host.group.metadata_free_bytes = b->w->host.group.metadata_size_bytes / 10;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "LVM metadata of vg0", FINDING_WARNING, 0,
                   "about 86 more disks is left (102.3 KiB, 19%)");
    assert_int_equal(count(&f, FINDING_FAILED), 0);
}

static void test_metadata_low_but_large(void **state)
{
    struct bench *b = *state;
    struct group *g = &b->w->host.group;
    g->metadata_size_bytes = UINT64_C(64) << 20;
    g->metadata_free_bytes = g->metadata_size_bytes / 20;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "LVM metadata of vg0", FINDING_OK, 0, "about 2252 more disks");
}

static void test_damaged_volume(void **state)
{
    struct bench *b = *state;
    strcpy(b->w->host.damaged[0].vg, "vg0");
    strcpy(b->w->host.damaged[0].lv, "odd");
    b->w->host.n_damaged = 1;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "volume vg0/odd", FINDING_WARNING, 0, "left alone");
}

static void test_no_libvirt(void **state)
{
    struct bench *b = *state;
    error_set(&lacks.virt, -ECONNREFUSED, "libvirt: cannot connect");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "libvirt", FINDING_FAILED, -ECONNREFUSED, "cannot connect");
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone");
}

static void test_hook(void **state)
{
    struct bench *b = *state;
    char path[] = "/tmp/mayfly-hook-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    close(fd);
    hook = path;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "libvirt hook", FINDING_WARNING, 0, "not executable");
    unlink(path);
    _cleanup_findings_ struct findings g = doctor(b);
    assert_finding(&g, "libvirt hook", FINDING_WARNING, 0, "does not exist");
}

static void test_credentials(void **state)
{
    struct bench *b = *state;
    error_set(&lacks.who, -EPERM, "password: others can read it");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "credentials", FINDING_FAILED, -EPERM, "others can read it");
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone"); /* which wants none */
}

static void test_manager_unreachable(void **state)
{
    struct bench *b = *state;
    b->w->keys_unreachable = true;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "key manager local: keys", FINDING_FAILED, -EHOSTUNREACH, "cannot be reached");
    assert_null(find(&f, "key manager local: a key"));
}

static void test_managers_in_use(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    strcpy(b->f.config.key_backend, "ephemeral");
    strcpy(b->w->host.volumes[1].v.key, "vault:1234");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "key manager ephemeral", FINDING_OK, 0, "only in the kernel");
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone");
    assert_finding(&f, "key manager vault", FINDING_FAILED, -EINVAL, "vault");
}

/* --------------------------------------------- managers that have something */

static struct keymgr_ops odd; /* the double's, but for one operation */
static int (*fetch_as_before)(struct keymgr *km, const char *id, struct secret **ret, struct error *e);

static int open_odd(const struct config *c, struct key_context *who, const char *name, struct keymgr **ret,
                    struct error *e)
{
    int r = fake_keymgr_open(c, who, name, ret, e);
    if (r < 0)
        return r;
    struct keymgr_ops ops = *(*ret)->ops;
    fetch_as_before = ops.fetch;
    ops.fetch = odd.fetch ? odd.fetch : ops.fetch;
    ops.destroy = odd.destroy ? odd.destroy : ops.destroy;
    ops.diagnose = odd.diagnose;
    odd = ops;
    (*ret)->ops = &odd;
    return 0;
}

static struct findings doctor_odd(struct bench *b, struct keymgr_ops with)
{
    struct findings f = {0};
    fake_again(&b->f);
    odd = with;
    b->f.context.open_keymgr = open_odd;
    examine(b, "", &f);
    return f;
}

static int fetch_another(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    (void)km;
    if (world_key(fake_world(), id))
        return secret_random(64, ret, e);
    return error_set(e, -ENOKEY, "gone");
}

static int destroy_nothing(struct keymgr *km, const char *id, struct error *e)
{
    (void)km, (void)id, (void)e;
    return 0;
}

static int destroy_refused(struct keymgr *km, const char *id, struct error *e)
{
    (void)km, (void)id;
    return error_set(e, -EACCES, "not you");
}

static int diagnose_clock(struct keymgr *km, struct key_finding ret[KEY_FINDINGS_MAX], size_t *ret_n,
                          struct error *e)
{
    (void)km, (void)e;
    ret[0] = (struct key_finding){.what = "catalog", .text = "found"};
    ret[1] = (struct key_finding){.what = "clock", .result = -ETIME, .text = "is behind"};
    *ret_n = 2;
    return 0;
}

static void test_another_key_is_fetched(void **state)
{
    struct bench *b = *state;
    _cleanup_findings_ struct findings f = doctor_odd(b, (struct keymgr_ops){.fetch = fetch_another});
    assert_finding(&f, "key manager local: a key", FINDING_FAILED, -EKEYREJECTED,
                   "not the one that was made");
    assert_int_equal(b->w->host.n_keys, 0);
}

/* It stays, so its reference is told. */
static void assert_left(struct bench *b, const struct findings *f, int errnum, const char *words)
{
    char ref[KEY_REF_MAX];
    assert_int_equal(b->w->host.n_keys, 1);
    snprintf(ref, sizeof ref, "mayfly key destroy local:local/%.100s", b->w->host.keys[0].info.id);
    assert_finding(f, "key manager local: a key", FINDING_FAILED, errnum, ref);
    assert_finding(f, "key manager local: a key", FINDING_FAILED, errnum, words);
}

static void test_key_is_not_destroyed(void **state)
{
    struct bench *b = *state;
    _cleanup_findings_ struct findings f = doctor_odd(b, (struct keymgr_ops){.destroy = destroy_nothing});
    assert_left(b, &f, -EEXIST, "still there");
    b->w->host.n_keys = 0;
    _cleanup_findings_ struct findings g = doctor_odd(b, (struct keymgr_ops){.destroy = destroy_refused});
    assert_left(b, &g, -EACCES, "not you");
    b->w->host.n_keys = 0;
    _cleanup_findings_ struct findings h =
        doctor_odd(b, (struct keymgr_ops){.fetch = fetch_another, .destroy = destroy_refused});
    assert_left(b, &h, -EKEYREJECTED, "not the one that was made");
}

static void test_diagnosis(void **state)
{
    struct bench *b = *state;
    _cleanup_findings_ struct findings f = doctor_odd(b, (struct keymgr_ops){.diagnose = diagnose_clock});
    assert_finding(&f, "key manager local: catalog", FINDING_OK, 0, "found");
    assert_finding(&f, "key manager local: clock", FINDING_FAILED, -ETIME, "is behind");
    assert_null(find(&f, "key manager local: a key"));
    assert_int_equal(b->w->host.n_keys, 0);
}

/* A recover at the same moment leaves the key alone: while one is there, its owner is locked. */
static int fetch_and_recover(struct keymgr *km, const char *id, struct secret **ret, struct error *e)
{
    struct world *w = fake_world();
    struct world_key *k = world_key(w, id);
    if (k) {
        struct broker *other = fake_broker_new(w);
        assert_int_equal(broker_lock(other, k->info.owner, NULL), -EBUSY);
        broker_disconnect(other);
    }
    return fetch_as_before(km, id, ret, e);
}

static void test_locked(void **state)
{
    struct bench *b = *state;
    _cleanup_findings_ struct findings f = doctor_odd(b, (struct keymgr_ops){.fetch = fetch_and_recover});
    assert_finding(&f, "key manager local: a key", FINDING_OK, 0, "is gone");
}

static void test_people(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    b->w->host.domains[0].transient = true;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "instance t", FINDING_WARNING, 0, "transient");
    assert_null(find(&f, "domain t"));
    struct world_domain *other = world_add_domain(b->w, "other", "77777777-7777-4777-8777-777777777777");
    other->d.active = true;
    other->running = b->w->host.domains[0].running;
    b->w->host.domains[0].transient = false;
    _cleanup_findings_ struct findings shared = doctor(b);
    assert_finding(&shared, "instance t", FINDING_WARNING, 0, "the running domain other has its disk root");
    b->w->host.n_domains--;
    b->w->host.n_volumes = 0; /* as of a clone, which has the mark too */
    _cleanup_findings_ struct findings clone = doctor(b);
    assert_finding(&clone, "domain t", FINDING_WARNING, 0, "clone");
    assert_null(find(&clone, "instance t"));
}

/* Of a group that was split, say: nothing is known of its keys. */
static void test_volumes_elsewhere(void **state)
{
    struct bench *b = *state;
    _cleanup_findings_ struct findings none = doctor(b);
    assert_null(find(&none, "volume group vg-1"));
    host_tree_write(&host, "sys/class/block/dm-0/dm/name",
                    "vg--1-5c0e1c9e--0f53--4b1c--9d1e--3f4f6c1a7a10_disk\n");
    host_tree_write(&host, "sys/class/block/dm-0/dm/uuid", "LVM-abc\n");
    host_tree_write(&host, "sys/class/block/dm-1/dm/name",
                    "vg--1-5c0e1c9e--0f53--4b1c--9d1e--3f4f6c1a7a10_disk.swap\n");
    host_tree_write(&host, "sys/class/block/dm-1/dm/uuid", "LVM-abd\n");
    host_tree_write(&host, "sys/class/block/dm-2/dm/name",
                    "vg0-5c0e1c9e--0f53--4b1c--9d1e--3f4f6c1a7a10_disk\n");
    host_tree_write(&host, "sys/class/block/dm-2/dm/uuid", "LVM-abe\n");
    host_tree_write(&host, "sys/class/block/dm-3/dm/name", "vg2-home\n");
    host_tree_write(&host, "sys/class/block/dm-3/dm/uuid", "LVM-abf\n");
    host_tree_write(&host, "sys/class/block/dm-4/dm/name",
                    "vg3-5c0e1c9e--0f53--4b1c--9d1e--3f4f6c1a7a10_disk\n");
    host_tree_write(&host, "sys/class/block/dm-4/dm/uuid", "LVM-abg\n");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "volume group vg-1", FINDING_WARNING, 0, "but 2 of its active volumes");
    assert_finding(&f, "volume group vg3", FINDING_WARNING, 0, "but 1 of its active volumes");
    assert_finding(&f, "volume group vg0", FINDING_OK, 0, "free");
    assert_null(find(&f, "volume group vg2"));
}

/* An active volume as the kernel tells of it; each hyphen of its name is there twice. */
static void show_active(const char *device, const char *vg, const char *lv, const char *layer)
{
    char path[80], name[128] = "", *at = name + sprintf(name, "%s-", vg);
    for (; *lv; lv++) {
        *at++ = *lv;
        if (*lv == '-')
            *at++ = '-';
    }
    sprintf(at, "%s\n", layer);
    snprintf(path, sizeof path, "sys/class/block/%s/dm/name", device);
    host_tree_write(&host, path, name);
    snprintf(path, sizeof path, "sys/class/block/%s/dm/uuid", device);
    host_tree_write(&host, path, "LVM-abc\n");
}

#define ORPHAN     "5c0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a10_disk"
#define ORPHAN_MAP "device vg0-5c0e1c9e--0f53--4b1c--9d1e--3f4f6c1a7a10_disk"

/* As an lvm leaves it that was killed while it removed the volume. */
static void test_device_without_volume(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    show_active("dm-0", "vg0", b->w->host.volumes[0].v.lv, "");
    show_active("dm-1", "vg0", b->w->host.volumes[0].v.lv, "-real"); /* it has a snapshot */
    show_active("dm-2", "vg0", ORPHAN "_rimage_0", "");              /* LVM hides it */
    _cleanup_findings_ struct findings none = doctor(b);
    assert_int_equal(count(&none, FINDING_WARNING), 0);
    show_active("dm-3", "vg0", ORPHAN, "");
    show_active("dm-4", "vg0", ORPHAN, "-cow");
    _cleanup_findings_ struct findings f = doctor(b);
    assert_int_equal(count(&f, FINDING_WARNING), 2);
    assert_finding(&f, ORPHAN_MAP, FINDING_WARNING, 0, "run dmsetup remove vg0-5c0e1c9e--0f53");
    assert_finding(&f, ORPHAN_MAP "-cow", FINDING_WARNING, 0, "_disk-cow");
    b->w->host.untagged[0] = (struct untagged_volume){.vg = "vg0", .lv = ORPHAN};
    b->w->host.n_untagged = 1;
    _cleanup_findings_ struct findings untagged = doctor(b);
    assert_null(find(&untagged, ORPHAN_MAP));
    b->w->host.n_untagged = 0;
    b->w->host.group.complete = false;
    _cleanup_findings_ struct findings incomplete = doctor(b);
    assert_null(find(&incomplete, ORPHAN_MAP));
}

/* Its device goes before LVM's report is read. */
static void remove_device(struct world *w)
{
    w->person.at = streq(w->person.call, "list") ? 0 : w->calls + 1;
    if (!w->person.at)
        unlink(folder_path(&host, "sys/class/block/dm-3/dm/name"));
}

static void test_volume_that_is_removed_meanwhile(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    show_active("dm-3", "vg0", ORPHAN, "");
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = remove_device;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_null(find(&f, ORPHAN_MAP));
    assert_int_equal(b->w->person.at, 0);
}

static unsigned lists[2]; /* of the broker and of libvirt */

static void count_list(struct world *w)
{
    lists[0] += streq(w->person.call, "list");
    lists[1] += streq(w->person.call, "domains");
    w->person.at = w->calls + 1;
}

static void test_each_is_asked_once(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", true);
    b->w->person.at = b->w->calls + 1;
    b->w->person.act = count_list;
    lists[0] = lists[1] = 0;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_int_equal(count(&f, FINDING_FAILED), 0);
    assert_int_equal(lists[0], 1);
    assert_int_equal(lists[1], 1);
}

#define doctor_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void test_saved_ram(void **state)
{
    struct bench *b = *state;
    bench_make(b, "t", false);
    _cleanup_findings_ struct findings before = doctor(b);
    assert_null(find(&before, "memory of t"));
    b->w->host.domains[0].details.saved = true;
    _cleanup_findings_ struct findings f = doctor(b);
    assert_finding(&f, "memory of t", FINDING_WARNING, 0, "unencrypted");
    b->w->host.domains[0].d.ours = false;
    _cleanup_findings_ struct findings created = doctor(b); /* a domain of others, with disks of ours */
    assert_finding(&created, "memory of t", FINDING_WARNING, 0, "unencrypted");
    b->w->host.n_volumes = 0;
    _cleanup_findings_ struct findings theirs = doctor(b);
    assert_null(find(&theirs, "memory of t"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        doctor_test(test_all_well),
        doctor_test(test_locked_memory),
        doctor_test(test_configuration),
        doctor_test(test_nothing_configured),
        doctor_test(test_encryption_off),
        doctor_test(test_pool_of_files),
        doctor_test(test_no_broker),
        doctor_test(test_groups),
        doctor_test(test_metadata_low),
        doctor_test(test_metadata_low_but_large),
        doctor_test(test_damaged_volume),
        doctor_test(test_no_libvirt),
        doctor_test(test_hook),
        doctor_test(test_credentials),
        doctor_test(test_manager_unreachable),
        doctor_test(test_managers_in_use),
        doctor_test(test_another_key_is_fetched),
        doctor_test(test_key_is_not_destroyed),
        doctor_test(test_diagnosis),
        doctor_test(test_locked),
        doctor_test(test_volumes_elsewhere),
        doctor_test(test_device_without_volume),
        doctor_test(test_volume_that_is_removed_meanwhile),
        doctor_test(test_each_is_asked_once),
        bench_test(test_saved_ram),
        bench_test(test_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
