/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages of the verbs, as man(1) shows them. */
#pragma once

/* Becomes man(1) with the page of this verb; NULL: of mayfly itself. Returns where the page or man is not
 * installed. */
void manual_show(const char *verb);
