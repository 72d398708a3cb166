/* SPDX-License-Identifier: Apache-2.0 */
/* Starts mayfly-keyagent; agent-connect.c talks to it. A file of its own, so that tests can replace the
 * program. */
#include "keys/agent-connect.h"

#include "base/process.h"

int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e)
{
    return process_start_peer((const char *[]){program, NULL}, ret_socket, ret_pid, e);
}
