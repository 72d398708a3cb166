/* SPDX-License-Identifier: Apache-2.0 */
/* What goes over the broker's socket (AF_UNIX, SOCK_SEQPACKET): one packet a request, one packet an answer,
 * strictly in turn, fixed structs in the host's own byte order, descriptors by SCM_RIGHTS. Both ends are of
 * one version of Mayfly, on one host: a packet of another version is refused.
 *
 *     client                      broker
 *       | header + op_*  [fd] -->   |
 *       | <-- struct answer  [fd]   |
 */
#pragma once

#include "storage/dmcrypt.h"
#include "storage/locks.h"
#include "storage/volume.h"

#define WIRE_VOLUMES_MAX 64 /* volumes in one MARK or REMOVE */
#define WIRE_UUIDS       16 /* made by one DISK_UUIDS */
#define BROKER_SOCKET    "/run/mayfly/broker.sock"
#define BROKER_LOCKS     "/run/mayfly/locks"

/* Made from this header and ops.def when it is built: whatever changes in them, so does the version. */
extern const uint32_t wire_version;

enum op {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument) OP_##NAME,
#include "broker/ops.def"
#undef OP
    OP_COUNT
};

/* What ops.def says of the form of an operation's packets. */
struct wire_operation {
    const char *name;
    size_t request_bytes; /* exactly, without the header */
    bool takes_fd;        /* a descriptor comes with the request */
    bool gives_fd;        /* a descriptor comes with the answer */
    bool needs_lock;      /* the connection must have the lock of the instance */
};
extern const struct wire_operation wire_operations[OP_COUNT];

/* A volume by its names; the broker looks up the rest. */
struct volume_ref {
    char vg[VG_NAME_MAX];
    char lv[LV_NAME_MAX];
};

static inline struct volume_ref volume_ref_of(const struct volume *v)
{
    struct volume_ref ref;
    memcpy(ref.vg, v->vg, sizeof ref.vg);
    memcpy(ref.lv, v->lv, sizeof ref.lv);
    return ref;
}

struct wire_header {
    uint32_t version; /* wire_version */
    uint32_t op;      /* enum op */
};

/* Requests. Each is behind a wire_header in its packet. */
struct op_none {
    char nothing[1];
};
struct op_lock {
    char uuid[UUID_TEXT]; /* of an instance, a batch or a snapshot */
    char verb[VERB_MAX];  /* what the lock is taken for: small letters; may be empty */
};
struct op_unlock {
    char uuid[UUID_TEXT];
};
struct op_settle {
    char instance[UUID_TEXT]; /* whose nodes are checked; "": all that are not checked yet */
};
struct op_close {
    struct volume_ref volume;
    uint8_t up_to;  /* enum map_use: a map that was opened for more stays */
    uint8_t settle; /* enum settle */
};
struct op_create {
    struct volume volume;
};
struct op_volume {
    struct volume_ref volume;
};
struct op_snapshot {
    struct volume_ref origin;
    char disk[UUID_TEXT]; /* of the snapshot */
    uint64_t room_bytes;  /* for changes of the origin while the snapshot exists */
};
struct op_open {
    struct volume_ref volume;
    uint8_t use;    /* enum map_use */
    uint8_t settle; /* enum settle */
};
struct op_bench {
    struct volume_ref volume;
    uint32_t table; /* enum bench_table */
};
struct op_resize {
    struct volume_ref volume;
    uint64_t size_bytes;
};
struct op_engine {
    struct volume_ref volume;
    uint32_t engine; /* enum volume_engine */
};
struct op_format {
    struct volume_ref volume;
    char fs[8];     /* a name of file-systems.def */
    char label[12]; /* letters, digits, '-'; may be empty */
};
struct op_set {
    uint32_t n;
    struct volume_ref volume[WIRE_VOLUMES_MAX];
};
struct op_mark {
    uint32_t state; /* enum volume_state: ready or doomed */
    struct op_set set;
};

/* Descriptors that come with an answer:
 *
 *     LIST        LVM's JSON (lvm_report)
 *     MAPS        an array of struct map
 *     SUSPENDED   an array of struct suspended
 *     STRANGERS   an array of struct volume, of which only names and sizes are set
 *     OPEN        the device, for reading and writing; a snapshot or a read-only map for reading alone
 *     OPEN_VOLUME the volume itself, on which there is ciphertext alone
 *     OPEN_PLAIN  the device, for writing alone
 *     BENCH       the device, for reading and writing
 */
struct answer {
    uint32_t version;
    int32_t errnum;         /* 0 or a negative errno */
    uint8_t shows;          /* TRY: something makes sense under this key */
    uint8_t changed;        /* TUNE: the map had another table; CLOSE: there was a map */
    uint32_t crypt_version; /* MAPS: of the kernel's dm-crypt, as CRYPT_VERSION() */
    uint64_t size_bytes; /* CREATE, SNAPSHOT, OPEN, OPEN_VOLUME, OPEN_PLAIN, BENCH: of the device; LIST, MAPS,
                            STRANGERS: of the file */
    char disks[WIRE_UUIDS][UUID_TEXT]; /* DISK_UUIDS */
    struct error_parts parts;          /* of text */
    char text[sizeof((struct error *)0)->text];
};

/* Sends one request, with `fd` unless it is -1 (see base/packet.h). */
int wire_send_request(int socket, enum op op, const void *request, size_t size, int fd) _must_check_;

/* Checks that both names are as volume_check() wants them: a valid group's, and <uuid>_disk[.role]. */
int volume_ref_check(const struct volume_ref *ref, struct error *e) _must_check_;

/* Takes the instance's uuid out of a checked name. */
void volume_ref_instance(const struct volume_ref *ref, char instance[UUID_TEXT]);
