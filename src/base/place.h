/* SPDX-License-Identifier: Apache-2.0 */
/* Where the other programs and libraries of Mayfly are. */
#pragma once

#include "base/macro.h"

#include <limits.h>

/* The path of the file `name` in libexecdir. A program that runs in its build folder finds it in `folder` of
 * that ("src/broker"). An installed program knows of no build folder: whoever can write there must not choose
 * what it runs. */
void place_find(const char *folder, const char *name, char path[PATH_MAX]);
