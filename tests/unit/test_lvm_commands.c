/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of LVM, and what is made of its answers: over an lvm that answers as each test says. Its
 * process, its keeper and the way to talk to it are the real ones. */
#include "unit.h"
#include "volume-sample.h"

#include "base/fd.h"
#include "base/process.h"
#include "storage/lvm-filter.h"
#include "storage/lvm.h"
#include "storage/tags.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- an lvm ---- */

#define ANSWERS_MAX 24

struct answer {
    enum { ANSWERS, FAILS, DIES, SAYS_NO_STATUS } how;
    char text[3000]; /* rows of the report, or messages, a line each */
};

/* Between us and its process, which is told before it is started. */
static struct stage {
    struct answer answers[ANSWERS_MAX];
    char asked[ANSWERS_MAX][8192]; /* the commands, but for lastlog */
    size_t n_answers, n_asked;
    unsigned starts;
    char environment[500];
    bool quiet; /* nothing of what it prints goes where we print */
} * stage;

static int keep_fd = -1;

static void report(const char *kind, const char *rows, const char *log)
{
    dprintf(
        3,
        "  {\n      \"report\": [\n          {\n              \"%s\": [\n%s\n              ]\n          }\n"
        "      ]\n      ,\n      \"log\": [\n%s\n      ]\n  }\n",
        kind, rows, log);
}

static void status(const char *kind, const char *rows, int code)
{
    char log[300];
    snprintf(log, sizeof log,
             "          {\"log_seq_num\":\"9\", \"log_type\":\"status\", \"log_context\":\"shell\", "
             "\"log_object_type\":\"cmd\", \"log_message\":\"done\", \"log_errno\":\"0\", "
             "\"log_ret_code\":\"%d\"}",
             code);
    report(kind, rows, log);
}

static void tell_why(char *messages)
{
    char log[6000];
    size_t used = 0;
    for (char *one; (one = strsep(&messages, "\n"));)
        used += (size_t)snprintf(
            log + used, sizeof log - used,
            "          {\"log_seq_num\":\"1\", \"log_type\":\"error\", \"log_context\":\"processing\", "
            "\"log_message\":\"%s\", \"log_errno\":\"-1\", \"log_ret_code\":\"0\"},\n",
            one);
    snprintf(log + used, sizeof log - used,
             "          {\"log_seq_num\":\"2\", \"log_type\":\"status\", \"log_context\":\"shell\", "
             "\"log_message\":\"failed\", \"log_errno\":\"0\", \"log_ret_code\":\"5\"}");
    report("log", "", log);
}

static void answer(const char *line)
{
    static struct answer last;
    if (str_starts(line, "lastlog ")) {
        tell_why(last.text);
        return;
    }
    snprintf(stage->asked[stage->n_asked], sizeof stage->asked[0], "%s", line);
    last = stage->answers[stage->n_asked++];
    if (last.how == DIES)
        _exit(5);
    if (last.how == SAYS_NO_STATUS)
        report("lv", last.text, "");
    else
        status("lv", last.how == FAILS ? "" : last.text, last.how == FAILS ? 5 : 1);
}

_noreturn_ void __wrap_process_exec(const char *const argv[], const char *const environment[]);
_noreturn_ void __wrap_process_exec(const char *const argv[], const char *const environment[])
{
    char line[8192];
    FILE *commands = fdopen(0, "r");
    struct stat out, err, nothing;
    stage->starts++;
    stage->quiet = stat("/dev/null", &nothing) == 0 && fstat(1, &out) == 0 && fstat(2, &err) == 0 &&
                   out.st_rdev == nothing.st_rdev && err.st_rdev == nothing.st_rdev;
    stage->environment[0] = '\0';
    for (size_t i = 0; environment[i]; i++)
        strcat(strcat(stage->environment, environment[i]), " ");
    while (streq(argv[0], "lvm") && commands && fgets(line, sizeof line, commands))
        answer(line);
    _exit(0);
}

/* ---- the host ---- */

static bool has_control = true, has_lvm = true, has_udevd, has_dbus, has_filter;
static int control_errno = ENOENT;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    if (!streq(path, "/dev/mapper/control"))
        return __real_open64(path, flags);
    return has_control ? memfd_create("control", MFD_CLOEXEC) : (errno = control_errno, -1);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    bool there = str_ends(path, "sbin/lvm")           ? has_lvm
                 : streq(path, "/run/udev/control")   ? has_udevd
                 : str_ends(path, "lvmdbus1.service") ? has_dbus
                                                      : __real_access(path, mode) == 0;
    return there ? 0 : (errno = ENOENT, -1);
}

bool __wrap_lvm_filter_is_set(void);
bool __wrap_lvm_filter_is_set(void)
{
    return has_filter;
}

static int target_result;
int __wrap_dm_load_target(const char *target, uint32_t version[3]);
int __wrap_dm_load_target(const char *target, uint32_t version[3])
{
    (void)version;
    assert_string_equal(target, "snapshot");
    return target_result;
}

/* ---- acting ---- */

static struct lvm *lvm;

static int begin(void **state)
{
    (void)state;
    memset(stage, 0, sizeof *stage);
    has_control = has_lvm = true;
    has_udevd = has_dbus = has_filter = false;
    control_errno = ENOENT;
    target_result = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    lvm = lvm_stop(lvm);
    return 0;
}

static void will(int how, const char *text)
{
    if (stage->n_answers < stage->n_asked)
        stage->n_answers = stage->n_asked;
    struct answer *a = &stage->answers[stage->n_answers++];
    a->how = how;
    snprintf(a->text, sizeof a->text, "%s", text);
}

static void start(void)
{
    OK(lvm_start(keep_fd, &lvm, &e));
}

/* The words of the n-th command without the options that all have. */
static const char *words(size_t n)
{
    static char text[8192];
    const char *verb_end = strchr(stage->asked[n], ' '), *rest = strstr(stage->asked[n], "}' ");
    assert_non_null(verb_end);
    assert_non_null(rest);
    snprintf(text, sizeof text, "%.*s %s", (int)(verb_end - stage->asked[n]), stage->asked[n], rest + 3);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static bool has_word(size_t n, const char *word)
{
    _cleanup_free_ char *wanted = str_format(" %s ", word);
    return strstr(words(n), wanted);
}

/* ---- commands ---- */

#define LV "11111111-1111-4111-8111-111111111111_disk.eph0"

static void a_volume_is_made_with_its_tags_at_once(void **state)
{
    (void)state;
    struct volume v = sample_volume(), plain = sample_plain_volume();
    char tags[TAGS_TEXT_MAX], *rest = tags;
    start();
    v.size_bytes = 1000;
    OK(lvm_create(lvm, &v, &e));
    OK(lvm_create(lvm, &plain, &e));
    assert_int_equal(stage->n_asked, 2);
    assert_true(str_starts(words(0), "lvcreate "));
    tags_format(&v, tags);
    for (char *tag; (tag = strsep(&rest, ","));) {
        _cleanup_free_ char *both = str_format("--addtag %s", tag);
        assert_true(has_word(0, both));
    }
    assert_true(has_word(0, "-Zn") && has_word(0, "-Wn") && has_word(0, "-y") && has_word(0, "-n " LV));
    assert_true(has_word(0, "-L 1024b")); /* whole sectors */
    assert_true(str_ends(words(0), " vg0 "));
    /* Of the device of an encrypted one nobody knows but the broker; that of a plain one is the guest's. */
    assert_true(has_word(0, "--noudevsync"));
    assert_false(has_word(1, "--noudevsync"));
}

static void a_snapshot_is_read_only(void **state)
{
    (void)state;
    struct volume v = sample_volume(), s = v;
    strcpy(s.role, ROLE_SNAPSHOT);
    start();
    OK(lvm_snapshot(lvm, &v, &s, &e));
    assert_true(has_word(0, "-s") && has_word(0, "-pr") && !has_word(0, "--noudevsync"));
    assert_true(str_ends(words(0), " vg0/" LV " "));
    target_result = -EINVAL;
    REFUSED_WITH(-EOPNOTSUPP, "has no dm-snapshot", lvm_snapshot(lvm, &v, &s, &e));
    target_result = -ENODEV;
    REFUSED_WITH(-ENODEV, "has no dm-snapshot", lvm_snapshot(lvm, &v, &s, &e));
    assert_int_equal(stage->n_asked, 1);
}

static void volumes_are_marked_by_few_commands(void **state)
{
    (void)state;
    struct volume v[85];
    const struct volume *all[85];
    for (size_t i = 0; i < 85; i++) {
        v[i] = sample_volume();
        snprintf(v[i].lv, sizeof v[i].lv, "11111111-1111-4111-8111-111111111111_disk.eph%zu", i);
        all[i] = &v[i];
    }
    start();
    OK(lvm_change_state(lvm, all, 85, VOLUME_READY, VOLUME_DOOMED, &e));
    assert_int_equal(stage->n_asked, 3);
    assert_true(str_starts(words(0), "lvchange "));
    assert_true(has_word(0, "-An")); /* the removal that follows writes the backup */
    assert_true(has_word(0, "--deltag mayfly.state=ready --addtag mayfly.state=doomed"));
    for (size_t i = 0; i < 85; i++) {
        _cleanup_free_ char *name = str_format("vg0/%s", v[i].lv);
        assert_true(has_word(i / 40, name));
    }
    OK(lvm_change_state(lvm, all, 1, VOLUME_BUILDING, VOLUME_READY, &e));
    assert_false(has_word(3, "-An"));
    will(ANSWERS, ""), will(ANSWERS, ""), will(ANSWERS, ""), will(ANSWERS, "");
    stage->answers[5].how = FAILS;
    strcpy(stage->answers[5].text, "Logical volume vg0/x in use.");
    REFUSED_WITH(-EBUSY, "and others: cannot be removed: Logical volume vg0/x in use. (close what holds it",
                 lvm_remove(lvm, all, 85, &e));
    assert_int_equal(stage->n_asked, 6); /* the third is not tried */
    assert_true(str_starts(words(4), "lvremove -y --noudevsync vg0/"));
}

static void tags_are_changed_where_they_differ(void **state)
{
    (void)state;
    struct volume v = sample_volume(), w = v;
    strcpy(w.disk, "33333333-3333-4333-8333-333333333333");
    start();
    OK(lvm_retag(lvm, &v, &w, &e));
    assert_string_equal(words(0),
                        "lvchange --deltag mayfly.disk=22222222-2222-4222-8222-222222222222 --addtag "
                        "mayfly.disk=33333333-3333-4333-8333-333333333333 vg0/" LV " ");
    OK(lvm_tag(lvm, &v, &e));
    assert_true(
        has_word(1, "--addtag mayfly=1 --addtag mayfly.instance=11111111-1111-4111-8111-111111111111"));
    OK(lvm_untag(lvm, &v, &e));
    assert_true(
        has_word(2, "--deltag mayfly=1 --deltag mayfly.instance=11111111-1111-4111-8111-111111111111"));
    OK(lvm_activate(lvm, &v, &e));
    assert_string_equal(words(3), "lvchange -ay vg0/" LV " ");
    OK(lvm_refresh(lvm, &v, &e));
    assert_string_equal(words(4), "lvchange --refresh vg0/" LV " ");
    OK(lvm_extend(lvm, &v, v.size_bytes + 1, &e));
    assert_string_equal(words(5), "lvextend -L 1049088b vg0/" LV " ");
    REFUSED_WITH(-EINVAL, "has that size, or more", lvm_extend(lvm, &v, v.size_bytes, &e));
    strcpy(v.vg, "a b");
    REFUSED_WITH(-EINVAL, "a name has characters", lvm_activate(lvm, &v, &e));
    strcpy(v.vg, "a'b");
    REFUSED_WITH(-EINVAL, "a name has characters", lvm_activate(lvm, &v, &e));
    assert_int_equal(stage->n_asked, 6);
}

/* What guests write is never read, unless an operator has said what is. */
static void all_commands_have_the_same_options(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    start();
    OK(lvm_activate(lvm, &v, &e));
    const char *line = stage->asked[0];
    assert_non_null(strstr(line, "filter=[\"r|^/dev/mapper/.*-dmcrypt$|\""));
    assert_non_null(strstr(line, "units=b suffix=0 test=0"));
    assert_non_null(strstr(line, "issue_discards=0 hints=\"none\""));
    assert_non_null(strstr(line, "backup{archive=0}"));
    assert_non_null(strstr(line, "notify_dbus=0"));
    assert_true(stage->quiet);
    assert_non_null(strstr(stage->environment, "LVM_COMMAND_PROFILE=lvmdbusd "));
    assert_non_null(strstr(stage->environment, "DM_DISABLE_UDEV=1 "));
    lvm = lvm_stop(lvm);
    has_filter = has_dbus = has_udevd = true;
    start();
    OK(lvm_activate(lvm, &v, &e));
    line = stage->asked[1];
    assert_null(strstr(line, "filter="));
    assert_null(strstr(line, "notify_dbus"));
    assert_null(strstr(stage->environment, "DM_DISABLE_UDEV"));
}

/* ---- the process ---- */

static void without_lvm_it_says_so(void **state)
{
    (void)state;
    has_control = false;
    REFUSED_WITH(-ENODEV, "no device-mapper", lvm_start(-1, &lvm, &e));
    control_errno = EACCES;
    REFUSED_WITH(-EACCES, "no device-mapper", lvm_start(-1, &lvm, &e));
    has_control = true;
    has_lvm = false;
    REFUSED_WITH(-ENOENT, "install lvm2", lvm_start(-1, &lvm, &e));
    assert_null(lvm);
}

static void reasons_are_told_in_lvms_words(void **state)
{
    static const struct {
        const char *messages, *wanted;
        int errnum;
    } cases[] = {
        {"Logical Volume \\\"a\\\" already exists in volume group \\\"vg0\\\"", "already exists", -EEXIST},
        {"Volume group \\\"vg0\\\" has insufficient free space", "vgextend", -ENOSPC},
        {"Insufficient suitable allocatable extents", "vgextend", -ENOSPC},
        {"VG vg0 1024 metadata on /dev/sda is too large", "metadatasize", -ENOSPC},
        {"Volume group vg0 is exported", "vgimport", -EREMOTE},
        {"Volume group \\\"vg0\\\" not found\nCannot process volume group vg0", "see vgs", -ENOENT},
        {"Failed to find logical volume \\\"vg0/a\\\"", "see lvs", -ENOENT},
        {"Cannot process\nLogical volume vg0/a in use.", "in use. (close what holds it", -EBUSY},
        {"The sky fell", "The sky fell (try vgck", -EIO},
        {"", "does not say why", -EIO},
    };
    struct volume v = sample_volume();
    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        will(FAILS, cases[i].messages);
        REFUSED_WITH(cases[i].errnum, cases[i].wanted, lvm_activate(lvm, &v, &e));
    }
}

static void an_lvm_that_ends_is_told_and_started_again(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    will(DIES, "");
    will(SAYS_NO_STATUS, "");
    start();
    REFUSED_WITH(-EIO, "lvm: ended during lvchange: it exited with status 5; mayfly recover",
                 lvm_activate(lvm, &v, &e));
    REFUSED_WITH(-EPROTO, "does not tell what came of it", lvm_activate(lvm, &v, &e));
    OK(lvm_activate(lvm, &v, &e));
    assert_int_equal(stage->starts, 2);
}

/* Whoever waits for our locks waits until lvm has ended, too. */
static void lvm_keeps_what_it_is_to_keep(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    int ends[2];
    char byte;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    keep_fd = ends[1];
    start();
    keep_fd = -1;
    OK(lvm_activate(lvm, &v, &e));
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    lvm = lvm_stop(lvm);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* ---- volumes ---- */

#define I "11111111-1111-4111-8111-111111111111"
#define MORE                                                                                                 \
    "\"lv_role\":\"public\", \"lv_layout\":\"linear\", \"origin\":\"\", \"lv_allocation_locked\":\"\""
#define GROUP                                                                                                \
    "\"vg_name\":\"vg0\", \"vg_size\":\"1073741824\", \"vg_free\":\"5\", \"vg_extent_size\":\"4194304\", "   \
    "\"vg_missing_pv_count\":\"0\", \"vg_mda_size\":\"9\", \"vg_mda_free\":\"8\", \"vg_exported\":\"%s\", "  \
    "\"vg_shared\":\"\", \"vg_clustered\":\"\", \"lv_count\":\"%s\""

static const char *row(const char *lv, const char *tags, const char *more)
{
    static char text[4][2000];
    static unsigned turn;
    char *one = text[turn++ % 4];
    snprintf(one, sizeof text[0], "{\"lv_name\":\"%s\", \"lv_size\":\"1048576\", \"lv_tags\":\"%s\", %s},\n",
             lv, tags, more);
    return one;
}

static const char *tags_of(const struct volume *v)
{
    static char text[TAGS_TEXT_MAX];
    tags_format(v, text);
    return text;
}

static void will_list(const char *first, const char *second, const char *third)
{
    _cleanup_free_ char *all = str_format("%s%s%s", first, second, third);
    will(ANSWERS, all);
}

static void volumes_are_read_with_what_depends_on_them(void **state)
{
    (void)state;
    static const char of_ours[] =
        "\"lv_role\":\"public,snapshot\", \"lv_layout\":\"linear\", \"origin\":\"" LV
        "\", \"lv_allocation_locked\":\"\"";
    const char instance[1][UUID_TEXT] = {I};
    struct volume v = sample_volume();
    struct lvm_volume *found = NULL;
    size_t n = 0;
    start();
    will_list(row(LV, tags_of(&v), MORE), row(I "_disk_backup", "", MORE), row("backup", "", of_ours));
    OK(lvm_volumes_of(lvm, "vg0", instance, 1, &found, &n, &e));
    assert_int_equal(n, 1);
    assert_memory_equal(&found[0].v, &v, sizeof v);
    assert_string_equal(found[0].dependent, "snapshot vg0/backup depends on it; remove that first");
    free(found);
    assert_non_null(strstr(stage->asked[0], "lv_name=~{^(" I ")_disk([.][a-z0-9]+)?$}||origin=~_disk"));

    will_list(row(LV, tags_of(&v), MORE), row(I "_disk", "", MORE), "");
    REFUSED_WITH(-EUNSAFE, "it has no tag mayfly=1", lvm_volumes_of(lvm, "vg0", instance, 1, &found, &n, &e));
    will_list(row(LV, tags_of(&v), MORE), row(I "_disk", "backup", MORE), "");
    OK(lvm_volumes_named(lvm, "vg0", instance, 1, &found, &n, &e));
    assert_int_equal(n, 2);
    assert_true(volume_stranger(&found[1].v) && !volume_stranger(&found[0].v));
    free(found);

    static const struct {
        const char *tags, *more, *words;
        int wanted;
    } bad[] = {
        {"mayfly=1", MORE, "refused: ", -EUNSAFE},
        {"mayfly=2", MORE, "refused: ", -EUNSAFE},
        {"", "\"lv_role\":\"public\"", "lv_layout", -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        will_list(row(LV, bad[i].tags, bad[i].more), "", "");
        REFUSED_WITH(bad[i].wanted, bad[i].words, lvm_volumes_named(lvm, "vg0", instance, 1, &found, &n, &e));
    }
    REFUSED_WITH(-EINVAL, "of 0 instances", lvm_volumes_named(lvm, "vg0", instance, 0, &found, &n, &e));
    REFUSED_WITH(-EINVAL, "of 65 instances",
                 lvm_volumes_named(lvm, "vg0", instance, LVM_INSTANCES_MAX + 1, &found, &n, &e));
}

static void layouts_and_origins_hold_a_volume_back(void **state)
{
    (void)state;
    static const struct {
        const char *more, *words;
    } cases[] = {
        {"\"lv_role\":\"public\", \"lv_layout\":\"mirror\", \"origin\":\"\", \"lv_allocation_locked\":\"\"",
         "layout mirror"},
        {"\"lv_role\":\"public\", \"lv_layout\":\"writecache\", \"origin\":\"\", "
         "\"lv_allocation_locked\":\"\"",
         "has a cache"},
        {"\"lv_role\":\"public\", \"lv_layout\":\"linear\", \"origin\":\"\", "
         "\"lv_allocation_locked\":\"locked\"",
         "pvmove"},
        {"\"lv_role\":\"public,origin,thickorigin\", \"lv_layout\":\"linear\", \"origin\":\"\", "
         "\"lv_allocation_locked\":\"\"",
         "other volumes depend on it"},
    };
    const char instance[1][UUID_TEXT] = {I};
    struct volume v = sample_volume();
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lvm_volume *found = NULL;
        size_t n = 0;
        will_list(row(LV, tags_of(&v), cases[i].more), "", "");
        OK(lvm_volumes_named(lvm, "vg0", instance, 1, &found, &n, &e));
        assert_int_equal(n, 1);
        assert_non_null(strstr(found[0].dependent, cases[i].words));
        free(found);
    }
}

static void a_disk_is_looked_for_in_all_groups(void **state)
{
    (void)state;
    static const char *const groups[] = {"vg0", "vg1", "vg2"};
    char where[LVM_WHERE_MAX];
    start();
    will(FAILS, "Volume group \\\"vg0\\\" not found");
    will(ANSWERS, "");
    will(ANSWERS, "{\"lv_name\":\"" LV "\"}");
    OK(lvm_find_disk(lvm, groups, 3, sample_volume().disk, where, &e));
    assert_string_equal(where, "vg2/" LV);
    will(ANSWERS, "{\"lv_name\":\"" LV "\"}");
    OK(lvm_find_disk(lvm, groups, 3, sample_volume().disk, where, &e));
    assert_string_equal(where, "vg0/" LV);
    assert_int_equal(stage->n_asked, 4);
    will(FAILS, "The sky fell");
    REFUSED_WITH(-EIO, "The sky fell", lvm_find_disk(lvm, groups, 3, sample_volume().disk, where, &e));
}

/* ---- reports for the client ---- */

static const char *group_row(const char *exported, const char *count)
{
    static char text[1000];
    snprintf(text, sizeof text, "{" GROUP "}", exported, count);
    return text;
}

static const char *with_group(const char *lv, const char *tags, const char *count)
{
    static char text[3][2000];
    static unsigned turn;
    char *one = text[turn++ % 3];
    char group[800];
    snprintf(group, sizeof group, GROUP ", " MORE, "", count);
    snprintf(one, sizeof text[0], "%s", row(lv, tags, group));
    return one;
}

/* What was written for these groups; the caller frees it. */
static char *report_of(int wanted, const char *words_)
{
    static const char *const groups[] = {"vg0"};
    int fd = memfd_create("report", MFD_CLOEXEC);
    char *text = NULL;
    if (wanted == 0)
        OK(lvm_report(lvm, groups, 1, fd, &e));
    else
        REFUSED_WITH(wanted, words_, lvm_report(lvm, groups, 1, fd, &e));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_text(fd, 1 << 20, &text, NULL), 0);
    close(fd);
    return text;
}

static void a_report_has_what_concerns_us(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    start();
    will_list(with_group(LV, tags_of(&v), "3"), with_group("root", "", "3"),
              with_group("home", "mayfly=9", "3"));
    _cleanup_free_ char *text = report_of(0, "");
    assert_non_null(strstr(text, "\"lv_name\":\"" LV "\""));
    assert_non_null(strstr(text, "\"lv_name\":\"home\""));
    assert_null(strstr(text, "\"lv_name\":\"root\""));
}

static void a_report_that_lacks_rows_proves_nothing(void **state)
{
    (void)state;
    struct volume v = sample_volume();
    start();
    for (int i = 0; i < 3; i++)
        will_list(with_group(LV, tags_of(&v), "2"), "", "");
    _cleanup_free_ char *text = report_of(-EPROTO, "does not have as many volumes");
    assert_string_equal(text, "");
    assert_int_equal(stage->n_asked, 3);
    will_list(with_group(LV, tags_of(&v), "2"), "", ""); /* one was made meanwhile */
    will_list(with_group(LV, tags_of(&v), "2"), with_group("root", "", "2"), "");
    _cleanup_free_ char *again = report_of(0, "");
    assert_non_null(strstr(again, LV));
}

static void groups_without_our_volumes_are_told(void **state)
{
    (void)state;
    start();
    will_list(with_group("root", "", "1"), "", "");
    _cleanup_free_ char *others = report_of(0, "");
    assert_non_null(strstr(others, "\"vg\":[{\"vg_name\":\"vg0\""));
    assert_null(strstr(others, "root"));
    will(ANSWERS, "");
    will(ANSWERS, group_row("", "0"));
    _cleanup_free_ char *empty = report_of(0, "");
    assert_non_null(strstr(empty, "\"vg\":[{\"vg_name\":\"vg0\""));
    for (int i = 0; i < 3; i++) {
        will(ANSWERS, "");
        will(ANSWERS, group_row("", "1")); /* but lvs tells of none */
    }
    _cleanup_free_ char *hidden = report_of(-EPROTO, "does not have as many volumes");
    assert_string_equal(hidden, "");
    will(FAILS, "Volume group vg0 is exported");
    will(ANSWERS, group_row("exported", "4"));
    _cleanup_free_ char *exported = report_of(0, "");
    assert_non_null(strstr(exported, "\"vg_exported\":\"exported\""));
}

static void a_group_that_is_not_there_is_in_no_report(void **state)
{
    (void)state;
    start();
    will(FAILS, "Volume group \\\"vg0\\\" not found");
    _cleanup_free_ char *none = report_of(0, "");
    assert_string_equal(none, "{\"report\":[{\"lv\":[]}]}\n");
    will(FAILS, "The sky fell");
    _cleanup_free_ char *failed = report_of(-EIO, "cannot be listed: The sky fell");
    assert_string_equal(failed, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_volume_is_made_with_its_tags_at_once), TEST(a_snapshot_is_read_only),
        TEST(volumes_are_marked_by_few_commands),     TEST(tags_are_changed_where_they_differ),
        TEST(all_commands_have_the_same_options),     TEST(without_lvm_it_says_so),
        TEST(reasons_are_told_in_lvms_words),         TEST(an_lvm_that_ends_is_told_and_started_again),
        TEST(lvm_keeps_what_it_is_to_keep),           TEST(volumes_are_read_with_what_depends_on_them),
        TEST(layouts_and_origins_hold_a_volume_back), TEST(a_disk_is_looked_for_in_all_groups),
        TEST(a_report_has_what_concerns_us),          TEST(a_report_that_lacks_rows_proves_nothing),
        TEST(groups_without_our_volumes_are_told),    TEST(a_group_that_is_not_there_is_in_no_report),
    };
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return stage == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
