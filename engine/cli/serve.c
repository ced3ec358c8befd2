/* serve.c - `moonhook serve`: settings in, engine on; or several of them. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "core/settings.h"
#include "engine.h"
#include "supervisor.h"

#include <stdlib.h>

static int serve(const struct settings *s, int argc, char **argv)
{
    if (s->redis_wait > 0 && s->redis[0] == '\0')
        return cli_usage("--redis-wait needs --redis: the managed Redis has no replicas");
    if (getenv(WORKER_VARIABLE) != NULL)
        return engine_run(s, WORKER_FD, getenv(WORKER_VARIABLE));
    return s->workers > 1 ? supervisor_run(s, argc, argv) : engine_run(s, -1, NULL);
}

int cmd_serve_run(int argc, char **argv)
{
    struct settings settings;
    enum log_level  level;
    char            why[512];

    if (settings_load(argc, argv, &settings, why, sizeof why) != MH_OK)
        return cli_usage("%s", why);
    if (log_level_parse(settings.log_level, &level) == MH_OK)
        log_set_level(level);
    int code = serve(&settings, argc, argv);
    settings_free(&settings);
    return code;
}
