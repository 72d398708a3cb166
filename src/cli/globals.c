/* SPDX-License-Identifier: Apache-2.0 */
/* See globals.h. */
#include "cli/globals.h"

#include "base/log.h"
#include "base/str.h"

#include <fcntl.h>

CLI_TEXT(set_config, struct globals, config_path)
CLI_FLAG(set_json, struct globals, json)
static int set_quiet(void *target, const char *value, struct error *e)
{
    (void)target, (void)value, (void)e;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

static int set_verbose(void *target, const char *value, struct error *e)
{
    (void)target, (void)value, (void)e;
    log_set_level(log_get_level() < LOG_LEVEL_INFO ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
    return 0;
}

int cli_parse_fd(const char *value, int *ret, struct error *e)
{
    uint64_t fd = 0;
    if (str_to_u64(value, &fd) < 0 || fd > 1023 || fcntl((int)fd, F_GETFD) < 0)
        return error_set(e, -EINVAL, "%s is not an open file descriptor", value);
    *ret = (int)fd;
    return 0;
}

static int set_progress_fd(void *target, const char *value, struct error *e)
{
    return cli_parse_fd(value, &((struct globals *)target)->progress_fd, e);
}

CLI_TEXT(set_cloud, struct globals, cloud)
static int set_token_fd(void *target, const char *value, struct error *e)
{
    return cli_parse_fd(value, &((struct globals *)target)->token_fd, e);
}

CLI_FLAG(set_help, struct globals, help)
CLI_FLAG(set_version, struct globals, version)
const struct cli_option global_options[] = {
    {"config-file", 0, "FILE", "read this configuration instead of /etc/mayfly", set_config},
    {"json", 0, NULL, "print JSON, for programs", set_json},
    {"progress-fd", 0, "N", "write progress as lines to descriptor N", set_progress_fd},
    {"os-cloud", 0, "NAME", "use the credentials of this cloud of clouds.yaml", set_cloud},
    {"token-fd", 0, "N", "read a Keystone token from descriptor N", set_token_fd},
    {"quiet", 'q', NULL, "errors only", set_quiet},
    {"verbose", 'v', NULL, "print each step; twice: more", set_verbose},
    {"help", 'h', NULL, "show this help", set_help},
    {"version", 'V', NULL, "show the version", set_version},
    {0},
};
