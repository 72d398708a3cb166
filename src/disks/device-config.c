/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest is told of the disk: features and the configuration of virtio-blk. */
#include "disks/device-internal.h"

#include "disks/block-request.h"

#include <linux/virtio_config.h>
#include <string.h>

uint64_t device_virtio_features(const struct disk *disk)
{
    uint64_t features = DEVICE_BIT(VIRTIO_F_VERSION_1) | DEVICE_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                        DEVICE_BIT(VIRTIO_RING_F_EVENT_IDX) | DEVICE_BIT(VIRTIO_BLK_F_SEG_MAX) |
                        DEVICE_BIT(VIRTIO_BLK_F_BLK_SIZE) | DEVICE_BIT(VIRTIO_BLK_F_FLUSH) |
                        DEVICE_BIT(VIRTIO_BLK_F_TOPOLOGY) | DEVICE_BIT(VIRTIO_BLK_F_MQ) |
                        DEVICE_BIT(VHOST_USER_F_PROTOCOL_FEATURES);
    if (disk->read_only)
        return features | DEVICE_BIT(VIRTIO_BLK_F_RO);
    return features | DEVICE_BIT(VIRTIO_BLK_F_WRITE_ZEROES) |
           (disk->discard ? DEVICE_BIT(VIRTIO_BLK_F_DISCARD) : 0);
}

/* Fills in the configuration. The guest's sectors have 512 bytes, since firmware boots from no others. The
 * topology (physical_block_exp, min_io_size) tells it the unit, which is faster. */
static void fill_config(const struct disk *disk, struct virtio_blk_config *c)
{
    uint32_t unit_sectors = disk->unit_bytes / BLOCK_SECTOR_BYTES;
    *c = (struct virtio_blk_config){
        .capacity = atomic_load(&disk->size_bytes) / BLOCK_SECTOR_BYTES,
        .seg_max = BLOCK_SEGMENTS_MAX,
        .blk_size = BLOCK_SECTOR_BYTES,
        .physical_block_exp = (uint8_t)__builtin_ctz(unit_sectors),
        .min_io_size = (uint16_t)unit_sectors,
        .num_queues = (uint16_t)disk->queues,
        .max_discard_sectors = BLOCK_DISCARD_MAX / BLOCK_SECTOR_BYTES,
        .max_discard_seg = 1,
        .discard_sector_alignment = unit_sectors,
        .max_write_zeroes_sectors = BLOCK_ZERO_MAX / BLOCK_SECTOR_BYTES,
        .max_write_zeroes_seg = 1,
    };
}

int device_get_config(struct device *d, struct vhost_message *m)
{
    union {
        struct virtio_blk_config config;
        uint8_t bytes[VHOST_CONFIG_MAX];
    } all = {.bytes = {0}};
    fill_config(d->disk, &all.config);
    memcpy(m->config.data, all.bytes + m->config.offset, m->config.bytes);
    return 0;
}
