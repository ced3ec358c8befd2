/* input.c - see input.h. */
#include "cli/input.h"

#include "base/util.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 65536, MAX_INPUT_BYTES = 64 * MH_MIB };

static enum mh_err read_stream(FILE *file, struct buf *out)
{
    enum mh_err err = MH_OK;

    while (err == MH_OK && !feof(file) && !ferror(file)) {
        err = buf_reserve(out, CHUNK_BYTES);
        if (err != MH_OK)
            break;
        out->len += fread(out->data + out->len, 1, CHUNK_BYTES, file);
        out->data[out->len] = '\0';
    }
    return ferror(file) ? MH_IO : err;
}

static int read_file(const char *path, struct buf *out)
{
    bool  standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");

    if (file == NULL)
        return cli_failed("%s cannot be read: %s", path, strerror(errno));
    enum mh_err err = read_stream(file, out);
    int         code = err == MH_OK ? CLI_OK : cli_failed("%s: %s", path, err_text(err));
    if (!standard)
        fclose(file);
    return code;
}

int input_read(const char *argument, struct buf *out)
{
    out->max_bytes = MAX_INPUT_BYTES;
    if (argument[0] == '@')
        return read_file(argument + 1, out);
    if (strcmp(argument, "-") == 0)
        return read_file("-", out);
    return buf_puts(out, argument) == MH_OK ? CLI_OK : cli_failed("%s", err_text(MH_TOO_LARGE));
}

int input_json(const char *argument, const char *what, json_t **out)
{
    struct json_fault fault = { 0 };
    struct buf        text;

    buf_init(&text, 0);
    int code = input_read(argument, &text);
    if (code == CLI_OK && json_parse(text.data ? text.data : "", text.len, out, &fault) != MH_OK)
        code = cli_failed("%s is not JSON: %s", what, fault.text);
    buf_deinit(&text);
    return code;
}

static int config_file(const char *argument, json_t *config)
{
    json_t *members = NULL;
    int     code = input_json(argument, argument + 1, &members);

    if (code == CLI_OK && !json_is_object(members))
        code = cli_failed("%s does not hold a JSON object", argument + 1);
    if (code == CLI_OK)
        json_object_update(config, members);
    json_decref(members);
    return code;
}

int input_config(const char *argument, json_t *config)
{
    const char       *equals = strchr(argument, '=');
    struct json_fault fault;
    json_t           *value = NULL;

    if (argument[0] == '@')
        return config_file(argument, config);
    if (equals == NULL || equals == argument)
        return cli_usage("\"%.60s\" is not of the form KEY=VALUE", argument);
    if (json_parse(equals + 1, strlen(equals + 1), &value, &fault) != MH_OK)
        value = json_string(equals + 1);
    if (value == NULL)
        return cli_failed("the value of %.*s is not UTF-8", (int)(equals - argument), argument);
    char *key = mem_strndup(argument, (size_t)(equals - argument));
    json_put(config, key, value);
    free(key);
    return CLI_OK;
}
