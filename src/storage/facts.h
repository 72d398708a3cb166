/* SPDX-License-Identifier: Apache-2.0 */
/* The facts behind the choices, as far as anybody may ask the kernel: all except the version of dm-crypt,
 * which the broker tells. */
#pragma once

#include "storage/choice.h"
#include "storage/volume.h"

#include <stdio.h>
#include <sys/types.h>

/* Gathers the facts of a block device. struct facts says what stands for an unknown one. */
void facts_of_device(dev_t device, uint32_t crypt_version, struct facts *ret);

/* Gathers the facts of a volume's device. If the volume is not active, they are all unknown. */
void facts_of_volume(const struct volume *v, uint32_t crypt_version, struct facts *ret);

/* Gathers the facts for a new volume in the group. On which disk it will lie is not known, so only a block
 * size is known: the smallest of the group's active volumes. */
void facts_of_group(const char *vg, uint32_t crypt_version, struct facts *ret);

/* Whether the processor has instructions for AES. The second one reads a file like /proc/cpuinfo. */
bool processor_has_aes(void);
bool cpuinfo_has_aes(FILE *f);

/* Reads the line in the file `name` of the block device in sysfs; "" if there is none. */
void device_attribute(dev_t device, const char *name, char *line, size_t size);

/* Whether the path leads to this block device. */
bool device_is_at(const char *path, dev_t device);
