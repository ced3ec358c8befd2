/* plugin_new.c - `moonhook plugin new`: a folder with a plugin that works as it is. */
#include "base/util.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "core/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char plugin_lua[] =
    "local http = require \"moonhook.http\"\n"
    "\n"
    "return {\n"
    "  name = \"%s\", version = \"0.1.0\", author = \"you\",\n"
    "  description = \"Post alerts as JSON to an address\",\n"
    "  permissions = { \"alerts:read\", \"http:${config.url}\" },\n"
    "  config = { url = { type = \"string\", format = \"uri\", required = true } },\n"
    "\n"
    "  on_alert = function(alert, ctx)\n"
    "    http.post(ctx.config.url, { json = { id = ctx.delivery_id, title = alert.title } })\n"
    "      :expect(200, 201, 202, 204)\n"
    "    return { sent = true }\n"
    "  end,\n"
    "}\n";

static const char readme_md[] =
    "# %s\n"
    "\n"
    "Posts every alert as JSON to an address.\n"
    "\n"
    "    moonhook plugin install file:%s url=https://example.com/alerts\n"
    "    moonhook event send alert --data '{\"title\":\"Disk full\"}' --wait\n"
    "\n"
    "| configuration | |\n"
    "|---|---|\n"
    "| `url` | where alerts are posted; required |\n";

static int write_file(const char *folder, const char *file, const char *text)
{
    char *path = mem_printf("%s/%s", folder, file);
    FILE *out = fopen(path, "wxe");
    bool  ok = out != NULL && fputs(text, out) >= 0;

    if (out != NULL && fclose(out) != 0)
        ok = false;
    int code = ok ? CLI_OK : cli_failed("%s cannot be written: %s", path, strerror(errno));
    free(path);
    return code;
}

int cmd_plugin_new(const struct options *given)
{
    const char *folder = given->word[0];
    const char *slash = strrchr(folder, '/');
    const char *name = slash ? slash + 1 : folder;

    if (!manifest_name_valid(name))
        return cli_usage("\"%.60s\" is no name for a plugin: lower-case letters, digits and -, "
                         "starting with a letter", name);
    if (mkdir(folder, 0777) != 0)
        return cli_failed("%s cannot be made: %s", folder, strerror(errno));
    char *lua = mem_printf(plugin_lua, name);
    char *readme = mem_printf(readme_md, name, folder);
    int   code = write_file(folder, "plugin.lua", lua);
    if (code == CLI_OK)
        code = write_file(folder, "README.md", readme);
    if (code == CLI_OK)
        printf("wrote %s/plugin.lua and %s/README.md; moonhook plugin install file:%s installs it\n",
               folder, folder, folder);
    free(lua);
    free(readme);
    return code;
}
