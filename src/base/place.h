/* SPDX-License-Identifier: Apache-2.0 */
/* Where the other programs and libraries of Mayfly are. */
#pragma once

#include "base/macro.h"

#include <limits.h>

/* Finds the path of the file `name` in libexecdir, or in `folder` ("src/broker") of the build folder if this
 * program runs there. An installed program knows of no build folder: a user who can write there must not
 * choose what it runs. */
void place_find(const char *folder, const char *name, char path[PATH_MAX]);
