/* SPDX-License-Identifier: Apache-2.0 */
/* The options of all verbs that take an image; their target is a struct wanted_image. */
#pragma once

#include "cli/options.h"

extern const struct cli_option image_options[];
