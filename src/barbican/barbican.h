/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager Barbican, as mayfly-keyagent runs it. docs.openstack.org/barbican/latest/api
 *
 * A key is a secret of type symmetric. list() finds it by its name mayfly/HOST/VG/SCOPE/OWNER. Its id is
 * the uuid at the end of the secret's URL. */
#pragma once

#include "keys/keymgr.h"

extern const struct keymgr_ops barbican_manager;
