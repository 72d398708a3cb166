/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the person at the terminal before data is destroyed: what goes is named, and nothing said is a no. */
#pragma once

#include "instance/model.h"

/* Is there one? -EINVAL. To be asked before anything else. */
int confirm_possible(const char *verb, struct error *e) _must_check_;

/* What goes, a line each. */
void confirm_name_instances(const struct model *m, char **names, int n);
void confirm_name_disk(const struct model *m, const char *name, const char *role_or_alias);

/* "`price` Go on? [y/n]". -EINVAL: no. -ECANCELED: a signal. */
int confirm_ask(const char *verb, const struct context *c, const char *price, struct error *e) _must_check_;
