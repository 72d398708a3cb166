/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the device nodes of volumes and maps. The kernel has to confirm that each is the device that its name
 * says. */
#pragma once

#include "storage/volume.h"

/* Opens the map of `v`, for reading alone or for writing, too. -EUNSAFE: the node leads to something else. */
int device_open_map(const struct volume *v, bool read_only, int *ret_fd, struct error *e) _must_check_;

/* Opens the logical volume itself; `access` is O_RDONLY or O_RDWR. -ENOENT: it is not active. */
int device_open_volume(const struct volume *v, int access, int *ret_fd, struct error *e) _must_check_;

/* Finds a path to the device of `v` that is open as `fd`, for a program that takes no descriptor: the
 * kernel's own node, or else udev's, which is waited for. -EUNSAFE: neither leads to that device. */
int device_path(int fd, const struct volume *v, char path[DEVICE_PATH_MAX], struct error *e) _must_check_;

int device_size(int fd, uint64_t *ret_bytes, struct error *e) _must_check_;

/* Checks that nobody else holds the device, which we have open `ours` times. Waits a bounded time for a short
 * holder, such as udev. */
int device_check_unused(int fd, int ours, struct error *e) _must_check_;

/* Whether a keeper of mayfly-disks has the device of `v`, which is open as `fd`. False in doubt. */
bool device_has_keeper(const struct volume *v, int fd);

/* Whether the device is suspended, so that all requests to it wait. An lvm that was killed leaves devices so.
 * Waits a moment for an lvm that is at work. */
bool device_suspended(int fd);

/* Overwrites the whole device of `v`, or its map, with zeros, past the page cache. The zeros are written as
 * data, not by a request that the device may answer by forgetting blocks. */
int device_zero(int fd, const struct volume *v, struct error *e) _must_check_;

/* Returns the sector size that cryptsetup luksFormat chooses by itself on this device: 512 or 4096. */
uint32_t device_luks_sector_bytes(int fd);
