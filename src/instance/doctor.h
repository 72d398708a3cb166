/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of doctor; private to doctor*.c. */
#pragma once

#include "instance/examination.h"

/* doctor-host.c: who asks, programs, kernel, swap, LVM's filter, clock, room. */
void examine_host(struct examination *x);

/* doctor-volumes.c: volumes of instances in groups that are not configured, and devices without a volume. */
void examine_elsewhere(struct examination *x);
void examine_orphans(struct examination *x);

/* doctor-libvirt.c: whether it answers, its hook, AppArmor. */
void examine_libvirt(struct examination *x);

/* doctor-drift.c: what was done to instances without Mayfly. */
void examine_instances(struct examination *x);

/* doctor-nova.c: OpenStack Nova's compute service, where this host has it. */
void examine_nova(struct examination *x);

/* doctor-keys.c: each key manager in use. */
void examine_key_managers(struct examination *x);
