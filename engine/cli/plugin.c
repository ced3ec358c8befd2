/* plugin.c - `moonhook plugin ...`: what can be, and what is, installed. */
#include "base/util.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/print.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is shown ------------------------------------------------------------------- */

static void show_available(const json_t *answer)
{
    static const struct column columns[] = {
        { "NAME", "name" }, { "VERSION", "version" }, { "TRUST", "trust" },
        { "PERMISSIONS", "permissions" }, { "DESCRIPTION", "description" }, { 0 } };

    print_table(answer, columns, "no plugins to install");
}

static void show_installed(const json_t *answer)
{
    static const struct column columns[] = {
        { "NAME", "name" }, { "VERSION", "version" }, { "STATUS", "status" },
        { "CONFIG", "config" }, { "REASON", "reason" }, { 0 } };

    print_table(answer, columns, "no plugins installed; moonhook plugin available lists some");
}

static void show_install(const json_t *answer)
{
    static const struct column columns[] = {
        { "name", "name" }, { "version", "version" }, { "status", "status" },
        { "permissions", "permissions" }, { 0 } };

    puts("installed");
    print_fields(answer, columns, 2);
}

/* After a change: what it is now. */
static void show_state(const json_t *answer)
{
    static const struct column columns[] = {
        { "name", "name" }, { "version", "version" }, { "before", "previous_version" },
        { "status", "status" }, { 0 } };

    print_fields(answer, columns, 0);
}

static void show_removed(const json_t *answer)
{
    (void)answer;
    puts("removed");
}

static void show_logs(const json_t *answer)
{
    size_t  i;
    json_t *line;

    json_array_foreach(json_object_get(answer, "items"), i, line) {
        print_safe(stdout, json_text_of(line, "at", ""));
        printf("  %-5s  ", json_text_of(line, "level", ""));
        print_safe(stdout, json_text_of(line, "message", ""));
        putchar('\n');
    }
}

/* ---- Install and configure -------------------------------------------------------------- */

/* Folders are named from where the engine stands, so ours become absolute. */
static char *source_of(const char *word)
{
    const char *folder = strncmp(word, "file:", 5) == 0 ? word + 5 : word;
    char        absolute[PATH_MAX];

    if (folder == word && word[0] != '.' && word[0] != '/')
        return mem_strdup(word);
    return mem_printf("file:%s", realpath(folder, absolute) ? absolute : folder);
}

/* The words behind the first, and every --config, as one object. */
static int config_of(const struct options *given, json_t *config)
{
    const char *text;
    int         code = CLI_OK;

    for (size_t at = 0; code == CLI_OK && (text = options_next(given, "config", &at)) != NULL;)
        code = input_config(text, config);
    for (size_t i = 1; code == CLI_OK && i < given->words; i++)
        code = input_config(given->word[i], config);
    return code;
}

int cmd_plugin_install(const struct options *given)
{
    json_t *config = json_object();
    int     code = config_of(given, config);

    if (code != CLI_OK) {
        json_decref(config);
        return code;
    }
    json_t *body = json_object();
    char   *source = source_of(given->word[0]);
    json_put(body, "source", json_string(source));
    json_put(body, "config", config);
    free(source);
    return client_run(given, &(struct client_request){
        .method = "POST", .path = "/api/plugins/install", .body = body }, show_install);
}

static int show_config(const struct options *given, const char *name)
{
    json_t *answer = NULL, *plugin;
    size_t  i;
    int     code = client_call(given, &(struct client_request){
        .method = "GET", .path = "/api/plugins/installed" }, &answer);
    bool    found = code != CLI_OK || options_has(given, "json");

    json_array_foreach(answer, i, plugin)
        if (!found && strcmp(json_text_of(plugin, "name", ""), name) == 0) {
            found = true;
            print_json(stdout, json_object_get(plugin, "config"), 0);
        }
    json_decref(answer);
    return found ? code : cli_failed("no plugin \"%s\" is installed", name);
}

int cmd_plugin_config(const struct options *given)
{
    if (given->words == 1 && !options_has(given, "config"))
        return show_config(given, given->word[0]);
    json_t *config = json_object();
    int     code = config_of(given, config);
    if (code != CLI_OK) {
        json_decref(config);
        return code;
    }
    char *path = client_path("/api/plugins/", given->word[0], "/config");
    code = client_run(given, &(struct client_request){ .method = "PUT", .path = path,
                                                       .body = config }, show_state);
    free(path);
    return code;
}

/* ---- The rest ------------------------------------------------------------------------------ */

static int about(const struct options *given, const char *method, const char *behind,
                 void (*show)(const json_t *))
{
    return client_run_about(given, method, "/api/plugins/", behind, NULL, show);
}

int cmd_plugin_available(const struct options *given)
{
    return client_run(given, &(struct client_request){
        .method = "GET", .path = "/api/plugins/available" }, show_available);
}

int cmd_plugin_list(const struct options *given)
{
    return client_run(given, &(struct client_request){
        .method = "GET", .path = "/api/plugins/installed" }, show_installed);
}

int cmd_plugin_remove(const struct options *given) { return about(given, "DELETE", "", show_removed); }

int cmd_plugin_reload(const struct options *given)
{
    return about(given, "POST", "/reload", show_state);
}

int cmd_plugin_rollback(const struct options *given)
{
    return about(given, "POST", "/rollback", show_state);
}

int cmd_plugin_enable(const struct options *given)
{
    return about(given, "POST", "/enable", show_state);
}

int cmd_plugin_disable(const struct options *given)
{
    return about(given, "POST", "/disable", show_state);
}

int cmd_plugin_logs(const struct options *given) { return about(given, "GET", "/logs", show_logs); }
