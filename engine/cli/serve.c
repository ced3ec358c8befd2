/* serve.c - `moonhook serve`: settings in, engine on. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "core/settings.h"
#include "engine.h"

int cmd_serve_run(int argc, char **argv)
{
    struct settings settings;
    enum log_level  level;
    char            why[512];

    if (settings_load(argc, argv, &settings, why, sizeof why) != MH_OK)
        return cli_usage("%s", why);
    if (log_level_parse(settings.log_level, &level) == MH_OK)
        log_set_level(level);
    int code = engine_run(&settings);
    settings_free(&settings);
    return code;
}
