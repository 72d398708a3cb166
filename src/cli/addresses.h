/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of an instance, for people and for programs. */
#pragma once

#include "instance/model.h"

#define ADDRESSES_TEXT_MAX (DOMAIN_ADDRESSES_MAX * (DOMAIN_ADDRESS_MAX + 2))

/* Asks libvirt for the addresses. There are none if the instance does not run, or if libvirt does not tell;
 * that is not an error. `ask_guest`: asks the guest's agent too, which may take seconds. */
void addresses_look(const struct context *c, const struct instance *i, bool ask_guest,
                    struct domain_addresses *ret);

/* Writes "192.168.122.5, fd00::5"; "-": none. Returns `field`. */
const char *addresses_text(const struct domain_addresses *a, char field[ADDRESSES_TEXT_MAX]);
