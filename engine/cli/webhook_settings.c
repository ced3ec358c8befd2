/* webhook_settings.c - see webhook_settings.h. One row per option: the member that it sets and
 * how its text is read. What the server can judge is left to it, whose answer names the member. */
#include "cli/webhook_settings.h"

#include "base/clock.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/input.h"

#include <stdlib.h>
#include <string.h>

/* `option` is for the sentence about a fault. An enum cli_exit; gives *out on CLI_OK. */
typedef int reader(const char *option, const char *text, json_t **out);

static int as_text(const char *option, const char *text, json_t **out)
{
    *out = json_string(text);
    return *out ? CLI_OK : cli_failed("--%s is not UTF-8", option);
}

/* "alert,sla_breach" as a list. */
static int as_types(const char *option, const char *text, json_t **out)
{
    char *copy = mem_strdup(text), *rest = copy;

    (void)option;
    *out = json_array();
    for (char *type; (type = strsep(&rest, ", ")) != NULL;)
        if (*type != '\0')
            json_array_append_new(*out, json_string(type));
    free(copy);
    return CLI_OK;
}

static int as_conditions(const char *option, const char *text, json_t **out)
{
    int code = input_json(text, "the filter", out);

    if (code != CLI_OK || json_is_array(*out))
        return code;
    json_decref(*out);
    return cli_usage("--%s takes a list of conditions, such as "
                     "'[{\"pointer\":\"/data/severity\",\"op\":\"eq\",\"value\":\"critical\"}]'", option);
}

static int as_choice(const char *option, const char *text, json_t **out)
{
    bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
        return cli_usage("--%s is yes or no, not \"%.40s\"", option, text);
    *out = json_boolean(yes);
    return CLI_OK;
}

/* Gives the setting back to the server. */
static bool is_default(const char *text)
{
    return strcmp(text, "default") == 0 || strcmp(text, "none") == 0;
}

static int as_delays(const char *option, const char *text, json_t **out)
{
    if (!is_default(text))
        return as_text(option, text, out);
    *out = json_null();
    return CLI_OK;
}

static int as_time(const char *option, const char *text, json_t **out)
{
    int64_t ms;

    if (is_default(text))
        *out = json_null();
    else if (clock_parse_duration(text, &ms) == MH_OK)
        *out = json_integer(ms);
    else
        return cli_usage("--%s is a time such as 10s or 500ms, or default, not \"%.40s\"", option, text);
    return CLI_OK;
}

static int as_count(const char *option, const char *text, json_t **out)
{
    char     *end;
    long long count = strtoll(text, &end, 10);

    if (is_default(text))
        *out = json_null();
    else if (end != text && *end == '\0')
        *out = json_integer(count);
    else
        return cli_usage("--%s is a whole number, or default, not \"%.40s\"", option, text);
    return CLI_OK;
}

static int as_rate(const char *option, const char *text, json_t **out)
{
    char  *end;
    double rate = strtod(text, &end);

    if (is_default(text))
        *out = json_null();
    else if (end != text && *end == '\0' && (*out = json_real(rate)) != NULL)
        return CLI_OK;
    else
        return cli_usage("--%s is a number of attempts a second, or none, not \"%.40s\"", option, text);
    return CLI_OK;
}

static const struct row { const char *option, *member; reader *read; const char *bare; } rows[] = {
    { "to",          "url",            as_text,       NULL },
    { "org",         "org_id",         as_text,       NULL },
    { "description", "description",    as_text,       NULL },
    { "events",      "events",         as_types,      NULL },
    { "filter",      "filter",         as_conditions, NULL },
    { "schedule",    "retry_schedule", as_delays,     NULL },
    { "timeout",     "timeout_ms",     as_time,       NULL },
    { "concurrency", "concurrency",    as_count,      NULL },
    { "rate-limit",  "rate_limit",     as_rate,       NULL },
    { "active",      "active",         as_choice,     NULL },
    { "ed25519",     "ed25519",        as_choice,     "yes" },      /* bare: without a value */
};

/* "NAME=VALUE" or, as it will be sent, "NAME: VALUE". */
static int put_header(const char *text, json_t *headers)
{
    size_t letters = strcspn(text, "=:");

    if (letters == 0 || text[letters] == '\0')
        return cli_usage("--header is NAME=VALUE, not \"%.60s\"", text);
    char       *name = mem_strndup(text, letters);
    const char *value = text + letters + 1;
    value += text[letters] == ':' ? strspn(value, " ") : 0;
    json_put(headers, name, json_string(value));
    free(name);
    return CLI_OK;
}

static int put_headers(const struct options *given, json_t *body)
{
    json_t     *headers = json_object();
    const char *text;
    int         code = CLI_OK;

    for (size_t at = 0; code == CLI_OK && (text = options_next(given, "header", &at)) != NULL;)
        code = put_header(text, headers);
    if (code == CLI_OK && (options_has(given, "header") || options_has(given, "no-headers")))
        json_put(body, "headers", json_incref(headers));
    json_decref(headers);
    return code;
}

int webhook_settings(const struct options *given, json_t *body)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t     *value = NULL;
        const char *text = options_text(given, rows[i].option, rows[i].bare);
        if (!options_has(given, rows[i].option))
            continue;
        int code = rows[i].read(rows[i].option, text, &value);
        if (code != CLI_OK)
            return code;
        json_put(body, rows[i].member, value);
    }
    return put_headers(given, body);
}
