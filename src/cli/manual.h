/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages of the verbs, as man(1) shows them. */
#pragma once

/* Becomes man(1) with the page of this verb; NULL: with the page of mayfly. Returns if the page or man is not
 * installed. */
void manual_show(const char *verb);
