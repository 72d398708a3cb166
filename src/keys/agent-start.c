/* SPDX-License-Identifier: Apache-2.0 */
/* Runs mayfly-keyagent; the conversation with it is agent-connect.c. A file of its own, so that tests stand
 * in for the program. */
#include "keys/agent-connect.h"

#include "base/process.h"

int agent_program_start(const char *program, int *ret_socket, pid_t *ret_pid, struct error *e)
{
    return process_start_peer((const char *[]){program, NULL}, ret_socket, ret_pid, e);
}
