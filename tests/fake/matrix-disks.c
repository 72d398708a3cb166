/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the matrix about disks that come and go while the instance stays, and about domains that others
 * have defined.
 */
#include "matrix.h"

#include "instance/bench.h"

static const struct add_disks_request three_disks = {
    .name = "t",
    .disks = {.image.path = "/image",
              .root_bytes = GIB,
              .ephemeral = {{.size_bytes = GIB, .fs = "ext4"}},
              .n_ephemeral = 1,
              .swap_bytes = GIB}};
static const struct add_disk_request one_more = {.name = "t", .ephemeral = {.size_bytes = GIB, .fs = "xfs"}};

/* --------------------------------------------------------------- preparations */

static void have_domain(struct fake *f)
{
    world_add_domain(f->world, "t", "77777777-7777-4777-8777-777777777777");
}

static int add_disks(struct fake *f, struct error *e)
{
    _cleanup_free_ struct launched *launched = NULL;
    bool changed = false;
    return instance_add_disks(&f->context, &three_disks, &launched, &changed, NULL, e);
}

/* Of a domain that is not there yet. */
static int add_disks_apart(struct fake *f, const struct add_disks_request *q, struct error *e)
{
    _cleanup_free_ struct launched *launched = NULL;
    bool changed = false;
    int r = instance_add_disks(&f->context, q, &launched, &changed, NULL, e);
    if (r == 0 && !changed)
        world_violated(f->world, "disks were made, and that was not told");
    return r;
}

#define APART       "78787878-7878-4787-8787-787878787878"
#define CALLERS     "79797979-7979-4797-8797-797979797979"
#define CALLERS_REF "barbican:" CALLERS

static const struct add_disks_request apart = {.uuid = APART,
                                               .disks = {.image.path = "/image",
                                                         .root_bytes = GIB,
                                                         .root_alias = "disk",
                                                         .ephemeral = {{GIB, "ext4", "disk.eph0"}},
                                                         .n_ephemeral = 1,
                                                         .swap_bytes = GIB}};

static int add_disks_uuid(struct fake *f, struct error *e)
{
    return add_disks_apart(f, &apart, e);
}

static int add_disks_key(struct fake *f, bool keep, struct error *e)
{
    struct add_disks_request q = apart;
    q.key = CALLERS_REF;
    q.keep_key = keep;
    return add_disks_apart(f, &q, e);
}

static int add_disks_callers_key(struct fake *f, struct error *e)
{
    return add_disks_key(f, true, e);
}

static int add_disks_given_key(struct fake *f, struct error *e)
{
    return add_disks_key(f, false, e);
}

/* Its domain is left to others. */
static void have_apart_in_mind(struct fake *f)
{
    snprintf(f->world->host.apart, sizeof f->world->host.apart, "%s", APART);
}

void have_others_key(struct fake *f, const char *id, uint32_t bits)
{
    struct host *h = &f->world->host;
    struct world_key *k = &h->keys[h->n_keys++];
    memset(k, 0, sizeof *k);
    k->nova = true;
    k->info.bits = bits;
    snprintf(k->info.id, sizeof k->info.id, "%s", id);
    snprintf(k->manager, sizeof k->manager, "barbican");
    snprintf(k->project, sizeof k->project, PROJECT_OURS);
    for (size_t i = 0; i < bits / 8; i++)
        k->bytes[i] = (uint8_t)(i + 1);
}

static void have_callers_key(struct fake *f)
{
    have_apart_in_mind(f);
    have_others_key(f, CALLERS, 256);
}

static void have_apart(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_callers_key(f);
    must(add_disks_callers_key(f, &e), &e);
}

static void have_apart_with_given_key(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_callers_key(f);
    must(add_disks_given_key(f, &e), &e);
}

static int delete_apart(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, APART, &changed, e);
}

static int rescue_apart(struct fake *f, struct error *e)
{
    static const struct rescue_request q = {.image.path = "/rescue", .disk_only = true};
    bool changed = false;
    return instance_rescue(&f->context, APART, &q, &changed, NULL, e);
}

static int seed_apart(struct fake *f, struct error *e)
{
    _cleanup_secret_ struct secret *image = NULL;
    struct volume made;
    int r = secret_new(4096, &image, e);
    if (r < 0)
        return r;
    memcpy(secret_bytes(image), "instance-id: x", sizeof "instance-id: x");
    const struct add_disk_request q = {.name = APART, .seed_image = image};
    return instance_add_disk(&f->context, &q, &made, NULL, e);
}

static int unrescue_apart(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_unrescue(&f->context, APART, 0, true, &changed, e);
}

static void have_apart_in_rescue(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_apart(f);
    must(rescue_apart(f, &e), &e);
}

static int open_apart(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_open(&f->context, APART, MAP_TO_STAY, &changed, e);
}

void have_foreign(struct fake *f)
{
    struct error e = ERROR_NONE;
    have_domain(f);
    must(add_disks(f, &e), &e);
}

static void have_foreign_running(struct fake *f)
{
    struct error e = ERROR_NONE;
    bool changed = false;
    have_foreign(f);
    must(instance_start(&f->context, "t", &changed, &e), &e);
}

static void have_stubborn(struct fake *f)
{
    have_running(f);
    f->world->guest_ignores = true;
}

/* --------------------------------------------------------------- operations */

static int start(struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_start(&f->context, "t", &changed, e);
}

static int delete (struct fake *f, struct error *e)
{
    bool changed = false;
    return instance_delete(&f->context, "t", &changed, e);
}

/* Its disks are in use, and it is not ours to end. */
static int delete_refused(struct fake *f, struct error *e)
{
    return wanted(f, -EUNSAFE, delete (f, e));
}

static int rebuild(struct fake *f, struct error *e)
{
    static const struct rebuild_request q = {.image.path = "/image"};
    return instance_rebuild(&f->context, "t", &q, NULL, e);
}

static int add_disk(struct fake *f, struct error *e)
{
    struct volume made;
    return instance_add_disk(&f->context, &one_more, &made, NULL, e);
}

static int remove_disk(struct fake *f, struct error *e)
{
    const struct remove_disk_request q = {.name = "t", .role = "eph0"};
    bool changed = false;
    return instance_remove_disk(&f->context, &q, &changed, NULL, e);
}

static int remove_disk_refused(struct fake *f, struct error *e)
{
    return wanted(f, -EBUSY, remove_disk(f, e));
}

static const struct bench_request once = {.size_bytes = GIB, .runtime_sec = 1, .rounds = 1, .jobs = 1};

/* Who draws a bar is told after each cell. */
static void count_cell(void *data, unsigned done, unsigned all)
{
    *(bool *)data |= done > 0 && done <= all;
}

static int bench(struct fake *f, struct error *e)
{
    struct bench_result result;
    bool counted = false;
    const struct reporter reporter = {.count = count_cell, .data = &counted};
    f->context.reporter = &reporter;
    int r = instance_bench(&f->context, &once, &result, NULL, e);
    if (r == 0 && (result.ratio[0][BENCH_RAW] != 1 || result.ratio[0][BENCH_CRYPTSETUP] != 5.0 / 7 ||
                   result.ratio[0][BENCH_OURS_USER] != 0.5 || bench_has(&result, BENCH_NBD)))
        world_violated(f->world, "it was measured, but not told right");
    if (r == 0 && !counted)
        world_violated(f->world, "nobody is told how far it is");
    f->context.reporter = NULL;
    return r;
}

static int killed(int fd, const struct bench_cell *cell, struct bench_figures *ret, struct error *e)
{
    (void)fd, (void)ret;
    if (cell->column == BENCH_RAW) /* so that there is a map */
        return 0;
    fake_world()->crashed = true;
    return error_set(e, -ECONNRESET, "crash");
}

static void have_cut_bench(struct fake *f)
{
    struct bench_result result;
    f->context.bench_measure = killed;
    if (instance_bench(&f->context, &once, &result, NULL, NULL) == 0)
        abort();
    world_revive(f->world);
}

const struct scenario disk_scenarios[] = {
    /* name, tune, prepare, operate, {domains, active, volumes, maps, opened, keys}, promise */
    {"add-disks", NULL, have_domain, add_disks, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"add-disks plain", plain_disks, have_domain, add_disks, {1, 0, 3, 0, 0, 0}, UNDONE},
    {"barbican: add-disks", in_barbican, have_domain, add_disks, {1, 0, 3, 0, 0, 1}, UNDONE},
    {"add-disks uuid", NULL, have_apart_in_mind, add_disks_uuid, {0, 0, 3, 0, 0, 1}, UNDONE},
    {"add-disks uuid, caller's key",
     NULL,
     have_callers_key,
     add_disks_callers_key,
     {0, 0, 3, 0, 0, 1},
     UNDONE},
    {"add-disks uuid, given key", NULL, have_callers_key, add_disks_given_key, {0, 0, 3, 0, 0, 1}, UNDONE},
    {"open uuid, caller's key", NULL, have_apart, open_apart, {0, 0, 3, 3, 3, 1}, UNDONE},
    {"add-disk seed alone", NULL, have_apart, seed_apart, {0, 0, 4, 0, 0, 1}, UNDONE},
    {"rescue disk alone", NULL, have_apart, rescue_apart, {0, 0, 4, 0, 0, 1}, UNDONE},
    {"unrescue disk alone", NULL, have_apart_in_rescue, unrescue_apart, {0, 0, 3, 0, 0, 1}, FORWARD},
    {"delete uuid, caller's key", NULL, have_apart, delete_apart, {0, 0, 0, 0, 0, 1}, FORWARD},
    {"delete uuid, given key", NULL, have_apart_with_given_key, delete_apart, NOTHING, FORWARD},
    {"start foreign", NULL, have_foreign, start, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"rebuild foreign, running", NULL, have_foreign_running, rebuild, {1, 1, 3, 3, 0, 1}, FORWARD},
    {"delete foreign", NULL, have_foreign, delete, {1, 0, 0, 0, 0, 0}, FORWARD},
    {"delete foreign, running", NULL, have_foreign_running, delete_refused, {1, 1, 3, 3, 0, 1}, UNDONE},
    {"add-disk", NULL, have_stopped, add_disk, {1, 0, 4, 0, 0, 1}, UNDONE},
    {"add-disk, opened", NULL, have_opened, add_disk, {1, 0, 4, 3, 3, 1}, UNDONE},
    {"add-disk, running", NULL, have_running, add_disk, {1, 1, 4, 4, 0, 1}, UNDONE},
    {"add-disk to foreign, running", NULL, have_foreign_running, add_disk, {1, 1, 4, 4, 0, 1}, UNDONE},
    {"add-disk plain, running", plain_disks, have_running, add_disk, {1, 1, 4, 0, 0, 0}, UNDONE},
    {"remove-disk", NULL, have_stopped, remove_disk, {1, 0, 2, 0, 0, 1}, TURNING},
    {"remove-disk, opened", NULL, have_opened, remove_disk, {1, 0, 2, 2, 2, 1}, TURNING},
    {"remove-disk, running", NULL, have_running, remove_disk, {1, 1, 2, 2, 0, 1}, TURNING},
    {"remove-disk from foreign, running",
     NULL,
     have_foreign_running,
     remove_disk,
     {1, 1, 2, 2, 0, 1},
     TURNING},
    {"remove-disk plain, running", plain_disks, have_running, remove_disk, {1, 1, 2, 0, 0, 0}, TURNING},
    {"bench", NULL, NULL, bench, NOTHING, UNDONE},
    {"recover a bench that was cut off", NULL, have_cut_bench, recover_all, NOTHING, FORWARD},
    {"remove-disk, the guest keeps it", NULL, have_stubborn, remove_disk_refused, {1, 1, 3, 3, 0, 1}, UNDONE},
};
const size_t n_disk_scenarios = ARRAY_SIZE(disk_scenarios);
