/* SPDX-License-Identifier: Apache-2.0 */
/* Keepers of mayfly-disks as mayfly starts, finds and ends them: the program itself, and a front end. */
#include "base/clock.h"
#include "base/fd.h"
#include "bench/front-end.h"
#include "child.h"
#include "engine/engine-internal.h"

#include "folder.h"
#include "volume-sample.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DISK_BYTES ((off_t)1 << 20)
#define MANY       6
#define SOON_MSEC  300
#define WAIT_MSEC  60000

static const char secret_words[] = "what the guest alone may read";

/* --wrap: nobody has patience. */
static bool hasty;
int __real_poll(struct pollfd *p, nfds_t n, int msec);
int __wrap_poll(struct pollfd *p, nfds_t n, int msec);
int __wrap_poll(struct pollfd *p, nfds_t n, int msec)
{
    return __real_poll(p, n, hasty ? SOON_MSEC : msec);
}

/* A disk in a folder that stands for the user's of sockets. */
struct host {
    const char *folder;
    struct engine engine; /* its sockets are in it */
    struct volume v;
    struct secret *key;
};

static struct host new_host(void **state)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/mayfly", (const char *)*state);
    struct host h = {.folder = *state, .engine = {.sockets = {path, false}}, .v = sample_volume()};
    snprintf(h.v.vg, sizeof h.v.vg, VOLUME_FOLDER_PREFIX "0123456789ab");
    OK(secret_random(64, &h.key, &e));
    int fd = open(folder_path(state, "disk"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
    close(fd);
    return h;
}

static int open_file(const struct host *h)
{
    char path[512];
    snprintf(path, sizeof path, "%s/disk", h->folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int open_disk(const struct host *h, enum map_use use, struct error *e)
{
    _cleanup_close_ int fd = open_file(h);
    return engine_open(&h->engine, &h->v, fd, h->key, use, e);
}

static bool close_disk(const struct host *h, enum map_use up_to)
{
    bool closed = false;
    OK(engine_close(&h->engine, &h->v, up_to, &closed, &e));
    return closed;
}

/* Is it open? Then *ret tells. */
static bool look(const struct host *h, struct map *ret)
{
    _cleanup_free_ struct map *maps = NULL;
    size_t n = 0;
    OK(engine_maps(&h->engine, &maps, &n, &e));
    assert_true(n <= 1);
    if (n && ret)
        *ret = maps[0];
    return n;
}

static struct keeper_seen keeper_of(const struct host *h)
{
    struct keeper_seen k;
    _cleanup_close_ int folder = -1;
    OK(engine_folder(&h->engine.sockets, &folder, &e));
    OK(keeper_look(folder, "11111111-1111-4111-8111-111111111111_disk.eph0" KEEPER_SUFFIX, O_RDWR, &k, &e));
    return k;
}

static bool ends(const struct host *h)
{
    uint64_t end = clock_msec() + WAIT_MSEC;
    while (look(h, NULL) && clock_msec() < end)
        clock_sleep_msec(20);
    return !look(h, NULL);
}

/* As if it had been told so when it was started. */
static void wait_less(const struct host *h)
{
    struct keeper_seen k = keeper_of(h);
    k.state.gone_msec = SOON_MSEC;
    assert_int_equal(state_write(k.state_fd, &k.state), 0);
    keeper_seen_end(&k);
}

static void begin_guest(const struct host *h, struct front *f)
{
    const struct front_options o = {.queues = 1, .size = 64, .memory_bytes = 1 << 20};
    char path[ENGINE_PATH_MAX];
    OK(engine_socket_path(&h->engine.sockets, &h->v, path, &e));
    int fd = front_connect(path, 0);
    assert_true(fd >= 0);
    assert_int_equal(front_open(f, fd, &o), 0);
}

static bool file_has(const struct host *h, const char *words)
{
    _cleanup_free_ uint8_t *bytes = malloc((size_t)DISK_BYTES);
    _cleanup_close_ int fd = open_file(h);
    assert_int_equal(pread(fd, bytes, (size_t)DISK_BYTES, 0), DISK_BYTES);
    return memmem(bytes, (size_t)DISK_BYTES, words, strlen(words)) != NULL;
}

/* ---------------------------------------------------------------------- tests */

static void a_guest_writes_and_the_file_has_ciphertext(void **state)
{
    struct host h = new_host(state);
    struct front f;
    struct map map = {.open_count = -1};
    bool closed = true;
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_true(look(&h, &map));
    assert_string_equal(map.uuid, "MAYFLY-22222222-2222-4222-8222-222222222222");
    assert_string_equal(map.name, "11111111-1111-4111-8111-111111111111_disk.eph0-dmcrypt");
    assert_int_equal(map.size_bytes, DISK_BYTES);
    assert_int_equal(map.open_count, 0);

    begin_guest(&h, &f);
    uint8_t *data = front_room(&f, 4096, 4096);
    memset(data, 0, 4096);
    memcpy(data, secret_words, sizeof secret_words);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_OUT, 0, data, 4096), VIRTIO_BLK_S_OK);
    memset(data, 0, 4096);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    assert_memory_equal(data, secret_words, sizeof secret_words);
    assert_true(look(&h, &map));
    assert_int_equal(map.open_count, 1);
    REFUSED_WITH(-EBUSY, "a guest has it", engine_close(&h.engine, &h.v, MAP_READ_ONLY, &closed, &e));

    front_close(&f);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    assert_false(look(&h, NULL));
    assert_false(close_disk(&h, MAP_FOR_DOMAIN));
    assert_false(file_has(&h, secret_words));

    struct volume plain = sample_plain_volume();
    _cleanup_close_ int fd = open_file(&h);
    OK(engine_open(&h.engine, &plain, fd, NULL, MAP_FOR_DOMAIN, &e)); /* so the search finds what is there */
    begin_guest(&h, &f);
    data = front_room(&f, 4096, 4096);
    memcpy(data, secret_words, sizeof secret_words);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_OUT, 0, data, 4096), VIRTIO_BLK_S_OK);
    front_close(&f);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    assert_true(file_has(&h, secret_words));
    secret_free(h.key);
}

static bool offers_discard(struct host *h, bool configured)
{
    struct front f;
    struct vhost_message m = {.header = {VHOST_GET_FEATURES, 0, 0}};
    h->engine.discard = configured;
    OK(open_disk(h, MAP_FOR_DOMAIN, &e));
    begin_guest(h, &f);
    assert_int_equal(front_ask(&f, &m), 0);
    front_close(&f);
    assert_true(close_disk(h, MAP_READ_ONLY));
    return m.number >> VIRTIO_BLK_F_DISCARD & 1;
}

static void guests_discard_only_where_it_is_configured(void **state)
{
    struct host h = new_host(state);
    assert_false(offers_discard(&h, false));
    assert_true(offers_discard(&h, true));
    snprintf(h.v.role, sizeof h.v.role, ROLE_SEED);
    assert_false(offers_discard(&h, true)); /* which is read-only */
    secret_free(h.key);
}

static void a_disk_has_one_keeper(void **state)
{
    struct host h = new_host(state);
    struct map map;
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen first = keeper_of(&h);
    REFUSED_WITH(-EEXIST, "is open already", open_disk(&h, MAP_TO_STAY, &e));
    struct keeper_seen second = keeper_of(&h);
    assert_int_equal(first.pid, second.pid);
    assert_true(look(&h, &map));
    assert_int_equal(map_use(&map), MAP_FOR_DOMAIN);
    assert_true(close_disk(&h, MAP_FOR_START));
    OK(open_disk(&h, MAP_TO_STAY, &e));
    assert_false(close_disk(&h, MAP_FOR_START));
    assert_true(close_disk(&h, MAP_TO_STAY));
    OK(open_disk(&h, MAP_READ_ONLY, &e));
    assert_true(look(&h, &map));
    assert_int_equal(map_use(&map), MAP_READ_ONLY);
    assert_true(close_disk(&h, MAP_READ_ONLY));
    keeper_seen_end(&first);
    keeper_seen_end(&second);
    secret_free(h.key);
}

static void a_guest_cannot_write_to_its_seed(void **state)
{
    struct host h = new_host(state);
    struct front f;
    struct map map;
    snprintf(h.v.role, sizeof h.v.role, ROLE_SEED);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    begin_guest(&h, &f);
    uint8_t *data = front_room(&f, 4096, 4096);
    memset(data, 0, 4096);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    assert_int_not_equal(front_do(&f, 0, VIRTIO_BLK_T_OUT, 0, data, 4096), VIRTIO_BLK_S_OK);
    assert_true(look(&h, &map));
    assert_int_equal(map_use(&map), MAP_FOR_DOMAIN);
    front_close(&f);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

static void of_many_at_once_one_starts_it(void **state)
{
    struct host h = new_host(state);
    pid_t child[MANY];
    for (int i = 0; i < MANY; i++) {
        _cleanup_secret_ struct secret *own = NULL; /* a forked child has no secrets */
        child[i] = fork();
        if (child[i] == 0) {
            OK(secret_random(64, &own, &e));
            h.key = own;
            struct error e = ERROR_NONE;
            int r = open_disk(&h, MAP_FOR_DOMAIN, &e);
            assert_true(r == 0 || r == -EEXIST);
            struct keeper_seen k = keeper_of(&h);
            _exit(k.pid ? k.pid % 101 + (r == 0 ? 128 : 0) : 102);
        }
    }
    int first = -1, opened = 0;
    for (int i = 0; i < MANY; i++) {
        int status = child_status(child[i]);
        assert_true(WIFEXITED(status));
        opened += WEXITSTATUS(status) >= 128;
        status = WEXITSTATUS(status) % 128;
        assert_true(status < 102);
        if (first < 0)
            first = status;
        assert_int_equal(status, first);
    }
    assert_int_equal(opened, 1);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

/* ---------------------------------------------------- how long it stays */

/* In a process of its own, which ends at once. */
static void open_and_go(struct host *h, enum map_use use)
{
    pid_t child = fork();
    if (child == 0) {
        struct error e = ERROR_NONE;
        int r = secret_random(64, &h->key, &e);
        _exit(r < 0 || open_disk(h, use, &e) < 0);
    }
    assert_int_equal(child_status(child), 0);
}

static void it_outlives_who_has_started_it_but_not_for_ever(void **state)
{
    struct host h = new_host(state);
    open_and_go(&h, MAP_FOR_DOMAIN);
    assert_true(look(&h, NULL));
    wait_less(&h);
    kill(keeper_of(&h).pid, SIGHUP); /* thinks again */
    assert_true(ends(&h));
    secret_free(h.key);
}

static void it_stays_while_who_has_started_it_lives(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    wait_less(&h);
    kill(keeper_of(&h).pid, SIGHUP);
    clock_sleep_msec(3 * SOON_MSEC);
    assert_true(look(&h, NULL));
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

static void it_ends_when_its_guest_has_ended(void **state)
{
    struct host h = new_host(state);
    struct front f;
    OK(open_disk(&h, MAP_FOR_START, &e)); /* the start for which it was has come */
    wait_less(&h);
    begin_guest(&h, &f);
    clock_sleep_msec(3 * SOON_MSEC);
    assert_true(look(&h, NULL));
    front_disconnect(&f);
    assert_true(ends(&h));
    front_close(&f);
    assert_false(close_disk(&h, MAP_FOR_START)); /* only what it has left */
    secret_free(h.key);
}

static void it_waits_for_a_start_and_for_a_person(void **state)
{
    static const enum map_use uses[] = {MAP_FOR_START, MAP_TO_STAY, MAP_READ_ONLY};
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
        struct host h = new_host(state);
        open_and_go(&h, uses[i]);
        wait_less(&h);
        kill(keeper_of(&h).pid, SIGHUP);
        clock_sleep_msec(3 * SOON_MSEC);
        assert_true(look(&h, NULL));
        assert_true(close_disk(&h, uses[i]));
        secret_free(h.key);
    }
}

/* --------------------------------------------------------- what can be wrong */

/* Opens the disk once the worker of a killed keeper has ended, too, with its last transfers. */
static void open_after_kill(const struct host *h)
{
    for (int r = -EBUSY, tries = 0; r < 0; tries++) {
        struct error e = ERROR_NONE;
        r = open_disk(h, MAP_FOR_DOMAIN, &e);
        assert_true(r == 0 || (r == -EBUSY && tries < 100));
        clock_sleep_msec(20);
    }
}

static void a_killed_one_is_known_to_be_gone(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    kill(k.pid, SIGKILL);
    assert_true(ends(&h));
    keeper_seen_end(&k);
    open_after_kill(&h);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

/* Its number may be another's by then. */
static void a_signal_reaches_no_other_process(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    folder_write(state, "state", "");
    _cleanup_close_ int fd = open(folder_path(state, "state"), O_RDWR | O_CLOEXEC);
    const struct keeper_seen was = {.pid = child, .state_fd = fd};
    assert_int_equal(keeper_signal(&was, SIGKILL, NULL), -ESRCH);
    OK(keeper_stop(&was, "disk", &e));
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void one_that_does_not_heed_is_killed(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    assert_int_equal(kill(k.pid, SIGSTOP), 0);
    hasty = true;
    bool closed = close_disk(&h, MAP_FOR_DOMAIN);
    hasty = false;
    assert_true(closed);
    assert_false(look(&h, NULL));
    keeper_seen_end(&k);
    secret_free(h.key);
}

/* A line of /proc/PID/status: a set of signals. */
static uint64_t signals_of(pid_t pid, const char *what)
{
    char path[64], line[256];
    uint64_t set = UINT64_MAX;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status))
        if (str_starts(line, what))
            set = strtoull(line + strlen(what), NULL, 16);
    fclose(status);
    return set;
}

static bool environment_has(pid_t pid, const char *words)
{
    char path[64], text[65536];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text);
    return fd < 0 || n < 0 || memmem(text, (size_t)n, words, strlen(words));
}

/* The terminal's signals, signals that we block or ignore, and what our environment says. */
static void nothing_of_who_opens_goes_along(void **state)
{
    struct host h = new_host(state);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGUSR2, SIG_IGN);
    setenv("OS_PASSWORD", "said to nobody", 1);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    struct keeper_seen k = keeper_of(&h);
    assert_int_equal(getsid(k.pid), k.pid);
    assert_false(signals_of(k.pid, "SigBlk:") & 1U << (SIGUSR1 - 1));
    assert_false(signals_of(k.pid, "SigIgn:") & 1U << (SIGUSR2 - 1));
    if (geteuid() == 0) /* it cannot be looked into by its own user */
        assert_false(environment_has(k.pid, "OS_PASSWORD"));
    unsetenv("OS_PASSWORD");
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    keeper_seen_end(&k);
    secret_free(h.key);
}

static void has_no_descriptor_of(pid_t pid, const char *words)
{
    char path[64], to[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    _cleanup_closedir_ DIR *d = opendir(path);
    assert_true(d || geteuid() != 0); /* it cannot be looked into by its own user */
    for (struct dirent *entry; d && (entry = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), entry->d_name, to, sizeof to - 1);
        to[n > 0 ? n : 0] = '\0';
        assert_null(strstr(to, words));
    }
}

/* What the key was handed over in is gone once a worker has it. */
static void the_key_is_in_no_descriptor(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    has_no_descriptor_of(k.pid, "memfd");
    has_no_descriptor_of(k.pid, "secretmem");
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    keeper_seen_end(&k);
    secret_free(h.key);
}

static pid_t worker_of(const struct keeper_seen *k)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)k->pid, (int)k->pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    return (pid_t)strtol(text, NULL, 10);
}

/* What parses the guest's rings cannot say how long the key stays. */
static void a_worker_has_no_hand_in_its_state(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    has_no_descriptor_of(worker_of(&k), KEEPER_SUFFIX);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    keeper_seen_end(&k);
    secret_free(h.key);
}

/* A guest that ended while its worker was dead comes back no more. */
static void it_ends_when_its_guest_ended_behind_a_dead_worker(void **state)
{
    struct host h = new_host(state);
    struct front f;
    OK(open_disk(&h, MAP_FOR_START, &e));
    wait_less(&h);
    begin_guest(&h, &f);
    struct keeper_seen k = keeper_of(&h);
    pid_t worker = worker_of(&k);
    assert_int_equal(kill(k.pid, SIGSTOP), 0); /* no new one before the guest has ended */
    assert_int_equal(kill(worker, SIGKILL), 0);
    front_disconnect(&f);
    assert_int_equal(kill(k.pid, SIGCONT), 0);
    assert_true(ends(&h));
    front_close(&f);
    keeper_seen_end(&k);
    secret_free(h.key);
}

/* Neither its socket nor what is known of its keeper. */
static void nothing_of_it_is_for_others(void **state)
{
    static const char *const files[] = {"", KEEPER_SUFFIX};
    struct host h = new_host(state);
    mode_t before = umask(0);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    umask(before);
    struct stat st;
    assert_int_equal(stat(folder_path(state, "mayfly"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *name = str_format("mayfly/%s%s", h.v.lv, files[i]);
        assert_int_equal(stat(folder_path(state, name), &st), 0);
        assert_true(i == 0 || (st.st_mode & 07777) == 0600);
    }
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_free_ char *name = str_format("mayfly/%s%s", h.v.lv, files[i]);
        assert_int_equal(stat(folder_path(state, name), &st), -1);
    }
    secret_free(h.key);
}

static void a_file_alone_is_no_keeper(void **state)
{
    struct host h = new_host(state);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    struct state left = k.state;
    keeper_seen_end(&k);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    folder_write(state, "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0" KEEPER_SUFFIX, "");
    int fd = open(folder_path(state, "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0" KEEPER_SUFFIX),
                  O_RDWR | O_CLOEXEC);
    assert_int_equal(state_write(fd, &left), 0);
    assert_false(look(&h, NULL));
    close(fd);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

static void why_it_does_not_start_is_told(void **state)
{
    struct host h = new_host(state);
    _cleanup_close_ int fd = open_file(&h);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    REFUSED_WITH(-EBUSY, "in use by another process", open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_int_equal(flock(fd, LOCK_UN), 0);
    assert_int_equal(ftruncate(fd, 100), 0);
    REFUSED_WITH(-EIO, "has less than one", open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_false(look(&h, NULL));
    REFUSED_WITH(-ENOENT, "is not open", engine_grow(&h.engine, &h.v, &e));
    secret_free(h.key);
}

/* Another worker serves when this returns. */
static void kill_worker(const struct host *h)
{
    struct keeper_seen k = keeper_of(h);
    struct front f;
    assert_int_equal(kill(worker_of(&k), SIGKILL), 0);
    keeper_seen_end(&k);
    begin_guest(h, &f);
    uint8_t *data = front_room(&f, 4096, 4096);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    front_close(&f);
}

static void what_it_warns_of_later_is_in_its_log(void **state)
{
    static const char name[] = "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0" LOG_SUFFIX;
    static const char full[(64 << 10) - 10] = "";
    struct host h = new_host(state);
    struct stat st;
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    _cleanup_close_ int fd = open(folder_path(state, name), O_RDWR | O_APPEND | O_CLOEXEC);
    kill_worker(&h);
    char words[500] = "";
    assert_true(read(fd, words, sizeof words - 1) > 0);
    assert_ptr_equal(strstr(words, "Z mayfly-disks: warning: the worker"),
                     words + strlen("2000-01-01T00:00:00"));
    assert_non_null(strstr(words, "another one starts\n"));
    assert_int_equal(write(fd, full, sizeof full), sizeof full);
    assert_int_equal(fstat(fd, &st), 0);
    kill_worker(&h); /* it has enough */
    off_t size = st.st_size;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    assert_int_equal(access(folder_path(state, name), F_OK), -1);
    secret_free(h.key);
}

static mode_t mode_of(void **state, const char *name)
{
    struct stat st;
    assert_int_equal(stat(folder_path(state, name), &st), 0);
    return st.st_mode & 07777;
}

/* That of the host: QEMU's group, which the folder has, connects; everybody may look. */
static void of_the_host_others_look_and_connect(void **state)
{
    struct host h = new_host(state);
    _cleanup_free_ struct map *maps = NULL;
    struct front f;
    size_t n = 1;
    h.engine.sockets.of_host = true;
    OK(engine_maps(&h.engine, &maps, &n, &e));
    assert_int_equal(n, 0);
    assert_int_equal(access(h.engine.sockets.path, F_OK), -1);
    REFUSED_WITH(-ENOENT, "cannot be opened", open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_int_equal(mkdir(h.engine.sockets.path, 0777), 0);
    assert_int_equal(chmod(h.engine.sockets.path, 02777), 0);
    REFUSED_WITH(-EACCES, "others may write to it", open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_int_equal(chmod(h.engine.sockets.path, 02755), 0);
    mode_t before = umask(077);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    umask(before);
    assert_int_equal(mode_of(state, "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0"), 0660);
    assert_int_equal(mode_of(state, "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0" KEEPER_SUFFIX),
                     0644);
    assert_int_equal(mode_of(state, "mayfly/11111111-1111-4111-8111-111111111111_disk.eph0" LOG_SUFFIX),
                     0600);
    assert_int_equal(mode_of(state, "mayfly/lock"), 0600);
    if (geteuid() == 0) {
        assert_int_equal(chmod(h.folder, 0711), 0);
        assert_int_equal(chmod(folder_path(state, "disk"), 0666), 0);
        assert_int_equal(seteuid(65534), 0);
        assert_true(look(&h, NULL));
        REFUSED_WITH(-EACCES, "virsh start", open_disk(&h, MAP_FOR_DOMAIN, &e));
        assert_int_equal(seteuid(0), 0);
        wait_less(&h);
        begin_guest(&h, &f);
        front_close(&f);
        assert_int_equal(seteuid(65534), 0);
        assert_true(close_disk(&h, MAP_FOR_DOMAIN)); /* it ends by itself, soon */
        assert_int_equal(seteuid(0), 0);
    }
    close_disk(&h, MAP_FOR_DOMAIN);
    secret_free(h.key);
}

static void the_folder_is_the_users_own(void **state)
{
    struct host h = new_host(state);
    char path[ENGINE_PATH_MAX];
    assert_int_equal(mkdir(folder_path(state, "mayfly"), 0755), 0);
    REFUSED_WITH(-EACCES, "others may look into it", open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_int_equal(chmod(folder_path(state, "mayfly"), 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(folder_path(state, "mayfly"), 65534, 0), 0);
        REFUSED_WITH(-EACCES, "belongs to user", open_disk(&h, MAP_FOR_DOMAIN, &e));
    }
    h.engine.sockets.path = "/nonexistent/folder/of/a/user";
    REFUSED_WITH(-ENOENT, "XDG_RUNTIME_DIR", engine_open(&h.engine, &h.v, 0, h.key, MAP_FOR_DOMAIN, &e));
    h.engine.sockets.path = "/a/name/that/is/too/long/for/a/socket/that/has/the/name/of/a/volume/below";
    REFUSED_WITH(-ENAMETOOLONG, "shorter", engine_socket_path(&h.engine.sockets, &h.v, path, &e));
    secret_free(h.key);
}

static void a_larger_file_is_told_to_the_guest(void **state)
{
    struct host h = new_host(state);
    struct front f;
    struct map map;
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    begin_guest(&h, &f);
    struct vhost_message m = {.header = {VHOST_SET_BACKEND_REQ_FD, 0, 0}};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(front_tell(&f, &m, &ends[1], 1), 0);
    assert_int_equal(front_ask(&f, &(struct vhost_message){.header = {VHOST_GET_QUEUE_NUM, 0, 0}}), 0);
    h.v.size_bytes = 2 * (uint64_t)DISK_BYTES;
    assert_int_equal(truncate(folder_path(state, "disk"), 2 * DISK_BYTES), 0);
    OK(engine_grow(&h.engine, &h.v, &e));
    assert_true(look(&h, &map));
    assert_int_equal(map.size_bytes, 2 * DISK_BYTES);
    const struct timeval limit = {.tv_sec = WAIT_MSEC / 1000};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(recv(ends[0], &m.header, sizeof m.header, MSG_WAITALL), sizeof m.header);
    assert_int_equal(m.header.request, VHOST_BACKEND_CONFIG_CHANGE);
    fd_close(ends[0]);
    fd_close(ends[1]);
    front_close(&f);
    assert_true(close_disk(&h, MAP_FOR_DOMAIN));
    secret_free(h.key);
}

/* Has a process of another user take a reader's lock on the file, and wait. It ends with *ret closed. */
static pid_t lock_as_reader(const char *path, int *ret)
{
    int ready[2], wait_for[2];
    char byte = 0;
    assert_int_equal(pipe(ready) | pipe(wait_for), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        close(wait_for[1]);
        byte = fcntl(fd, F_SETLK, &whole) == 0;
        (void)!write(ready[1], &byte, 1);
        (void)!read(wait_for[0], &byte, 1);
        _exit(0);
    }
    close(ready[1]);
    close(wait_for[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    *ret = wait_for[1];
    return pid;
}

/* Everybody may read the state of a disk of the host, and so lock it as a reader. */
static void a_reader_is_no_keeper(void **state)
{
    struct host h = new_host(state);
    char path[512];
    int end = -1;
    snprintf(path, sizeof path, "%s/%s" KEEPER_SUFFIX, h.engine.sockets.path, h.v.lv);
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    struct keeper_seen k = keeper_of(&h);
    assert_int_equal(kill(k.pid, SIGKILL), 0);
    keeper_seen_end(&k);
    assert_true(ends(&h));
    pid_t reader = lock_as_reader(path, &end);
    assert_false(look(&h, NULL));
    open_after_kill(&h); /* with a file of its own */
    assert_true(look(&h, NULL));
    close(end);
    assert_int_equal(waitpid(reader, NULL, 0), reader);
    assert_true(close_disk(&h, MAP_READ_ONLY));
    secret_free(h.key);
}

/* The lock of one instance stops no other. */
static void a_mayfly_that_hangs_stops_its_instance_alone(void **state)
{
    struct host h = new_host(state);
    _cleanup_close_ int folder = -1, lock = -1;
    OK(engine_folder_locked(&h.engine.sockets, "99999999-9999-4999-8999-999999999999", &folder, &lock, &e));
    OK(open_disk(&h, MAP_FOR_DOMAIN, &e));
    assert_true(close_disk(&h, MAP_READ_ONLY));
    secret_free(h.key);
}

#define ENGINE_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_guest_writes_and_the_file_has_ciphertext),
        ENGINE_TEST(a_reader_is_no_keeper),
        ENGINE_TEST(a_mayfly_that_hangs_stops_its_instance_alone),
        ENGINE_TEST(guests_discard_only_where_it_is_configured),
        ENGINE_TEST(a_guest_cannot_write_to_its_seed),
        ENGINE_TEST(a_disk_has_one_keeper),
        ENGINE_TEST(of_many_at_once_one_starts_it),
        ENGINE_TEST(it_outlives_who_has_started_it_but_not_for_ever),
        ENGINE_TEST(it_stays_while_who_has_started_it_lives),
        ENGINE_TEST(it_ends_when_its_guest_has_ended),
        ENGINE_TEST(it_waits_for_a_start_and_for_a_person),
        ENGINE_TEST(a_killed_one_is_known_to_be_gone),
        ENGINE_TEST(a_signal_reaches_no_other_process),
        ENGINE_TEST(one_that_does_not_heed_is_killed),
        ENGINE_TEST(nothing_of_who_opens_goes_along),
        ENGINE_TEST(the_key_is_in_no_descriptor),
        ENGINE_TEST(a_worker_has_no_hand_in_its_state),
        ENGINE_TEST(it_ends_when_its_guest_ended_behind_a_dead_worker),
        ENGINE_TEST(nothing_of_it_is_for_others),
        ENGINE_TEST(a_file_alone_is_no_keeper),
        ENGINE_TEST(why_it_does_not_start_is_told),
        ENGINE_TEST(what_it_warns_of_later_is_in_its_log),
        ENGINE_TEST(of_the_host_others_look_and_connect),
        ENGINE_TEST(the_folder_is_the_users_own),
        ENGINE_TEST(a_larger_file_is_told_to_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
