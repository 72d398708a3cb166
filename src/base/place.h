/* SPDX-License-Identifier: Apache-2.0 */
/* Where the other programs and libraries of Mayfly are. */
#pragma once

#include "base/macro.h"

#include <limits.h>

/* The file `name` that is installed in libexecdir. For a program that runs in the folder where it was built
 * it is in `folder` of that ("src/broker"). An installed program knows of no build folder: whoever could put
 * files beside it, or in a folder that once was one, must not choose what it runs. */
void place_find(const char *folder, const char *name, char path[PATH_MAX]);
