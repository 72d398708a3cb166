/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's server, over a storage in memory, and the real client.
 *
 * Most tests talk packets by hand, as a client that means no good would. The server runs in a child; what it
 * has can be seen only through LIST and MAPS. */
#include "base/audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/packet.h"
#include "broker/client.h"
#include "broker/server.h"
#include "child.h"
#include "fake-storage.h"
#include "sample-key.h"
#include "storage/check.h"
#include "storage/mkfs.h"
#include "storage/xts.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define I "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e"
#define J "aaaaaaaa-0c8f-4f0e-9d38-0b3f5f6c7d8e"
#define D "0d15c000-0c8f-4f0e-9d38-0b3f5f6c7d01"

struct peer {
    int socket;
    pid_t pid;
};

static char folder[] = "/tmp/test-broker.XXXXXX";
static char locks_path[64];

/* ------------------------------------------------------------------ peers */

static bool peer_is_root = true;
static size_t n_groups = 1;
static unsigned silence_msec; /* 0: it may be silent for ever */

/* A server must not hold the ends of other connections, also not of those that a test which failed has left.
 */
static void close_connections_but(int own)
{
    for (int fd = STDERR_FILENO + 1; fd < 256; fd++) {
        int type = 0;
        socklen_t size = sizeof type;
        if (fd != own && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
            close(fd);
    }
}

static struct peer start(const char *locks)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static struct config config;
        struct session s = {
            .config = &config, .locks_path = locks, .locks = LOCKS_NONE, .silence_msec = silence_msec};
        struct error e = ERROR_NONE;
        assert_ok(session_look_at_peer(&s, ends[1], &e), e);
        s.root = peer_is_root;
        config_defaults(&config);
        strcpy(config.volume_groups.item[0], "vg0");
        strcpy(config.volume_groups.item[1], "vg1");
        config.volume_groups.n = n_groups;
        close_connections_but(ends[1]);
        int r = server_serve(ends[1], -1, &s, NULL);
        session_end(&s);
        fake_storage_clear();
        exit(r < 0 ? 1 : 0); /* looks for leaks too */
    }
    fd_close(ends[1]);
    return (struct peer){.socket = ends[0], .pid = pid};
}

static struct peer start_with_groups(size_t n)
{
    n_groups = n;
    struct peer p = start(locks_path);
    n_groups = 1;
    return p;
}

/* The server must have ended well: a sanitizer's finding is another status. */
static void end(struct peer p)
{
    fd_close(p.socket);
    assert_int_equal(child_status(p.pid), 0);
}

static struct answer receive(struct peer p, int *ret_fd)
{
    struct answer a;
    size_t size = 0;
    int fd = -1;
    assert_int_equal(packet_receive(p.socket, &a, sizeof a, &size, &fd), 0);
    assert_int_equal(size, sizeof a);
    assert_int_equal(a.version, wire_version);
    if (ret_fd)
        *ret_fd = fd;
    else
        fd_close(fd);
    if (a.errnum) {
        assert_true(a.text[0]);
        assert_int_equal(fd, -1);
    }
    return a;
}

static struct answer ask_for(struct peer p, enum op op, const void *request, size_t size, int fd, int *ret_fd)
{
    assert_int_equal(wire_send_request(p.socket, op, request, size, fd), 0);
    return receive(p, ret_fd);
}

static int ask(struct peer p, enum op op, const void *request, size_t size, int fd)
{
    return ask_for(p, op, request, size, fd, NULL).errnum;
}
#define ASK(p, op, request) ask(p, op, &(request), sizeof(request), -1)

/* All that the server has, as text; the caller frees it. */
static char *look(struct peer p)
{
    static const struct op_none none;
    char *list = NULL;
    size_t size = 0;
    int fd = -1;
    struct answer a = ask_for(p, OP_LIST, &none, sizeof none, -1, &fd);
    assert_int_equal(a.errnum, 0);
    assert_int_equal(fd_read_text(fd, 1 << 20, &list, &size), 0);
    assert_int_equal(size, a.size_bytes);
    fd_close(fd);

    a = ask_for(p, OP_MAPS, &none, sizeof none, -1, &fd);
    assert_int_equal(a.size_bytes % sizeof(struct map), 0);
    for (size_t i = 0; i < a.size_bytes / sizeof(struct map); i++) {
        struct map m;
        assert_int_equal(fd_pread_all(fd, &m, sizeof m, i * sizeof m), 0);
        char *more = str_format("%s%s=%s\n", list, m.name, m.uuid);
        free(list);
        list = more;
    }
    fd_close(fd);
    return list;
}

static int lock(struct peer p, const char *uuid)
{
    struct op_lock q = {0};
    strcpy(q.uuid, uuid);
    return ASK(p, OP_LOCK, q);
}

/* Starts a server whose client has the lock of an instance. */
static struct peer start_locked(const char *uuid)
{
    struct peer p = start(locks_path);
    assert_int_equal(lock(p, uuid), 0);
    return p;
}

/* ---------------------------------------------------------------- volumes */

static struct volume plain(const char *instance, const char *role)
{
    struct volume v = {.vg = "vg0", .size_bytes = 5000000, .name = "ci-1", .cipher = "none"};
    strcpy(v.instance, instance);
    strcpy(v.disk, D);
    strcpy(v.role, role);
    unsigned hash = 0; /* another disk for each instance and role */
    for (const char *c = role; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    snprintf(v.disk, sizeof v.disk, "%.2s%02x%s", instance, hash & 0xff, &D[4]);
    volume_set_lv_name(&v);
    return v;
}

static struct volume encrypted(const char *instance, const char *role, const struct secret *key)
{
    struct volume v = plain(instance, role);
    struct error e = ERROR_NONE;
    strcpy(v.cipher, "aes-xts-plain64");
    strcpy(v.key, "local:ci-1");
    strcpy(v.kdf, "hkdf-sha512");
    v.key_bits = 512;
    v.sector_bytes = 4096;
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    return v;
}

static struct volume_ref ref(const struct volume *v)
{
    struct volume_ref r;
    memcpy(r.vg, v->vg, sizeof r.vg);
    memcpy(r.lv, v->lv, sizeof r.lv);
    return r;
}

/* Makes, makes anew or adopts: the request tells all of the volume. */
static int bring(struct peer p, enum op op, const struct volume *v)
{
    struct op_create q = {.volume = *v};
    return ASK(p, op, q);
}

static int create(struct peer p, const struct volume *v)
{
    return bring(p, OP_CREATE, v);
}

static struct answer ask_with_key(struct peer p, enum op op, const void *request, size_t size,
                                  const struct secret *key, int *ret_fd)
{
    _cleanup_handover_ struct secret_handover *h = NULL;
    assert_int_equal(secret_handover(key, &h, NULL), 0);
    return ask_for(p, op, request, size, secret_handover_fd(h), ret_fd);
}

static int open_with(struct peer p, const struct volume *v, const struct secret *key, struct answer *ret,
                     int *ret_fd)
{
    struct op_open q = {.volume = ref(v)};
    struct answer a = ask_with_key(p, OP_OPEN, &q, sizeof q, key, ret_fd);
    if (ret)
        *ret = a;
    return a.errnum;
}

/* Opens the volume itself. */
static int open_volume(struct peer p, const struct volume *v, enum map_use use, const struct secret *key,
                       struct answer *ret, int *ret_fd)
{
    struct op_open q = {.volume = ref(v), .use = (uint8_t)use};
    _cleanup_handover_ struct secret_handover *h = NULL;
    assert_int_equal(secret_handover(key, &h, NULL), 0);
    *ret = ask_for(p, OP_OPEN_VOLUME, &q, sizeof q, secret_handover_fd(h), ret_fd);
    return ret->errnum;
}

static int open_later(struct peer p, const struct volume *v, const struct secret *key)
{
    struct op_open q = {.volume = ref(v), .settle = SETTLE_LATER};
    return ask_with_key(p, OP_OPEN, &q, sizeof q, key, NULL).errnum;
}

static int open_disk(struct peer p, const struct volume *v, const struct secret *key)
{
    return open_with(p, v, key, NULL, NULL);
}

static int act(struct peer p, enum op op, const struct volume *v)
{
    struct op_close q = {.volume = ref(v)}; /* struct op_volume, and what only CLOSE has behind it */
    return ask(p, op, &q, op == OP_CLOSE ? sizeof q : sizeof(struct op_volume), -1);
}

static int format(struct peer p, const struct volume *v, const char *fs, const char *label)
{
    struct op_format q = {.volume = ref(v)};
    memcpy(q.fs, fs, strnlen(fs, sizeof q.fs));
    memcpy(q.label, label, strnlen(label, sizeof q.label));
    return ASK(p, OP_FORMAT, q);
}

static int mark(struct peer p, const struct volume *v, enum volume_state state)
{
    struct op_mark q = {.state = state, .set = {.n = 1, .volume = {ref(v)}}};
    return ASK(p, OP_MARK, q);
}

static int remove_one(struct peer p, const struct volume *v)
{
    struct op_set q = {.n = 1, .volume = {ref(v)}};
    return ASK(p, OP_REMOVE, q);
}

static struct answer resize(struct peer p, const struct volume *v, uint64_t size_bytes)
{
    struct op_resize q = {.volume = ref(v), .size_bytes = size_bytes};
    return ask_for(p, OP_RESIZE, &q, sizeof q, -1, NULL);
}

/* --------------------------------------------------------------- right paths */

static void an_encrypted_volume_lives_and_dies(void **state)
{
    (void)state;
    struct peer p = start_locked(I);
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key);
    struct answer a;
    int fd = -1, again = -1;
    char text[9] = "";

    assert_int_equal(lock(p, I), 0); /* ours already */
    struct op_create q = {.volume = v};
    a = ask_for(p, OP_CREATE, &q, sizeof q, -1, NULL);
    assert_int_equal(a.errnum, 0);
    assert_int_equal(a.size_bytes, 8 << 20); /* whole extents */

    assert_int_equal(open_with(p, &v, key, &a, &fd), 0);
    assert_int_equal(a.size_bytes, 8 << 20);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(open_with(p, &v, key, &a, &again), 0);
    assert_int_equal(format(p, &v, "ext4", "root"), 0);
    assert_int_equal(fd_pread_all(fd, text, 8, 0), 0);
    assert_memory_equal(text, "ext4:roo", 8);
    fd_close(fd);
    fd_close(again);

    assert_int_equal(mark(p, &v, VOLUME_READY), 0);
    assert_int_equal(mark(p, &v, VOLUME_READY), 0); /* nothing to do */
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    assert_int_equal(open_with(p, &v, key, &a, NULL), 0);
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    assert_int_equal(mark(p, &v, VOLUME_DOOMED), 0);
    assert_int_equal(remove_one(p, &v), 0);
    assert_int_equal(remove_one(p, &v), 0); /* gone is gone */
    _cleanup_free_ char *left = look(p);
    assert_null(strstr(left, I));
    end(p);
}

static void a_plain_volume_is_overwritten_before_it_goes(void **state)
{
    (void)state;
    struct peer p = start_locked(I);
    struct volume v = plain(I, "eph0");
    struct op_volume q = {.volume = ref(&v)};
    int fd = -1;
    char text[6] = "", path[32];

    assert_int_equal(create(p, &v), 0);
    assert_int_equal(ask_for(p, OP_OPEN_PLAIN, &q, sizeof q, -1, &fd).errnum, 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY); /* what stood there before is another's */
    assert_int_equal(fd_pwrite_all(fd, "secret", 6, 0), 0);
    assert_int_equal(remove_one(p, &v), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    _cleanup_close_ int device = open(path, O_RDONLY);
    assert_int_equal(fd_pread_all(device, text, 6, 0), 0);
    assert_memory_equal(text, "\0\0\0\0\0\0", 6);
    fd_close(fd);

    assert_int_equal(create(p, &v), 0);
    assert_int_equal(mark(p, &v, VOLUME_READY), 0);
    assert_int_equal(act(p, OP_OPEN_PLAIN, &v), -EUNSAFE); /* it is done with it */
    end(p);
}

static void a_set_is_of_several_states(void **state)
{
    (void)state;
    struct peer p = start_locked(I);
    struct volume v = plain(I, "root"), w = plain(I, "eph0");
    assert_int_equal(create(p, &v), 0);
    assert_int_equal(create(p, &w), 0);
    assert_int_equal(mark(p, &v, VOLUME_READY), 0);
    struct op_mark q = {.state = VOLUME_DOOMED, .set = {.n = 2, .volume = {ref(&v), ref(&w)}}};
    assert_int_equal(ASK(p, OP_MARK, q), 0);
    assert_int_equal(ASK(p, OP_REMOVE, q.set), 0);
    end(p);
}

/* --------------------------------------------------------------- refusals */

#define REFUSED(p, wanted, call)                                                                             \
    do {                                                                                                     \
        _cleanup_free_ char *before_ = look(p);                                                              \
        assert_int_equal(call, wanted);                                                                      \
        _cleanup_free_ char *after_ = look(p);                                                               \
        assert_string_equal(before_, after_);                                                                \
    } while (0)

/* The same for a copy of the volume, in which `change` changes one thing of `changed`. */
#define REFUSED_CHANGED(p, wanted, call, v, change)                                                          \
    do {                                                                                                     \
        struct volume changed = v;                                                                           \
        change;                                                                                              \
        REFUSED(p, wanted, call(p, &changed));                                                               \
    } while (0)

static void malformed_packets_are_refused(void **state)
{
    (void)state;
    struct peer p = start(locks_path);
    struct volume v = plain(I, "root");
    struct op_lock uuid = {.uuid = I};
    struct {
        struct wire_header h;
        struct op_lock lock;
    } other = {.h = {.version = wire_version + 1, .op = OP_LOCK}, .lock = uuid};

    assert_int_equal(packet_send(p.socket, &other, sizeof other.h + sizeof other.lock, -1), 0);
    assert_int_equal(receive(p, NULL).errnum, -EPROTO);
    assert_int_equal(packet_send(p.socket, &other, 3, -1), 0);
    assert_int_equal(receive(p, NULL).errnum, -EPROTO);
    REFUSED(p, -EPROTO, ask(p, OP_COUNT, &uuid, sizeof uuid, -1));
    REFUSED(p, -EPROTO, ask(p, (enum op)0xffffffff, &uuid, sizeof uuid, -1));
    REFUSED(p, -EPROTO, ask(p, OP_LOCK, &uuid, sizeof uuid - 1, -1));
    REFUSED(p, -EPROTO, ask(p, OP_LOCK, &uuid, sizeof uuid, STDIN_FILENO));
    _cleanup_free_ char *huge = calloc(1, 20000);
    REFUSED(p, -EPROTO, ask(p, OP_MARK, huge, 20000, -1));
    memset(uuid.uuid, 'a', sizeof uuid.uuid);
    REFUSED(p, -EPROTO, ASK(p, OP_LOCK, uuid));
    REFUSED(p, -EINVAL, lock(p, "../../etc/passwd"));

    assert_int_equal(lock(p, I), 0);
    struct op_open q = {.volume = ref(&v)};
    REFUSED(p, -EPROTO, ASK(p, OP_OPEN, q)); /* without a key */
    struct op_mark m = {.state = VOLUME_BUILDING, .set = {.n = 1, .volume = {ref(&v)}}};
    REFUSED(p, -EINVAL, ASK(p, OP_MARK, m));
    m.state = 77;
    REFUSED(p, -EINVAL, ASK(p, OP_MARK, m));
    m = (struct op_mark){.state = VOLUME_READY, .set = {.n = 0}};
    REFUSED(p, -EPROTO, ASK(p, OP_MARK, m));
    m.set.n = WIRE_VOLUMES_MAX + 1;
    REFUSED(p, -EPROTO, ASK(p, OP_MARK, m));
    m.set = (struct op_set){.n = 2, .volume = {ref(&v), ref(&v)}};
    REFUSED(p, -EINVAL, ASK(p, OP_REMOVE, m.set));
    end(p);
}

static void names_and_groups_are_judged(void **state)
{
    (void)state;
    struct peer p = start_locked(I);
    struct volume v = plain(I, "root");

    struct op_close q = {.volume = {"other", I "_disk"}};
    REFUSED(p, -EPERM, ASK(p, OP_CLOSE, q));
    struct answer a = ask_for(p, OP_CLOSE, &q, sizeof q, -1, NULL);
    assert_non_null(strstr(a.text, "other"));
    q = (struct op_close){.volume = {"vg0", I "_disk./../x"}};
    REFUSED(p, -EINVAL, ASK(p, OP_CLOSE, q));
    q = (struct op_close){.volume = {"..", I "_disk"}};
    REFUSED(p, -EINVAL, ASK(p, OP_CLOSE, q));
    memset(q.volume.lv, 'a', sizeof q.volume.lv);
    REFUSED(p, -EPROTO, ASK(p, OP_CLOSE, q));

    REFUSED_CHANGED(p, -EPERM, create, v, strcpy(changed.vg, "other"));
    REFUSED_CHANGED(p, -EINVAL, create, v, memset(changed.name, 'a', sizeof changed.name));
    REFUSED_CHANGED(p, -EINVAL, create, v, strcpy(changed.name, "a,mayfly.state=ready"));
    REFUSED_CHANGED(p, -EINVAL, create, v, strcpy(changed.lv, I "_disk.swap"));
    REFUSED_CHANGED(p, -EINVAL, create, v, changed.size_bytes = 0);
    REFUSED_CHANGED(p, -EINVAL, create, v, changed.state = VOLUME_READY);
    end(p);
}

static void without_the_lock_nothing_is_done(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(J, "root");
    fake_storage_add(&v);
    struct peer p = start(locks_path), other = start(locks_path);

    assert_int_equal(lock(p, J), 0); /* another instance's lock is no help */
    REFUSED(p, -EPERM, create(p, &v));
    REFUSED(p, -EPERM, open_disk(p, &v, key));
    REFUSED(p, -EPERM, act(p, OP_OPEN_PLAIN, &v));
    REFUSED(p, -EPERM, act(p, OP_CLOSE, &v));
    REFUSED(p, -EPERM, resize(p, &v, 2 * v.size_bytes).errnum);
    REFUSED(p, -EPERM, format(p, &v, "ext4", ""));
    REFUSED(p, -EPERM, mark(p, &v, VOLUME_DOOMED));
    REFUSED(p, -EPERM, remove_one(p, &v));
    struct op_set both = {.n = 2, .volume = {ref(&w), ref(&v)}};
    REFUSED(p, -EPERM, ASK(p, OP_REMOVE, both));

    struct op_lock q = {.uuid = J};
    struct answer a = ask_for(other, OP_LOCK, &q, sizeof q, -1, NULL);
    assert_int_equal(a.errnum, -EBUSY);
    assert_non_null(strstr(a.text, J));
    assert_int_equal(lock(other, I), 0);
    end(p);
    assert_int_equal(lock(other, J), 0); /* it went with the connection */
    end(other);
}

static int unlock(struct peer p, const char *uuid)
{
    struct op_unlock q = {0};
    strcpy(q.uuid, uuid);
    return ASK(p, OP_UNLOCK, q);
}

static void a_lock_is_given_back(void **state)
{
    (void)state;
    struct peer p = start(locks_path), other = start(locks_path);
    struct volume v = plain(I, "root");

    assert_int_equal(lock(p, I), 0);
    assert_int_equal(lock(p, J), 0);
    assert_int_equal(create(p, &v), 0);
    assert_int_equal(unlock(p, I), 0);
    assert_int_equal(unlock(p, I), 0); /* nothing to do */
    assert_int_equal(lock(other, I), 0);
    assert_int_equal(lock(other, J), -EBUSY); /* that one is still held */
    REFUSED(p, -EPERM, mark(p, &v, VOLUME_READY));
    assert_int_equal(unlock(other, I), 0);
    assert_int_equal(lock(p, I), 0);
    assert_int_equal(act(p, OP_OPEN_PLAIN, &v),
                     -EUNSAFE); /* what was made under the first lock is another's */
    end(p);
    end(other);
}

static void who_holds_a_lock_is_named(void **state)
{
    (void)state;
    struct peer p = start(locks_path), other = start(locks_path);
    struct op_lock q = {.uuid = I, .verb = "key destroy"};
    char process[32];
    snprintf(process, sizeof process, "process %d of user %u", getpid(), getuid());

    assert_int_equal(ASK(p, OP_LOCK, q), 0);
    struct answer a = ask_for(other, OP_LOCK, &q, sizeof q, -1, NULL);
    assert_int_equal(a.errnum, -EBUSY);
    assert_non_null(strstr(a.text, "mayfly key destroy, "));
    assert_non_null(strstr(a.text, process));
    assert_int_equal(unlock(p, I), 0);
    strcpy(q.verb, "\033[31m"); /* others would read it on their terminals */
    REFUSED(p, -EINVAL, ASK(p, OP_LOCK, q));
    memset(q.verb, 'a', sizeof q.verb);
    REFUSED(p, -EPROTO, ASK(p, OP_LOCK, q));
    end(p);
    end(other);
}

/* Not as long as it says that it is at work. False: on a busy machine it could not say so in time. */
static bool says_that_it_is_at_work(struct peer p, unsigned limit_msec)
{
    static const struct op_none none;
    uint64_t said_msec = clock_msec(), longest_msec = 0;
    for (int i = 0; i < 6; i++) {
        usleep(limit_msec * 300);
        uint64_t now_msec = clock_msec();
        longest_msec = now_msec - said_msec > longest_msec ? now_msec - said_msec : longest_msec;
        said_msec = now_msec;
        if (longest_msec > limit_msec / 4 * 3)
            return false;
        assert_int_equal(ASK(p, OP_ALIVE, none), 0);
    }
    return true;
}

static void a_silent_client_loses_its_locks(void **state)
{
    (void)state;
    static const struct op_none none;
    for (unsigned limit_msec = 1000;; limit_msec *= 2) {
        silence_msec = limit_msec;
        struct peer p = start(locks_path);
        silence_msec = 0;
        struct peer other = start(locks_path);
        assert_int_equal(lock(p, I), 0);
        bool in_time = says_that_it_is_at_work(p, limit_msec);
        if (in_time) {
            assert_int_equal(lock(other, I), -EBUSY);
            for (int tries = 0; tries < 100 && lock(other, I) == -EBUSY; tries++)
                usleep(200000);
            assert_int_equal(lock(other, I), 0);
            struct answer a = receive(p, NULL);
            assert_int_equal(a.errnum, -ETIMEDOUT);
            assert_non_null(strstr(a.text, "mayfly recover"));
            int sent = 0; /* until it has ended */
            for (int tries = 0; tries < 100 && sent == 0; tries++) {
                sent = wire_send_request(p.socket, OP_ALIVE, &none, sizeof none, -1);
                usleep(20000);
            }
            assert_int_not_equal(sent, 0);
        }
        end(p);
        end(other);
        if (in_time)
            return;
    }
}

static void a_folder_of_others_is_no_place_for_locks(void **state)
{
    (void)state;
    char path[80];
    snprintf(path, sizeof path, "%s/open/locks", folder);
    struct peer p = start(path);
    assert_int_equal(lock(p, I), 0); /* makes the folder */
    end(p);
    *strrchr(path, '/') = '\0';
    assert_int_equal(chmod(path, 0777), 0);
    path[strlen(path)] = '/';
    p = start(path);
    assert_int_equal(lock(p, I), -EPERM);
    end(p);
}

static void a_process_that_serves_gets_the_volume_itself(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    _cleanup_close_ int fd = -1;
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "eph0", key);
    struct answer a;
    v.state = VOLUME_READY;
    v.engine = ENGINE_USER;
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start(locks_path);
    REFUSED(p, -EPERM, open_volume(p, &v, MAP_FOR_DOMAIN, key, &a, NULL)); /* without the lock */
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EKEYREJECTED, open_volume(p, &v, MAP_FOR_DOMAIN, wrong, &a, NULL));
    REFUSED(p, -EUNSAFE, open_volume(p, &w, MAP_FOR_DOMAIN, key, &a, NULL)); /* it gets a map */
    REFUSED(p, -EUNSAFE, open_volume(p, &v, MAP_TO_STAY, key, &a, NULL));
    REFUSED(p, -EINVAL, open_volume(p, &v, (enum map_use)4, key, &a, NULL));

    assert_int_equal(open_volume(p, &v, MAP_FOR_DOMAIN, key, &a, &fd), 0);
    assert_int_equal(a.size_bytes, v.size_bytes);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    _cleanup_free_ char *all = look(p);
    assert_null(strstr(all, "-dmcrypt"));

    assert_int_equal(open_with(p, &v, key, NULL, NULL), 0); /* the host looks at it through a map */
    REFUSED(p, -EBUSY, open_volume(p, &v, MAP_FOR_DOMAIN, key, &a, NULL));
    end(p);
}

static void a_volume_that_is_held_or_suspended_is_not_handed_out(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key);
    struct answer a;
    v.state = VOLUME_READY;
    v.engine = ENGINE_USER;
    fake_storage_add(&v);
    for (int i = 0; i < 2; i++) {
        fake_storage.volumes[0].held = i == 0;
        fake_storage.volumes[0].suspended = i == 1;
        struct peer p = start(locks_path);
        assert_int_equal(lock(p, I), 0);
        REFUSED(p, i == 0 ? -EBUSY : -ENEEDSRECOVER, open_volume(p, &v, MAP_FOR_START, key, &a, NULL));
        end(p);
    }
}

static int set_engine(struct peer p, const struct volume *v, enum volume_engine engine)
{
    struct op_engine q = {.volume = ref(v), .engine = engine};
    return ASK(p, OP_ENGINE, q);
}

static void who_opens_a_volume_is_changed_while_nobody_has(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0"), unfinished = encrypted(I, "eph1", key);
    v.state = w.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage_add(&unfinished);
    struct peer p = start(locks_path);
    REFUSED(p, -EPERM, set_engine(p, &v, ENGINE_USER));
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EINVAL, set_engine(p, &v, (enum volume_engine)2));
    REFUSED(p, -EINVAL, set_engine(p, &w, ENGINE_USER));
    REFUSED(p, -EUNSAFE, set_engine(p, &unfinished, ENGINE_USER));
    assert_int_equal(open_with(p, &v, key, NULL, NULL), 0);
    REFUSED(p, -EBUSY, set_engine(p, &v, ENGINE_USER));
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    assert_int_equal(set_engine(p, &v, ENGINE_USER), 0);
    _cleanup_free_ char *user = look(p);
    assert_non_null(strstr(user, "mayfly.engine=user"));
    assert_int_equal(set_engine(p, &v, ENGINE_USER), 0);
    assert_int_equal(set_engine(p, &v, ENGINE_DM_CRYPT), 0);
    _cleanup_free_ char *dm_crypt = look(p);
    assert_null(strstr(dm_crypt, "mayfly.engine"));
    end(p);
}

static void only_the_right_key_opens(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2), *half = NULL;
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start_locked(I);
    struct op_open q = {.volume = ref(&v)};

    REFUSED(p, -EKEYREJECTED, open_disk(p, &v, wrong));
    assert_int_equal(secret_new(5000, &half, NULL), 0); /* another number of pages */
    REFUSED(p, -EPROTO, open_disk(p, &v, half));
    _cleanup_close_ int file = memfd_create("t", MFD_ALLOW_SEALING), pipe_end = open("/dev/null", O_RDWR);
    REFUSED(p, -EPROTO, ask(p, OP_OPEN, &q, sizeof q, file));
    REFUSED(p, -EPROTO, ask(p, OP_OPEN, &q, sizeof q, pipe_end));
    REFUSED(p, -EINVAL, open_disk(p, &w, key));
    REFUSED(p, -EKEYREJECTED, act(p, OP_OPEN_PLAIN, &v));
    REFUSED(p, -EUNSAFE, act(p, OP_OPEN_PLAIN, &w)); /* not made here */
    struct volume none = plain(I, "swap");
    REFUSED(p, -ENOENT, open_disk(p, &none, key));

    assert_int_equal(open_disk(p, &v, key), 0);
    REFUSED(p, -EKEYREJECTED, open_disk(p, &v, wrong)); /* the map does not help */
    assert_int_equal(mark(p, &v, VOLUME_DOOMED), 0);
    REFUSED(p, -EUNSAFE, open_disk(p, &v, key));
    end(p);
}

static void a_map_of_others_is_left_alone(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key);
    v.state = VOLUME_DOOMED;
    fake_storage_add(&v);
    fake_storage_add_map(I "_disk-dmcrypt", "CRYPT-PLAIN-x");
    struct peer p = start_locked(I);
    REFUSED(p, -EUNSAFE, act(p, OP_CLOSE, &v));
    REFUSED(p, -EUNSAFE, remove_one(p, &v));
    end(p);
}

static void what_others_have_is_not_doomed(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "eph0", key);
    v.state = w.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.volumes[1].held = true; /* the other disk: not even the lead is marked */
    struct peer p = start_locked(I);
    REFUSED(p, -EBUSY, mark(p, &v, VOLUME_DOOMED));
    end(p);

    fake_storage.volumes[1].held = false;
    fake_storage_add_map(I "_disk.eph0-dmcrypt", "CRYPT-PLAIN-x");
    p = start_locked(I);
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_DOOMED));
    end(p);
}

/* All disks of an instance are looked at before the first is doomed, in whichever group they are. */
static void what_others_have_in_another_group_is_not_doomed(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = plain(I, "root"), w = encrypted(I, "eph0", key);
    strcpy(w.vg, "vg1");
    v.state = w.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.volumes[1].held = true;
    struct peer p = start_with_groups(2);
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EBUSY, mark(p, &v, VOLUME_DOOMED));
    end(p);
}

static void what_others_have_is_not_opened(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key);
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage.volumes[0].held = true;
    struct peer p = start_locked(I);
    REFUSED(p, -EBUSY, open_disk(p, &v, key));
    end(p);
}

static void a_failed_open_leaves_no_map(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    fake_storage_add(&v);
    fake_storage.device_fails = true;
    struct peer p = start_locked(I);
    REFUSED(p, -EIO, open_disk(p, &v, key));
    REFUSED(p, -EIO, create(p, &w));
    end(p);

    fake_storage.device_fails = false;
    fake_storage.map_fails = true;
    p = start_locked(I);
    REFUSED(p, -EUNSAFE, open_disk(p, &v, key));
    end(p);
}

static struct answer tune(struct peer p, const struct volume *v, const struct secret *key)
{
    struct op_volume q = {.volume = ref(v)};
    return ask_with_key(p, OP_TUNE, &q, sizeof q, key, NULL);
}

static void who_brings_the_key_of_an_open_disk_tunes(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *wrong = key_of(2);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "eph0", key), x = plain(I, "swap");
    v.state = x.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage_add(&x);
    fake_storage_add_map(I "_disk-dmcrypt", MAP_UUID_PREFIX D);
    fake_storage_add_map(I "_disk.eph0-dmcrypt", MAP_UUID_PREFIX D);
    fake_storage.maps[0].flags = CRYPT_ALLOW_DISCARDS;
    struct peer p = start(locks_path);

    REFUSED(p, -EPERM, tune(p, &v, key).errnum); /* without the lock */
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EPROTO, act(p, OP_TUNE, &v)); /* without a key */
    REFUSED(p, -EKEYREJECTED, tune(p, &v, wrong).errnum);
    REFUSED(p, -EINVAL, tune(p, &x, key).errnum);
    REFUSED(p, -EUNSAFE, tune(p, &w, key).errnum); /* building */
    struct answer a = tune(p, &v, key);
    assert_int_equal(a.errnum, 0);
    assert_true(a.changed);
    a = tune(p, &v, key);
    assert_int_equal(a.errnum, 0);
    assert_false(a.changed);
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    REFUSED(p, -ENOENT, tune(p, &v, key).errnum); /* nothing is opened so */
    end(p);
}

static void only_what_is_being_made_here_is_formatted(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "eph0", key);
    fake_storage_add(&v);
    struct peer p = start_locked(I);
    assert_int_equal(open_disk(p, &v, key), 0);
    REFUSED(p, -EUNSAFE, format(p, &v, "ext4", "")); /* opened, but not made by us */

    assert_int_equal(create(p, &w), 0);
    REFUSED(p, -EEXIST, create(p, &w));
    REFUSED(p, -EUNSAFE, format(p, &w, "ext4", "")); /* not opened */
    assert_int_equal(open_disk(p, &w, key), 0);
    REFUSED(p, -EINVAL, format(p, &w, "btrfs", ""));
    REFUSED(p, -EINVAL, format(p, &w, "", ""));
    REFUSED(p, -EINVAL, format(p, &w, "ext4", "a b"));
    REFUSED(p, -EINVAL, format(p, &w, "ext4", "-c"));
    REFUSED(p, -EINVAL, format(p, &w, "ext4", "/etc"));
    REFUSED(p, -EPROTO, format(p, &w, "ext4ext4", ""));
    REFUSED(p, -EPROTO, format(p, &w, "ext4", "abcdefghijkl"));
    assert_int_equal(format(p, &w, "vfat", "data-1"), 0);
    assert_int_equal(mark(p, &w, VOLUME_READY), 0);
    REFUSED(p, -EUNSAFE, format(p, &w, "ext4", ""));
    end(p);
}

/* What this connection did to a disk gives it no right to another one of that name. */
static void what_took_the_name_of_a_disk_made_here_is_not_formatted(void **state)
{
    (void)state;
    struct volume v = plain(I, "swap");
    fake_storage.replaced = true;
    struct peer p = start_locked(I);
    assert_int_equal(create(p, &v), 0);
    assert_int_equal(act(p, OP_OPEN_PLAIN, &v), 0);
    assert_int_equal(format(p, &v, "swap", ""), -EUNSAFE);
    end(p);

    fake_storage.replaced = false; /* and the same where nobody meddles */
    p = start_locked(I);
    assert_int_equal(create(p, &v), 0);
    assert_int_equal(act(p, OP_OPEN_PLAIN, &v), 0);
    assert_int_equal(format(p, &v, "swap", ""), 0);
    end(p);
}

static void states_go_one_way(void **state)
{
    (void)state;
    struct volume v = plain(I, "root"), w = plain(I, "eph0"), none = plain(I, "swap");
    v.state = VOLUME_DOOMED;
    w.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start_locked(I);
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_READY));
    REFUSED(p, -ENOENT, mark(p, &none, VOLUME_DOOMED));
    REFUSED(p, -EUNSAFE, remove_one(p, &w));
    struct op_set both = {.n = 2, .volume = {ref(&v), ref(&w)}};
    REFUSED(p, -EUNSAFE, ASK(p, OP_REMOVE, both)); /* none of them, since one may not */
    end(p);
}

/* One that this connection made, and beside it, as the second, one that was there before. */
static void a_set_of_new_and_old_is_found(void **state)
{
    (void)state;
    struct volume old = plain(I, "root"), new = plain(I, "eph0");
    fake_storage_add(&old);
    struct peer p = start_locked(I);
    assert_int_equal(create(p, &new), 0);
    struct op_mark q = {.state = VOLUME_READY, .set = {.n = 2, .volume = {ref(&new), ref(&old)}}};
    assert_int_equal(ASK(p, OP_MARK, q), 0);
    end(p);
}

static int snapshot_with(struct peer p, const struct volume *origin, const struct secret *key,
                         const char *disk)
{
    struct op_snapshot q = {.origin = ref(origin), .room_bytes = 1 << 22};
    strcpy(q.disk, disk);
    return ask_with_key(p, OP_SNAPSHOT, &q, sizeof q, key, NULL).errnum;
}

/* Made of a ready encrypted disk by who brings its key, opened by that key, and never a disk of its own. */
static void a_snapshot_needs_the_key_of_its_disk(void **state)
{
    (void)state;
    struct peer p = start_locked(I);
    _cleanup_secret_ struct secret *key = key_of(1), *other = key_of(2);
    const struct volume root = encrypted(I, "root", key), bare = plain(J, "root");
    struct volume snap = encrypted(I, "snap", key);
    struct answer a;

    assert_int_equal(lock(p, J), 0);
    assert_int_equal(create(p, &root), 0);
    assert_int_equal(create(p, &bare), 0);
    assert_int_equal(create(p, &snap), -EINVAL);                         /* only as a snapshot */
    assert_int_equal(snapshot_with(p, &root, key, snap.disk), -EUNSAFE); /* not ready */
    assert_int_equal(mark(p, &root, VOLUME_READY), 0);
    assert_int_equal(mark(p, &bare, VOLUME_READY), 0);
    assert_int_equal(snapshot_with(p, &root, other, snap.disk), -EKEYREJECTED);
    assert_int_equal(snapshot_with(p, &bare, key, snap.disk), -EINVAL);
    assert_int_equal(snapshot_with(p, &root, key, "no uuid"), -EINVAL);
    assert_int_equal(snapshot_with(p, &root, key, snap.disk), 0);
    assert_int_equal(snapshot_with(p, &root, key, D), -EEXIST); /* one at a time */
    assert_int_equal(snapshot_with(p, &snap, key, D), -EUNSAFE);

    assert_int_equal(open_disk(p, &snap, other), -EKEYREJECTED);
    assert_int_equal(open_with(p, &snap, key, &a, NULL), 0);
    assert_int_equal(format(p, &snap, "ext4", ""), -EUNSAFE);
    assert_int_equal(mark(p, &snap, VOLUME_READY), -EUNSAFE);
    assert_int_equal(mark(p, &root, VOLUME_DOOMED), 0);
    assert_int_equal(remove_one(p, &root), -EBUSY); /* not over its head */
    assert_int_equal(act(p, OP_CLOSE, &snap), 0);
    assert_int_equal(remove_one(p, &snap), 0);
    assert_int_equal(remove_one(p, &root), 0);
    end(p);
}

/* By its own lock it is read to the end, while others have that of its instance; and by these it is not
 * removed meanwhile. */
static void a_snapshot_goes_by_its_own_lock(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    const struct volume root = encrypted(I, "root", key);
    struct volume snap = encrypted(I, "snap", key), found = snap;
    struct peer p = start(locks_path);

    strcpy(found.disk, snap.disk);
    fake_storage_add(&found);
    struct peer other = start(locks_path);
    assert_int_equal(lock(p, I), 0);
    assert_int_equal(lock(p, snap.disk), 0);
    assert_int_equal(create(p, &root), 0);
    assert_int_equal(mark(p, &root, VOLUME_READY), 0);
    assert_int_equal(snapshot_with(p, &root, key, snap.disk), 0);
    assert_int_equal(unlock(p, I), 0);

    assert_int_equal(lock(other, I), 0);
    assert_int_equal(remove_one(other, &found), -EBUSY);
    assert_int_equal(mark(other, &found, VOLUME_DOOMED), -EBUSY);
    assert_int_equal(open_disk(p, &snap, key), 0);
    assert_int_equal(act(p, OP_CLOSE, &snap), 0);
    assert_int_equal(mark(p, &snap, VOLUME_DOOMED), 0);
    REFUSED(p, -EPERM, mark(p, &root, VOLUME_DOOMED));
    assert_int_equal(remove_one(p, &snap), 0);
    assert_int_equal(unlock(p, snap.disk), 0);
    assert_int_equal(remove_one(other, &found), 0);
    end(p);
    end(other);
}

static int lend(struct peer p, const struct volume *v, const struct secret *key, uint32_t table, int *ret_fd)
{
    struct op_bench q = {.volume = ref(v), .table = table};
    return ask_with_key(p, OP_BENCH, &q, sizeof q, key, ret_fd).errnum;
}

/* To whoever made it, and brings its key; by then nothing is left of what stood there. */
static void a_scratch_volume_is_overwritten_and_lent(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *other = key_of(2);
    struct volume scratch = encrypted(I, "bench", key), root = encrypted(J, "root", key),
                  bare = plain(J, "bench"), found = encrypted(J, "bench", key);
    char head[sizeof FAKE_REMAINS], zeros[sizeof FAKE_REMAINS] = {0};
    int fd = -1;
    found.state = VOLUME_BUILDING;
    struct peer p = start_locked(J);
    REFUSED(p, -EPERM, create(p, &scratch)); /* without its lock */
    assert_int_equal(lock(p, I), 0);
    assert_int_equal(create(p, &scratch), 0);
    assert_int_equal(create(p, &root), 0);
    assert_int_equal(create(p, &bare), 0);
    REFUSED(p, -EUNSAFE, lend(p, &root, key, BENCH_TABLE_NONE, NULL));
    REFUSED(p, -EUNSAFE, lend(p, &bare, key, BENCH_TABLE_NONE, NULL));
    REFUSED(p, -EUNSAFE, act(p, OP_OPEN_PLAIN, &bare));
    REFUSED(p, -EUNSAFE, open_disk(p, &scratch, key));
    REFUSED(p, -EKEYREJECTED, lend(p, &scratch, other, BENCH_TABLE_NONE, NULL));
    REFUSED(p, -EINVAL, lend(p, &scratch, key, BENCH_TABLES, NULL));
    REFUSED(p, -EUNSAFE, mark(p, &scratch, VOLUME_READY));

    assert_int_equal(lend(p, &scratch, key, BENCH_TABLE_NONE, &fd), 0);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    assert_memory_equal(head, zeros, sizeof head);
    fd_close(fd);
    assert_int_equal(lend(p, &scratch, key, BENCH_TABLE_OURS, NULL), 0);
    REFUSED(p, -EBUSY, lend(p, &scratch, key, BENCH_TABLE_CRYPTSETUP, NULL)); /* one at a time */
    REFUSED(p, -EUNSAFE, format(p, &scratch, "ext4", ""));
    assert_int_equal(act(p, OP_CLOSE, &scratch), 0);
    assert_int_equal(lend(p, &scratch, key, BENCH_TABLE_CRYPTSETUP, NULL), 0);
    REFUSED(p, -EBUSY, remove_one(p, &scratch));
    assert_int_equal(act(p, OP_CLOSE, &scratch), 0);
    assert_int_equal(remove_one(p, &scratch), 0);
    end(p);

    fake_storage_add(&found); /* another has made it */
    p = start_locked(J);
    REFUSED(p, -EUNSAFE, lend(p, &found, key, BENCH_TABLE_NONE, NULL));
    end(p);
}

static void a_ready_volume_grows_and_never_shrinks(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    struct answer a;
    v.state = VOLUME_READY;
    v.size_bytes = FAKE_EXTENT_BYTES;
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start_locked(I);
    REFUSED(p, -EUNSAFE, resize(p, &v, v.size_bytes - 4096).errnum);
    REFUSED(p, -EINVAL, resize(p, &v, v.size_bytes + 512).errnum);
    REFUSED(p, -EUNSAFE, resize(p, &w, w.size_bytes * 2).errnum); /* building */
    REFUSED(p, -ENOSPC, resize(p, &v, UINT64_C(1) << 60).errnum);
    REFUSED(p, -EINVAL, resize(p, &v, UINT64_MAX / 4096 * 4096).errnum); /* no sum with it would hold */
    for (int again = 0; again < 2; again++) {
        a = resize(p, &v, v.size_bytes + 4096);
        assert_int_equal(a.errnum, 0);
        assert_int_equal(a.size_bytes, 2 * FAKE_EXTENT_BYTES);
        v.size_bytes = 2 * FAKE_EXTENT_BYTES - 4096;
    }
    end(p);
}

static int remake(struct peer p, const struct volume *v)
{
    return bring(p, OP_REMAKE, v);
}

/* As it is to be after a rebuild: with another UUID, and under this key; NULL: in the clear. */
static struct volume anew(const struct volume *v, const struct secret *key)
{
    struct volume new = *v;
    struct error e = ERROR_NONE;
    new.state = VOLUME_REBUILDING;
    memcpy(new.disk, "11", 2);
    if (key)
        assert_ok(volume_check_value(&new, key, new.check, &e), e);
    return new;
}

static void a_disk_is_made_anew_when_nobody_uses_it(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *other = key_of(9);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start(locks_path);
    const struct volume in_clear = plain(I, "root"), new = anew(&v, other), bare = anew(&in_clear, NULL),
                        early = anew(&w, NULL);

    REFUSED(p, -EPERM, remake(p, &new)); /* not locked */
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EUNSAFE, remake(p, &bare));
    REFUSED(p, -EUNSAFE, remake(p, &early)); /* building */
    REFUSED_CHANGED(p, -EINVAL, remake, new, changed.state = VOLUME_READY);
    assert_int_equal(open_disk(p, &v, key), 0);
    REFUSED(p, -EBUSY, remake(p, &new));
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    REFUSED(p, -EUNSAFE, format(p, &v, "ext4", "")); /* ready */
    assert_int_equal(remake(p, &new), 0);
    REFUSED(p, -EKEYREJECTED, open_disk(p, &v, key));
    assert_int_equal(open_disk(p, &new, other), 0);
    assert_int_equal(format(p, &new, "ext4", ""), 0);
    assert_int_equal(mark(p, &new, VOLUME_READY), 0);
    REFUSED(p, -EUNSAFE, format(p, &new, "ext4", ""));
    end(p);
}

static void what_is_in_use_is_not_removed(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.volumes[1].held = true;
    char text[4] = "text";
    assert_int_equal(fd_pwrite_all(fake_storage.volumes[1].fd, text, 4, 0), 0);
    struct peer p = start_locked(I);
    REFUSED(p, -EBUSY, remove_one(p, &w));
    assert_int_equal(fd_pread_all(fake_storage.volumes[1].fd, text, 4, 0), 0);
    assert_memory_equal(text, "text", 4); /* nor overwritten */
    assert_int_equal(open_disk(p, &v, key), 0);
    REFUSED(p, -EBUSY, remove_one(p, &v));
    end(p);
}

/* Somebody's snapshot, say: LVM would remove it along. */
static void what_others_depend_on_is_left_alone(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    const struct volume new = anew(&v, key);
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    strcpy(fake_storage.volumes[0].dependent, "snapshot vg0/backup depends on it");
    strcpy(fake_storage.volumes[1].dependent, "it has a cache");
    struct peer p = start_locked(I);
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_DOOMED));
    REFUSED(p, -EUNSAFE, remake(p, &new));
    REFUSED(p, -EUNSAFE, remove_one(p, &w));
    end(p);

    fake_storage.volumes[0].dependent[0] = '\0';
    p = start_locked(I);
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_DOOMED)); /* its other disk */
    end(p);

    fake_storage.volumes[1].dependent[0] = '\0';
    p = start_locked(I);
    assert_int_equal(mark(p, &v, VOLUME_DOOMED), 0);
    assert_int_equal(remove_one(p, &w), 0);
    end(p);
}

static void a_suspended_volume_is_not_opened_and_can_be_resumed(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key);
    v.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage.volumes[0].suspended = true;
    struct peer p = start(locks_path);
    REFUSED(p, -EPERM, act(p, OP_RESUME, &v)); /* not locked */
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -ENEEDSRECOVER, open_disk(p, &v, key));
    assert_int_equal(act(p, OP_RESUME, &v), 0);
    struct volume gone = plain(I, "eph0"); /* and its devices are not */
    assert_int_equal(act(p, OP_RESUME, &gone), 0);
    assert_int_equal(open_disk(p, &v, key), 0);
    end(p);
}

static void a_group_that_is_not_seen_proves_nothing(void **state)
{
    (void)state;
    struct volume v = plain(I, "root");
    fake_storage_add(&v);
    fake_storage.group_gone = "vg0";
    struct peer p = start_locked(I);
    REFUSED(p, -EIO, act(p, OP_RESUME, &v)); /* else its devices would be removed */
    end(p);
}

static size_t count_maps(struct peer p)
{
    static const struct op_none none;
    struct answer a = ask_for(p, OP_MAPS, &none, sizeof none, -1, NULL);
    return a.size_bytes / sizeof(struct map);
}

/* However many are opened; and never left to itself, since that would leave a cookie behind. */
static void udevd_is_waited_for_once(void **state)
{
    (void)state;
    static const struct op_settle none;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "swap", key);
    unsigned *settled =
        mmap(NULL, sizeof *settled, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.settled = settled; /* by the server's process */
    struct peer p = start_locked(I);
    struct op_close q = {.volume = ref(&v), .settle = SETTLE_LATER + 1};
    REFUSED(p, -EINVAL, ASK(p, OP_CLOSE, q));
    assert_int_equal(open_later(p, &v, key), 0);
    assert_int_equal(open_later(p, &w, key), 0);
    assert_int_equal(*settled, 0);
    assert_int_equal(ASK(p, OP_SETTLE, none), 0);
    assert_int_equal(*settled, 1);
    q.settle = SETTLE_LATER;
    assert_int_equal(ASK(p, OP_CLOSE, q), 0);
    assert_int_equal(*settled, 1);
    end(p);
    assert_int_equal(*settled, 2);
    munmap(settled, sizeof *settled);
}

static void a_map_without_its_node_is_closed(void **state)
{
    (void)state;
    static const struct op_settle none;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "swap", key);
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.node_fails = I;
    struct peer p = start_locked(I);
    assert_int_equal(open_later(p, &v, key), 0);
    assert_int_equal(open_later(p, &w, key), 0);
    assert_int_equal(count_maps(p), 2);
    assert_int_equal(ASK(p, OP_SETTLE, none), -ENXIO);
    assert_int_equal(count_maps(p), 0);
    assert_int_equal(ASK(p, OP_SETTLE, none), 0); /* it is told once */
    end(p);
}

/* The map of one instance has none; another, which waited with it, keeps its own and hears nothing of it. */
static void a_map_without_its_node_is_told_to_whose_it_is(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(J, "root", key);
    struct op_settle mine = {.instance = I}, others = {.instance = J}, no_uuid = {.instance = "x"}, endless;
    memset(&endless, 'a', sizeof endless);
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.node_fails = I;
    struct peer p = start_locked(I);
    assert_int_equal(lock(p, J), 0);
    assert_int_equal(open_later(p, &v, key), 0);
    assert_int_equal(open_later(p, &w, key), 0);
    assert_int_equal(ASK(p, OP_SETTLE, no_uuid), -EINVAL);
    assert_int_equal(ASK(p, OP_SETTLE, endless), -EPROTO);
    assert_int_equal(ASK(p, OP_SETTLE, others), 0);
    assert_int_equal(count_maps(p), 2);
    assert_int_equal(ASK(p, OP_SETTLE, mine), -ENXIO);
    assert_int_equal(count_maps(p), 1);
    end(p);
}

static void garbage_changes_nothing(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    fake_storage_add(&v);
    fake_storage_add(&w);
    struct peer p = start_locked(I);
    _cleanup_free_ char *before = look(p);
    static uint8_t packet[9000];
    struct wire_header h = {.version = wire_version};

    srandom(1);
    for (int i = 0; i < 100000; i++) {
        size_t size = (size_t)(i % 10 ? random() % 300 : random() % (long)sizeof packet) + 1;
        for (size_t k = 0; k < size; k += 4)
            memcpy(packet + k, &(uint32_t){(uint32_t)random()}, 4);
        h.op = (uint32_t)(random() % (OP_COUNT + 1));
        if (i % 4)
            memcpy(packet, &h, sizeof h);
        assert_int_equal(packet_send(p.socket, packet, size, i % 8 ? -1 : STDIN_FILENO), 0);
        struct answer a = receive(p, NULL);
        assert_true(a.errnum < 0 || h.op <= OP_ALIVE);
    }
    _cleanup_free_ char *after = look(p);
    assert_string_equal(before, after);
    end(p);
}

/* Whoever could make one could keep the other's disk from being opened. */
static void no_two_disks_have_one_uuid(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume victims = encrypted(J, "root", key), v = encrypted(I, "root", key),
                  w = encrypted(I, "eph0", key);
    victims.state = v.state = VOLUME_READY;
    v.disk[0] = '1';
    assert_int_equal(volume_check_value(&v, key, v.check, NULL), 0);
    memcpy(w.disk, victims.disk, sizeof w.disk);
    strcpy(victims.vg, "vg1"); /* whichever group it is in */
    fake_storage_add(&victims);
    fake_storage_add(&v);
    struct peer p = start_with_groups(2);
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EEXIST, create(p, &w));
    const struct volume new = anew(&v, key);
    REFUSED_CHANGED(p, -EEXIST, remake, new, memcpy(changed.disk, victims.disk, sizeof changed.disk));
    REFUSED(p, -EEXIST, snapshot_with(p, &v, key, victims.disk));
    REFUSED(p, -EEXIST, snapshot_with(p, &v, key, v.disk));
    memcpy(w.disk, "77", 2);
    assert_int_equal(create(p, &w), 0);
    end(p);
}

static int create_as(struct peer p, struct volume *v, const char *disk, const struct secret *key)
{
    memcpy(v->disk, disk, sizeof v->disk);
    assert_int_equal(volume_check_value(v, key, v->check, NULL), 0);
    return create(p, v);
}

/* LVM is asked about any but a uuid of the broker's own, and about that from the second time on. */
static void a_uuid_of_the_brokers_is_taken_once(void **state)
{
    (void)state;
    static const struct op_none none;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(I, "eph0", key);
    fake_storage.find_fails = true;
    struct peer p = start(locks_path);
    fake_storage.find_fails = false;
    assert_int_equal(lock(p, I), 0);
    const struct answer a = ask_for(p, OP_DISK_UUIDS, &none, sizeof none, -1, NULL),
                        b = ask_for(p, OP_DISK_UUIDS, &none, sizeof none, -1, NULL);
    for (size_t i = 0; i < WIRE_UUIDS; i++) {
        assert_true(uuid_valid(a.disks[i]) && uuid_valid(b.disks[i]));
        assert_string_not_equal(a.disks[i], b.disks[i]);
        assert_string_not_equal(a.disks[i], a.disks[(i + 1) % WIRE_UUIDS]);
    }
    REFUSED(p, -EIO, create(p, &v)); /* its own */
    assert_int_equal(create_as(p, &v, a.disks[WIRE_UUIDS - 1], key), 0);
    REFUSED(p, -EIO, create_as(p, &w, a.disks[WIRE_UUIDS - 1], key));
    assert_int_equal(create_as(p, &w, b.disks[0], key), 0);
    end(p);
}

/* ---------------------------------------------------------------- the trail */

/* The next entry, of which the fields must be there; NULL: there is none. */
static char *entry(int journal, const char *const fields[], size_t n)
{
    static char text[8192];
    ssize_t size = recv(journal, text, sizeof text - 1, MSG_DONTWAIT);
    if (size < 0)
        return NULL;
    text[size] = '\0';
    for (size_t i = 0; i < n; i++)
        if (!strstr(text, fields[i]))
            fail_msg("no %s in %s", fields[i], text);
    return text;
}
#define ENTRY(journal, ...)                                                                                  \
    assert_non_null(entry(journal, (const char *const[]){__VA_ARGS__},                                       \
                          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static void changes_leave_entries(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    _cleanup_secret_ struct secret *key = key_of(1), *other = key_of(2);
    char pid[32];
    snprintf(address.sun_path, sizeof address.sun_path, "%s/journal", folder);
    assert_int_equal(bind(journal, (struct sockaddr *)&address, sizeof address), 0);
    audit_open_at("mayfly-broker", address.sun_path, address.sun_path);
    struct volume v = encrypted(I, "root", key), w = plain(I, "eph0");
    struct peer p = start(locks_path);
    snprintf(pid, sizeof pid, "\nMAYFLY_PID=%d\n", (int)getpid());

    free(look(p));
    assert_int_equal(lock(p, I), 0);
    assert_null(entry(journal, NULL, 0)); /* nothing was changed */
    assert_int_equal(create(p, &v), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=create\n", "\nMAYFLY_VOLUME=vg0/" I "_disk\n",
          "\nMAYFLY_INSTANCE=" I "\n", "\nMAYFLY_KEY=local:ci-1\n", "\nMAYFLY_RESULT=0\n", pid,
          "\nMAYFLY_UID=");
    REFUSED(p, -EEXIST, create(p, &v));
    ENTRY(journal, "\nMAYFLY_ACTION=create\n", "\nMAYFLY_RESULT=5\n");
    assert_int_equal(create(p, &w), 0);
    ENTRY(journal, "\nMAYFLY_VOLUME=vg0/" I "_disk.eph0\n");
    assert_int_equal(act(p, OP_CLOSE, &v), 0); /* it is not open */
    assert_null(entry(journal, NULL, 0));
    REFUSED(p, -EKEYREJECTED, open_disk(p, &v, other));
    ENTRY(journal, "\nMAYFLY_ACTION=open\n", "\nMAYFLY_RESULT=2\n");
    assert_int_equal(open_disk(p, &v, key), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=open\n", "\nMAYFLY_RESULT=0\n");
    assert_int_equal(act(p, OP_CLOSE, &v), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=close\n");
    assert_int_equal(mark(p, &v, VOLUME_READY), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=ready\n");
    assert_int_equal(mark(p, &v, VOLUME_READY), 0);     /* it is */
    assert_int_equal(resize(p, &v, 8 << 20).errnum, 0); /* it has that size */
    assert_null(entry(journal, NULL, 0));
    struct op_mark doom = {.state = VOLUME_DOOMED, .set = {.n = 2, .volume = {ref(&v), ref(&w)}}};
    assert_int_equal(ASK(p, OP_MARK, doom), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=doom\n", "_disk\n", "\nMAYFLY_KEY=local:ci-1\n");
    ENTRY(journal, "\nMAYFLY_ACTION=doom\n", "_disk.eph0\n");
    assert_int_equal(remove_one(p, &v), 0);
    ENTRY(journal, "\nMAYFLY_ACTION=remove\n", "\nMAYFLY_KEY=local:ci-1\n");
    assert_int_equal(remove_one(p, &v), 0); /* it is gone */
    assert_null(entry(journal, NULL, 0));
    end(p);
    audit_close();
    unlink(address.sun_path);
}

/* ------------------------------------------------------------------- limits */

/* By others' leave alone: an empty list of groups gives nothing. */
static void without_a_group_nothing_is_listed(void **state)
{
    (void)state;
    static const struct op_none none;
    struct volume v = plain(I, "root");
    struct peer p = start_with_groups(0);
    struct answer a = ask_for(p, OP_LIST, &none, sizeof none, -1, NULL);
    assert_int_equal(a.errnum, -EINVAL);
    assert_non_null(strstr(a.text, "set images_volume_group"));
    assert_int_equal(lock(p, I), 0);
    assert_int_equal(create(p, &v), -EPERM);
    end(p);
}

static void no_client_makes_the_broker_grow(void **state)
{
    (void)state;
    static const struct op_none none;
    struct error e = ERROR_NONE;
    struct peer p = start(locks_path);
    for (int i = 0; i < 16384 / WIRE_UUIDS; i++)
        assert_int_equal(ASK(p, OP_DISK_UUIDS, none), 0);
    assert_int_equal(ASK(p, OP_DISK_UUIDS, none), -ENOSPC);
    end(p);
    struct locks full = {.fd = -1, .held = calloc(LOCKS_MAX, UUID_TEXT), .n = LOCKS_MAX};
    assert_error(locks_take(&full, locks_path, I, "", &e), -ENOLCK, e);
    free(full.held);

    char longer[PATH_MAX + 2];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    p = start(longer);
    assert_int_equal(lock(p, I), -ENAMETOOLONG);
    end(p);
}

/* Each text of a request has an end, and each number a meaning. */
static void requests_without_sense_are_refused(void **state)
{
    (void)state;
    struct volume v = plain(I, "root");
    struct peer p = start_locked(I);
    assert_int_equal(create(p, &v), 0);
    struct op_open q = {.volume = ref(&v), .use = MAP_READ_ONLY + 1};
    REFUSED(p, -EINVAL, ask(p, OP_OPEN, &q, sizeof q, STDIN_FILENO));
    struct op_snapshot snapshot = {.origin = ref(&v), .room_bytes = 1 << 20};
    memset(snapshot.disk, 'a', sizeof snapshot.disk);
    REFUSED(p, -EPROTO, ask(p, OP_SNAPSHOT, &snapshot, sizeof snapshot, STDIN_FILENO));
    struct op_format format = {.volume = ref(&v)};
    memset(format.label, 'a', sizeof format.label);
    REFUSED(p, -EPROTO, ASK(p, OP_FORMAT, format));
    struct op_unlock unlock;
    memset(unlock.uuid, 'a', sizeof unlock.uuid);
    REFUSED(p, -EPROTO, ASK(p, OP_UNLOCK, unlock));
    strcpy(unlock.uuid, "ci-1");
    REFUSED(p, -EINVAL, ASK(p, OP_UNLOCK, unlock));
    end(p);
}

/* A group that is configured and not there keeps no instance of another from being deleted; its own does. */
static void a_group_that_is_gone_stops_only_its_own(void **state)
{
    (void)state;
    struct volume v = plain(I, "root"), w = plain(J, "root");
    strcpy(w.vg, "vg1");
    v.state = w.state = VOLUME_READY;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.group_gone = "vg1";
    struct peer p = start_with_groups(2);
    assert_int_equal(lock(p, I), 0);
    assert_int_equal(lock(p, J), 0);
    REFUSED(p, -ENOENT, mark(p, &w, VOLUME_DOOMED));
    assert_int_equal(mark(p, &v, VOLUME_DOOMED), 0);
    end(p);
}

static void what_is_not_active_is_activated(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = encrypted(I, "root", key), w = encrypted(J, "root", key);
    v.size_bytes = w.size_bytes = 8 << 20;
    v.state = VOLUME_READY;
    w.state = VOLUME_DOOMED;
    fake_storage_add(&v);
    fake_storage_add(&w);
    fake_storage.volumes[0].inactive = fake_storage.volumes[1].inactive = true;
    struct peer p = start_locked(I);
    assert_int_equal(lock(p, J), 0);
    assert_int_equal(open_disk(p, &v, key), 0);
    assert_int_equal(remove_one(p, &w), 0); /* which nobody can have */
    end(p);
}

/* ------------------------------------------------------------------- adopting */

/* As it is to be adopted. */
static struct volume novas(const char *role, const struct secret *key)
{
    struct volume v = encrypted(I, role, key);
    struct error e = ERROR_NONE;
    strcpy(v.kdf, KDF_NOVA_SHA256);
    v.sector_bytes = 512;
    v.state = VOLUME_ADOPTING;
    assert_ok(volume_check_value(&v, key, v.check, &e), e);
    return v;
}

/* On the disk, as dm-crypt writes it: a partition table in the first sector. */
static void add_novas(const struct volume *v, const struct secret *key)
{
    uint8_t sector[512] = {0}, tweak[16] = {0};
    int n = 0;
    sector[446 + 4] = 0x83;
    sector[446 + 12] = 1;
    sector[510] = 0x55;
    sector[511] = 0xaa;
    EVP_CIPHER_CTX *context = key ? EVP_CIPHER_CTX_new() : NULL;
    if (context) {
        assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_xts(), NULL, secret_peek(key), tweak), 1);
        assert_int_equal(EVP_EncryptUpdate(context, sector, &n, sector, sizeof sector), 1);
        EVP_CIPHER_CTX_free(context);
    }
    fake_storage_add_stranger(v);
    assert_int_equal(fd_pwrite_all(fake_storage.volumes[fake_storage.n_volumes - 1].fd, sector, 512, 0), 0);
}

static struct answer try_with(struct peer p, const struct volume *v, const struct secret *key)
{
    struct op_create q = {.volume = *v};
    return ask_with_key(p, OP_TRY, &q, sizeof q, key, NULL);
}

static int adopt(struct peer p, const struct volume *v)
{
    return bring(p, OP_ADOPT, v);
}

static size_t strangers(struct peer p)
{
    struct op_volume q = {.volume = {"vg0", I "_disk"}};
    int fd = -1;
    struct answer a = ask_for(p, OP_STRANGERS, &q, sizeof q, -1, &fd);
    assert_int_equal(a.errnum, 0);
    for (size_t at = 0; at < a.size_bytes; at += sizeof(struct volume)) {
        struct volume v;
        assert_int_equal(fd_pread_all(fd, &v, sizeof v, at), 0);
        assert_true(str_starts(v.lv, I "_disk") && v.size_bytes && !v.instance[0] && !v.check[0]);
    }
    fd_close(fd);
    return a.size_bytes / sizeof(struct volume);
}

static void what_nova_made_is_adopted_and_given_back(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = novas("root", key), w = novas("eph0", key);
    add_novas(&v, key);
    add_novas(&w, key);
    struct peer p = start_locked(I);
    assert_int_equal(strangers(p), 2);
    struct answer a = try_with(p, &v, key);
    assert_int_equal(a.errnum, 0);
    assert_true(a.shows);

    assert_int_equal(adopt(p, &v), 0);
    assert_int_equal(strangers(p), 1);
    REFUSED(p, -EEXIST, adopt(p, &v));
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_READY)); /* beside one without tags */
    assert_int_equal(act(p, OP_RELEASE, &v), 0);
    assert_int_equal(act(p, OP_RELEASE, &v), 0); /* it has none */
    assert_int_equal(strangers(p), 2);

    assert_int_equal(adopt(p, &v), 0);
    assert_int_equal(adopt(p, &w), 0);
    REFUSED(p, -EUNSAFE, open_disk(p, &v, key));
    REFUSED(p, -EUNSAFE, remove_one(p, &v));
    REFUSED(p, -EUNSAFE, mark(p, &v, VOLUME_DOOMED));
    assert_int_equal(mark(p, &v, VOLUME_READY), 0);
    assert_int_equal(mark(p, &w, VOLUME_READY), 0);
    REFUSED(p, -EUNSAFE, act(p, OP_RELEASE, &v));
    assert_int_equal(open_disk(p, &v, key), 0);
    end(p);
}

static void only_what_is_surely_novas_is_adopted(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1), *other = key_of(2);
    struct volume v = novas("root", key), w = novas("eph0", key), wrong = novas("root", other),
                  none = novas("swap", key);
    add_novas(&v, key);
    add_novas(&w, NULL);
    struct peer p = start(locks_path);
    REFUSED(p, -EPERM, adopt(p, &v)); /* not locked */
    assert_int_equal(lock(p, I), 0);

    REFUSED(p, -EKEYREJECTED, try_with(p, &v, other).errnum); /* not the one that the tags are for */
    struct answer a = try_with(p, &wrong, other);
    assert_int_equal(a.errnum, 0);
    assert_false(a.shows);
    REFUSED(p, -EUNSAFE, try_with(p, &w, key).errnum); /* in the clear */
    REFUSED(p, -ENOENT, adopt(p, &none));
    REFUSED(p, -ENOENT, act(p, OP_RELEASE, &none));
    REFUSED_CHANGED(p, -EINVAL, adopt, v, changed.state = VOLUME_READY);
    REFUSED_CHANGED(p, -EINVAL, adopt, v, strcpy(changed.kdf, KDF_HKDF_SHA512));
    REFUSED_CHANGED(p, -EINVAL, adopt, v, strcpy(changed.cipher, "serpent-xts-plain64"));
    end(p);

    fake_storage.volumes[0].held = true;
    fake_storage_add_map(I "_disk.eph0-dmcrypt", "CRYPT-PLAIN-x");
    p = start_locked(I);
    REFUSED(p, -EBUSY, adopt(p, &v));
    REFUSED(p, -EBUSY, adopt(p, &w));
    REFUSED(p, -EBUSY, try_with(p, &v, key).errnum);
    end(p);
}

static void only_root_adopts(void **state)
{
    (void)state;
    _cleanup_secret_ struct secret *key = key_of(1);
    struct volume v = novas("root", key);
    struct op_volume q = {.volume = ref(&v)};
    add_novas(&v, key);
    peer_is_root = false;
    struct peer p = start(locks_path);
    peer_is_root = true;
    assert_int_equal(lock(p, I), 0);
    REFUSED(p, -EPERM, ASK(p, OP_STRANGERS, q));
    REFUSED(p, -EPERM, try_with(p, &v, key).errnum);
    REFUSED(p, -EPERM, adopt(p, &v));
    assert_int_equal(act(p, OP_RELEASE, &v), 0); /* nothing to do */
    end(p);
}

/* As the kernel says, not the client: one that has given root up before it connects, or never had it. */
static void root_is_who_connects_as_root(void **state)
{
    (void)state;
    struct session s = {.locks = LOCKS_NONE};
    struct error e = ERROR_NONE;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_ok(session_look_at_peer(&s, ends[0], &e), e);
    assert_int_equal(s.root, getuid() == 0);
    assert_int_equal(s.locks.uid, getuid());
    assert_int_equal(s.locks.pid, getpid());
    close(ends[0]);
    close(ends[1]);
    assert_error(session_look_at_peer(&s, ends[0], &e), -EBADF, e);

    pid_t pid = fork();
    if (pid == 0) {
        s.root = true;
        bool user = (getuid() != 0 || setresuid(65534, 65534, 65534) == 0) &&
                    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 &&
                    session_look_at_peer(&s, ends[0], &e) == 0 && !s.root && s.locks.uid == getuid();
        _exit(user ? 0 : 1);
    }
    assert_int_equal(child_status(pid), 0);
}

/* ------------------------------------------------------------ the real client */

static size_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void the_client_goes_the_whole_way(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    size_t descriptors = open_descriptors();
    _cleanup_secret_ struct secret *key = key_of(1);
    _cleanup_broker_ struct broker *b = NULL;
    _cleanup_inventory_ struct inventory *i = NULL;
    struct volume v = encrypted(I, "root", key), many[100];
    const struct volume *all[101] = {&v};
    bool changed = true;
    struct opened disk = OPENED_NONE;

    assert_ok(broker_fork(FAKE_BROKER, folder, &b, &e), e);
    assert_ok(broker_lock(b, I, &e), e);
    assert_ok(broker_create(b, &v, &e), e);
    assert_int_equal(v.size_bytes, 8 << 20);
    assert_ok(broker_open(b, &v, key, MAP_TO_STAY, SETTLE_NOW, &disk, &e), e);
    opened_close(&disk);
    assert_ok(broker_format(b, &v, "xfs", "root", &e), e);
    assert_ok(broker_list(b, &i, &e), e);
    assert_int_equal(i->n_volumes, 1);
    assert_int_equal(i->n_maps, 1);
    assert_true(str_ends(inventory_map_of(i, &v)->uuid, MAP_UUID_OPENED));
    assert_int_equal(i->crypt_version, CRYPT_VERSION(1, 24));
    assert_ok(broker_mark(b, all, 1, VOLUME_READY, &e), e);
    assert_ok(broker_tune(b, &v, key, &changed, &e), e);
    assert_false(changed);
    assert_ok(broker_close(b, &v, SETTLE_NOW, &e), e);
    assert_ok(broker_mark(b, all, 1, VOLUME_DOOMED, &e), e);
    for (int k = 0; k < 100; k++) { /* more than one packet; they are not there */
        many[k] = plain(I, "root");
        snprintf(many[k].lv, sizeof many[k].lv, I "_disk.eph%d", k);
        all[k + 1] = &many[k];
    }
    assert_ok(broker_remove(b, all, 101, &e), e);
    b = broker_disconnect(b);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
}

/* More than one answer has; so each is asked of the broker, and none is given twice. */
static void the_client_gives_each_uuid_once(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    _cleanup_broker_ struct broker *b = NULL;
    char uuids[2 * WIRE_UUIDS + 1][UUID_TEXT];
    assert_ok(broker_fork(FAKE_BROKER, folder, &b, &e), e);
    for (size_t i = 0; i < 2 * WIRE_UUIDS + 1; i++) {
        broker_disk_uuid(b, uuids[i]);
        assert_true(uuid_valid(uuids[i]));
        for (size_t before = 0; before < i; before++)
            assert_string_not_equal(uuids[before], uuids[i]);
    }
}

static void the_client_passes_sentences_on(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    assert_ok(broker_fork(FAKE_BROKER, "refuse", &b, &e), e);
    assert_error(broker_lock(b, I, &e), -EINVAL, e);
    assert_string_equal(e.text, "mayfly.conf:3: nonsense");
    b = broker_disconnect(b);

    e = ERROR_NONE;
    assert_ok(broker_fork(FAKE_BROKER, "die", &b, &e), e);
    assert_error(broker_lock(b, I, &e), -ECONNRESET, e);
    assert_non_null(strstr(e.text, "exited with status 9"));
    b = broker_disconnect(b);

    e = ERROR_NONE;
    assert_error(broker_fork("/nonexistent/mayfly-broker", NULL, &b, &e), -ENOENT, e);
    e = ERROR_NONE;
    assert_error(broker_connect("/nonexistent/socket", &b, &e), -ENOENT, e);
    assert_non_null(strstr(e.text, "systemctl start mayfly-broker.socket"));
    assert_null(b);
}

static void a_closed_socket_is_not_there(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    struct broker *b = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", folder);
    _cleanup_close_ int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    assert_error(broker_connect(address.sun_path, &b, &e), -ECONNREFUSED, e);
    unlink(address.sun_path);
}

static int forget(void **state)
{
    (void)state;
    fake_storage_clear();
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(locks_path, sizeof locks_path, "%s/locks", folder);
    return 0;
}

static int remove_folder(void **state)
{
    char path[80];
    (void)state;
    snprintf(path, sizeof path, "%s/open/locks", folder);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    unlink(locks_path);
    return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_teardown(f, forget)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_encrypted_volume_lives_and_dies),
        TEST(a_plain_volume_is_overwritten_before_it_goes),
        TEST(a_set_is_of_several_states),
        TEST(malformed_packets_are_refused),
        TEST(names_and_groups_are_judged),
        TEST(without_the_lock_nothing_is_done),
        TEST(a_lock_is_given_back),
        TEST(who_holds_a_lock_is_named),
        TEST(a_silent_client_loses_its_locks),
        TEST(a_folder_of_others_is_no_place_for_locks),
        TEST(a_process_that_serves_gets_the_volume_itself),
        TEST(a_volume_that_is_held_or_suspended_is_not_handed_out),
        TEST(who_opens_a_volume_is_changed_while_nobody_has),
        TEST(only_the_right_key_opens),
        TEST(a_map_of_others_is_left_alone),
        TEST(what_others_have_is_not_doomed),
        TEST(what_others_have_in_another_group_is_not_doomed),
        TEST(what_others_have_is_not_opened),
        TEST(a_failed_open_leaves_no_map),
        TEST(who_brings_the_key_of_an_open_disk_tunes),
        TEST(only_what_is_being_made_here_is_formatted),
        TEST(what_took_the_name_of_a_disk_made_here_is_not_formatted),
        TEST(states_go_one_way),
        TEST(a_set_of_new_and_old_is_found),
        TEST(a_snapshot_needs_the_key_of_its_disk),
        TEST(a_snapshot_goes_by_its_own_lock),
        TEST(a_scratch_volume_is_overwritten_and_lent),
        TEST(a_ready_volume_grows_and_never_shrinks),
        TEST(a_disk_is_made_anew_when_nobody_uses_it),
        TEST(what_is_in_use_is_not_removed),
        TEST(what_others_depend_on_is_left_alone),
        TEST(a_suspended_volume_is_not_opened_and_can_be_resumed),
        TEST(a_group_that_is_not_seen_proves_nothing),
        TEST(udevd_is_waited_for_once),
        TEST(a_map_without_its_node_is_closed),
        TEST(a_map_without_its_node_is_told_to_whose_it_is),
        TEST(garbage_changes_nothing),
        TEST(changes_leave_entries),
        TEST(no_two_disks_have_one_uuid),
        TEST(a_uuid_of_the_brokers_is_taken_once),
        TEST(without_a_group_nothing_is_listed),
        TEST(no_client_makes_the_broker_grow),
        TEST(requests_without_sense_are_refused),
        TEST(a_group_that_is_gone_stops_only_its_own),
        TEST(what_is_not_active_is_activated),
        TEST(what_nova_made_is_adopted_and_given_back),
        TEST(only_what_is_surely_novas_is_adopted),
        TEST(root_is_who_connects_as_root),
        TEST(only_root_adopts),
        TEST(the_client_goes_the_whole_way),
        TEST(the_client_gives_each_uuid_once),
        TEST(the_client_passes_sentences_on),
        TEST(a_closed_socket_is_not_there),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
