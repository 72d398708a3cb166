/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the person at the terminal before data is destroyed. The question names what is destroyed; no answer
 * means no. */
#pragma once

#include "instance/model.h"

/* Checks that there is a terminal; -EINVAL: there is none. To be called before anything else. */
int confirm_possible(const char *verb, struct error *e) _must_check_;

/* Prints what will be destroyed, a line each. */
void confirm_name_instances(const struct model *m, char **names, int n);
void confirm_name_disk(const struct model *m, const char *name, const char *role_or_alias);

/* Asks "`price` Go on? [y/n]". -EINVAL: no. -ECANCELED: a signal. */
int confirm_ask(const char *verb, const struct context *c, const char *price, struct error *e) _must_check_;
