/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of doctor; private to doctor*.c. */
#pragma once

#include "instance/examination.h"

/* Examines the caller, programs, kernel, swap, LVM's filter, clock, room; in doctor-host.c. */
void examine_host(struct examination *x);

/* Examines volumes of instances in groups that are not configured, and devices without a volume; in
 * doctor-volumes.c. */
void examine_elsewhere(struct examination *x);
void examine_orphans(struct examination *x);

/* Examines libvirt, its hook, AppArmor; in doctor-libvirt.c. */
void examine_libvirt(struct examination *x);

/* Examines what was done to instances without Mayfly; in doctor-drift.c. */
void examine_instances(struct examination *x);

/* Examines OpenStack Nova's compute service, if this host has it; in doctor-nova.c. */
void examine_nova(struct examination *x);

/* Examines each key manager in use; in doctor-keys.c. */
void examine_key_managers(struct examination *x);
