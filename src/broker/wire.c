/* SPDX-License-Identifier: Apache-2.0 */
/* Requests over the broker's socket, and the names in them; both ends use this. See wire.h. */
#include "broker/wire.h"

#include "base/packet.h"
#include "config/config.h"
#include "wire-version.h"

const uint32_t wire_version = WIRE_VERSION;

const struct wire_operation wire_operations[OP_COUNT] = {
#define OP(NAME, request, fds_in, fds_out, needs_lock, audit, argument)                                      \
    [OP_##NAME] = {#NAME, sizeof(struct request), fds_in == 1, fds_out == 1, needs_lock},
#include "broker/ops.def"
#undef OP
};

int wire_send_request(int socket, enum op op, const void *request, size_t size, int fd)
{
    struct wire_header header = {.version = wire_version, .op = op};
    struct iovec parts[] = {{.iov_base = &header, .iov_len = sizeof header},
                            {.iov_base = (void *)request, .iov_len = size}};
    return packet_send_parts(socket, parts, ARRAY_SIZE(parts), fd);
}

int volume_ref_check(const struct volume_ref *ref, struct error *e)
{
    if (!memchr(ref->vg, '\0', sizeof ref->vg) || !memchr(ref->lv, '\0', sizeof ref->lv))
        return error_set(e, -EPROTO, "request: a name in it is not terminated");
    if (!config_vg_name_valid(ref->vg))
        return error_set(e, -EINVAL, "request: the name of its volume group is malformed");
    if (!volume_lv_name_valid(ref->lv))
        return error_set(e, -EINVAL, "request: a volume's name in it is not of the form <uuid>_disk[.role]");
    return 0;
}

void volume_ref_instance(const struct volume_ref *ref, char instance[UUID_TEXT])
{
    memcpy(instance, ref->lv, UUID_TEXT - 1);
    instance[UUID_TEXT - 1] = '\0';
}
