/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox of mayfly-keyagent. Most rights are given up before the first packet, access to files once the
 * manager has read the ones that it needs. */
#pragma once

#include "base/error.h"

/* Makes the process untraceable, without core dumps and new privileges. From here on it may make only the
 * system calls that name resolution, TLS and secrets need. -EPERM: root is refused. */
int keyagent_sandbox(struct error *e) _must_check_;

/* Hides all files but those that name resolution and TLS read. To be called before the first byte to a
 * network. Does nothing if the kernel has no Landlock. */
int keyagent_hide_files(struct error *e) _must_check_;
