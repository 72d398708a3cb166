/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt, loaded when it is needed. It brings fifty libraries, and linking these takes longer than most of
 * what `mayfly` does. Many verbs, and the hook, never use libvirt.
 *
 *     r = libvirt_load(e);    once, before the first call
 *     vir.DomainFree(domain)  is virDomainFree(domain)
 */
#pragma once

#include "base/error.h"
#include "base/macro.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

struct libvirt {
#define LIBVIRT(name) __typeof__(vir##name) *name;
#include "virt/libvirt.def"
#undef LIBVIRT
};
extern struct libvirt vir;

/* Loads libvirt. -ENOENT: the library is not installed, or lacks a function. */
int libvirt_load(struct error *e) _must_check_;
