/* SPDX-License-Identifier: Apache-2.0 */
/* A request to mayfly-keyagent, and its answer. */
#include "keys/agent-internal.h"

#include "base/fd.h"

int agent_call(struct agent *a, const struct agent_request *q, int fd, struct agent_answer *answer,
               int *ret_fd, struct error *e)
{
    *answer = (struct agent_answer){.errnum = 0};
    int r = a->link.socket >= 0 ? 0 : agent_link_start(&a->link, a->name, &a->config, a->who, e);
    a->base.lists_all = a->link.lists_all;
    a->link.deadline_sec = agent_link_patience_sec(&a->config, q->op == AGENT_CREATE ? q->n : 0);
    if (r == 0)
        r = agent_link_send(&a->link, q, fd, e);
    if (r == 0)
        r = agent_link_receive(&a->link, answer, ret_fd, e);
    if (r == 0 || answer->errnum < 0) /* not trusted: see agent_asker() */
        a->asker = answer->asker;
    return r;
}

int agent_read_records(struct agent *a, int fd, size_t n, size_t size, void **ret, struct error *e)
{
    void *records = calloc(n ? n : 1, size);
    if (!records)
        return error_memory(e);
    int r = n ? fd_pread_all(fd, records, n * size, 0) : 0;
    if (r < 0) {
        free(records);
        return agent_link_refuse(&a->link, e);
    }
    *ret = records;
    return 0;
}

bool agent_id_valid(const char id[KEY_ID_MAX])
{
    return memchr(id, '\0', KEY_ID_MAX) && *id && str_made_of(id, "_+.-/=!:#&");
}
