/* SPDX-License-Identifier: Apache-2.0 */
/* The facts behind the choices, as far as anybody may ask the kernel: all except the version of dm-crypt,
 * which the broker tells. */
#pragma once

#include "storage/choice.h"
#include "storage/volume.h"

#include <stdio.h>
#include <sys/types.h>

/* Of the block device. What the kernel does not tell is as struct facts says. */
void facts_of_device(dev_t device, uint32_t crypt_version, struct facts *ret);

/* Of the device of the volume; as of a device of which nothing is known where it is not active. */
void facts_of_volume(const struct volume *v, uint32_t crypt_version, struct facts *ret);

/* For a volume that will be made in the group: only the smallest block size of its active volumes, since
 * nobody knows on which disk it will lie. */
void facts_of_group(const char *vg, uint32_t crypt_version, struct facts *ret);

/* Has the processor instructions for AES? The second one reads a file like /proc/cpuinfo. */
bool processor_has_aes(void);
bool cpuinfo_has_aes(FILE *f);

/* The line in the file `name` of the block device in sysfs; "" if there is none. */
void device_attribute(dev_t device, const char *name, char *line, size_t size);

/* Does the path lead to this block device? */
bool device_is_at(const char *path, dev_t device);
