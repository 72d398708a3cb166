/* SPDX-License-Identifier: Apache-2.0 */
/* The device filter that an operator may have set for LVM (lvm.conf(5), devices/filter). */
#pragma once

#include <stdbool.h>

/* Whether a filter is set. Asks LVM, but only if a configuration file may set one. */
bool lvm_filter_is_set(void);

/* Whether a configuration file in that folder (lvm.conf, lvmlocal.conf, lvm_TAG.conf) may set one: some line
 * that is not a comment has the word. Also true if that cannot be known. */
bool lvm_filter_may_be_set(const char *folder);
