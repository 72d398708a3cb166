/* SPDX-License-Identifier: Apache-2.0 */
/* The messages between mayfly and the process that makes a file; private to keeper*.c. */
#pragma once

#include "image/keeper.h"

#include <limits.h>

struct image_keeper {
    int socket;
    pid_t pid;
};

struct keeper_question {
    enum keeper_task task;
    char path[PATH_MAX];
};

struct keeper_answer {
    int result;
    struct error_parts parts;
    char text[sizeof((struct error *)0)->text];
};
