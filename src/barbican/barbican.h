/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager Barbican, as mayfly-keyagent runs it. docs.openstack.org/barbican/latest/api
 *
 * A key is a secret of type symmetric, named mayfly/HOST/VG/SCOPE/OWNER, which list() finds it by. Its id is
 * the uuid at the end of the secret's URL. */
#pragma once

#include "keys/keymgr.h"

extern const struct keymgr_ops barbican_manager;
