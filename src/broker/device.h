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

/* Does anybody hold the device besides us, who have it open `ours` times? Waits a bounded time for one who is
 * about to leave, such as udev's probing. */
int device_check_unused(int fd, int ours, struct error *e) _must_check_;

/* Is all that is read from it, or written to it, held up until somebody resumes it? An lvm that was killed
 * leaves devices so. Waits a moment for one that is at work. */
bool device_suspended(int fd);

/* Writes zeros over all of it, past the page cache; the kernel does not put a cheaper request in their
 * place. */
int device_zero(int fd, struct error *e) _must_check_;

/* The sectors that cryptsetup luksFormat takes by itself on this device: 512 or 4096. */
uint32_t device_luks_sector_bytes(int fd);
