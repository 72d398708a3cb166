/* SPDX-License-Identifier: Apache-2.0 */
/* The device nodes of volumes and maps: opened only after the kernel has told that they are what their names
 * say. */
#pragma once

#include "storage/volume.h"

/* Opens the map of `v`, for reading alone or for writing, too. -EUNSAFE: the node leads to something else. */
int device_open_map(const struct volume *v, bool read_only, int *ret_fd, struct error *e) _must_check_;

/* Opens the logical volume itself; `access` is O_RDONLY or O_RDWR. -ENOENT: it is not active. */
int device_open_volume(const struct volume *v, int access, int *ret_fd, struct error *e) _must_check_;

/* A path that leads to the device of `v` which is open there, for a program that takes no descriptor: the
 * kernel's own node, or udev's, which is waited for. -EUNSAFE: neither does. */
int device_path(int fd, const struct volume *v, char path[DEVICE_PATH_MAX], struct error *e) _must_check_;

int device_size(int fd, uint64_t *ret_bytes, struct error *e) _must_check_;

/* Does anybody else hold the device? We have it open `ours` times. Waits a bounded time for a short holder,
 * such as udev. */
int device_check_unused(int fd, int ours, struct error *e) _must_check_;

/* Is the device suspended, so that all requests to it wait? An lvm that was killed leaves devices so. Waits a
 * moment for an lvm that is at work. */
bool device_suspended(int fd);

/* Writes zeros over all of it, past the page cache, and not by a cheaper request of the kernel's. */
int device_zero(int fd, struct error *e) _must_check_;

/* The sectors that cryptsetup luksFormat takes by itself on this device: 512 or 4096. */
uint32_t device_luks_sector_bytes(int fd);
