/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/agent-wire.h"

#include "agent-version.h"

const uint32_t agent_version = AGENT_VERSION;
