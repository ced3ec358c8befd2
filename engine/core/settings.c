/* settings.c - fills struct settings from the one table in settings.h.
 *
 * The sources are applied in the order default, file, environment, flags, each
 * over the one before; so every value that was given is checked, also one that
 * a stronger source replaces. A list is emptied by the first value of a source
 * that names it: sources replace each other, they do not mix. */
#include "core/settings.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "base/options.h"
#include "base/util.h"
#include "core/settings_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const struct row {
    struct setting setting;
    size_t         offset;                  /* of the field in struct settings */
    const char    *flag, *otherwise, *help;
} table[] = {
#define X(field, kind, flag, otherwise, min, max, value, help)                                     \
    { { SETTING_##kind, min, max, value }, offsetof(struct settings, field), flag, otherwise, help },
    MH_SETTINGS(X)
#undef X
};

enum { SETTINGS = ARRAY_LEN(table), NAME_BYTES = 64, HELP_COLUMN = 34, HELP_MAX_BYTES = 65536 };

/* One run of settings_load(). `seen` is reset for every source. */
struct load {
    struct settings *out;
    bool             seen[SETTINGS];
    char            *why;
    size_t           why_bytes;
};

static enum mh_err fail(const struct load *l, const char *format, ...) MH_PRINTF(2, 3);

static enum mh_err fail(const struct load *l, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->why, l->why_bytes, format, args);
    va_end(args);
    return MH_INVALID;
}

static void *field_of(struct settings *s, const struct row *row)
{
    return (char *)s + row->offset;
}

/* `where` is how the setting was named, for people: "--max-body", "moonhook.conf:3: max-body". */
static enum mh_err apply(struct load *l, const struct row *row, const char *text, const char *where)
{
    bool more = l->seen[row - table];
    char problem[PROBLEM_BYTES];

    l->seen[row - table] = true;
    if (setting_set(field_of(l->out, row), &row->setting, text, more, problem) == MH_OK)
        return MH_OK;
    return fail(l, "%s: %s", where, problem);
}

/* ---- Sources ----------------------------------------------------------------- */

static void source_begin(struct load *l) { memset(l->seen, 0, sizeof l->seen); }

static const struct row *find(const char *flag)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(table[i].flag, flag) == 0)
            return &table[i];
    return NULL;
}

static enum mh_err load_defaults(struct load *l)
{
    enum mh_err err = MH_OK;

    source_begin(l);
    for (size_t i = 0; i < SETTINGS && err == MH_OK; i++)
        err = apply(l, &table[i], table[i].otherwise, table[i].flag);
    return err;
}

/* Cuts comments and the blanks at both ends; returns where the text starts. A '#'
 * starts a comment at the beginning of a line or behind a blank: URLs may hold one. */
static char *trim(char *line)
{
    for (char *at = line; (at = strchr(at, '#')) != NULL; at++)
        if (at == line || isspace((unsigned char)at[-1])) {
            *at = '\0';
            break;
        }
    line += strspn(line, " \t\r\n");
    size_t len = strlen(line);
    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
    return line;
}

static enum mh_err unknown_key(const struct load *l, const char *key, const char *where)
{
    struct nearest near = { .word = key };

    for (size_t i = 0; i < SETTINGS; i++)
        nearest_offer(&near, table[i].flag);
    return fail(l, "%s: \"%.60s\" is not a setting%s%s%s", where, key,
                near.best ? "; did you mean " : "", near.best ? near.best : "",
                near.best ? "?" : "");
}

/* "key = value", of `line`, whose place is `where`. */
static enum mh_err load_line(struct load *l, char *line, const char *where)
{
    char *key = trim(line);
    char *equals = strchr(key, '=');
    char  place[256];

    if (*key == '\0')
        return MH_OK;
    if (equals == NULL)
        return fail(l, "%s: \"%.60s\" is not of the form key = value", where, key);
    *equals = '\0';
    key = trim(key);
    const struct row *row = find(key);
    if (row == NULL)
        return unknown_key(l, key, where);
    snprintf(place, sizeof place, "%s: %s", where, row->flag);
    return apply(l, row, trim(equals + 1), place);
}

static enum mh_err load_file(struct load *l, const char *path)
{
    char       *line = NULL, where[192];
    size_t      cap = 0;
    enum mh_err err = MH_OK;
    FILE       *file = fopen(path, "re");

    if (file == NULL)
        return fail(l, "the configuration file %.160s cannot be read: %s", path, strerror(errno));
    source_begin(l);
    for (unsigned number = 1; err == MH_OK && getline(&line, &cap, file) >= 0; number++) {
        snprintf(where, sizeof where, "%.160s:%u", path, number);
        err = load_line(l, line, where);
    }
    if (err == MH_OK && ferror(file))
        err = fail(l, "the configuration file %.160s cannot be read", path);
    free(line);
    fclose(file);
    return err;
}

/* "redis-fsync" <- "MOONHOOK_REDIS_FSYNC", cut to NAME_BYTES. */
static void flag_of_variable(const char *variable, size_t letters, char out[NAME_BYTES])
{
    static const size_t prefix = sizeof "MOONHOOK_" - 1;
    size_t              used = 0;

    for (size_t i = prefix; i < letters && used < NAME_BYTES - 1; i++)
        out[used++] = variable[i] == '_' ? '-' : (char)tolower((unsigned char)variable[i]);
    out[used] = '\0';
}

static void variable_of_flag(const char *flag, char out[NAME_BYTES])
{
    int used = snprintf(out, NAME_BYTES, "MOONHOOK_%s", flag);

    for (int i = 0; i < used && i < NAME_BYTES - 1; i++)
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* Variables that are not settings and yet none of a person's mistakes. */
static bool variable_passed_over(const char *flag)
{
    static const char *const names[] = { "config", "url", "key", "master-key", "worker" };
    /* What Kubernetes sets in every pod beside a service that is called moonhook. */
    static const char *const prefixes[] = { "service-", "port" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(flag, names[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (strncmp(flag, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static enum mh_err unknown_variable(const struct load *l, const char *name)
{
    char           variables[SETTINGS][NAME_BYTES];
    struct nearest near = { .word = name };

    for (size_t i = 0; i < SETTINGS; i++) {
        variable_of_flag(table[i].flag, variables[i]);
        nearest_offer(&near, variables[i]);
    }
    return fail(l, "the environment's %.60s is not a setting%s%s%s", name,
                near.best ? "; did you mean " : "", near.best ? near.best : "",
                near.best ? "?" : "");
}

/* `entry` is "MOONHOOK_NAME=value". An empty value counts as not set: that is how
 * container files and service managers unset a variable. */
static enum mh_err load_variable(struct load *l, const char *entry)
{
    char   flag[NAME_BYTES], name[NAME_BYTES];
    size_t letters = strcspn(entry, "=");

    if (entry[letters] == '\0' || entry[letters + 1] == '\0')
        return MH_OK;
    flag_of_variable(entry, letters, flag);
    if (variable_passed_over(flag))
        return MH_OK;
    snprintf(name, sizeof name, "%.*s", (int)(letters < NAME_BYTES ? letters : NAME_BYTES - 1),
             entry);
    const struct row *row = find(flag);
    return row ? apply(l, row, entry + letters + 1, name) : unknown_variable(l, name);
}

static enum mh_err load_environment(struct load *l)
{
    enum mh_err err = MH_OK;

    source_begin(l);
    for (char **entry = environ; *entry != NULL && err == MH_OK; entry++)
        if (strncmp(*entry, "MOONHOOK_", 9) == 0)
            err = load_variable(l, *entry);
    return err;
}

static enum mh_err load_flags(struct load *l, const struct options *given)
{
    enum mh_err err = MH_OK;

    source_begin(l);
    for (size_t i = 0; i < given->given_count && err == MH_OK; i++) {
        const struct option_given *g = &given->given[i];
        const struct row          *row = find(g->spec->name);
        char                       where[NAME_BYTES];
        if (row == NULL)
            continue;                      /* --config, which is no setting */
        snprintf(where, sizeof where, "--%s", row->flag);
        err = apply(l, row, g->value ? g->value : "true", where);
    }
    return err;
}

/* ---- The whole ----------------------------------------------------------------- */

static const char *config_path(const struct options *given)
{
    const char *path = getenv("MOONHOOK_CONFIG");
    return options_text(given, "config", path && *path ? path : NULL);
}

static enum mh_err load_all(struct load *l, const struct options *given)
{
    const char *path = config_path(given);
    enum mh_err err = MH_OK;

    if (given->words > 0)
        return fail(l, "\"%.60s\" is not an option; serve takes nothing else", given->word[0]);
    if ((err = load_defaults(l)) != MH_OK)
        return err;
    if (path != NULL && (err = load_file(l, path)) != MH_OK)
        return err;
    if ((err = load_environment(l)) != MH_OK)
        return err;
    return load_flags(l, given);
}

enum mh_err settings_load(int argc, char **argv, struct settings *out, char *why, size_t why_bytes)
{
    struct option_spec specs[SETTINGS + 2] = { { "config", OPTION_VALUE, "FILE", "" } };
    struct settings    read = { 0 };
    struct load        l = { .out = &read, .why = why, .why_bytes = why_bytes };
    struct options     given;

    for (size_t i = 0; i < SETTINGS; i++)
        specs[i + 1] = (struct option_spec){
            table[i].flag, table[i].setting.kind == SETTING_FLAG ? OPTION_MAYBE : OPTION_VALUE,
            table[i].setting.value, table[i].help };
    enum mh_err err = options_parse(argc, argv, specs, NULL, &given, why, why_bytes);
    if (err != MH_OK)
        return err;
    err = load_all(&l, &given);
    options_free(&given);
    if (err != MH_OK)
        settings_free(&read);
    else
        *out = read;
    return err;
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < SETTINGS; i++)
        setting_clear(field_of(s, &table[i]), &table[i].setting);
    *s = (struct settings){ 0 };
}

static enum mh_err help_row(struct buf *b, const struct row *row)
{
    char name[NAME_BYTES], variable[NAME_BYTES];

    snprintf(name, sizeof name, "--%s %s%s", row->flag, row->setting.value,
             row->setting.kind == SETTING_LIST ? " ..." : "");
    variable_of_flag(row->flag, variable);
    enum mh_err err = buf_printf(b, "  %-*s%s%s\n%*s", HELP_COLUMN - 2, name,
                                 strlen(name) >= HELP_COLUMN - 2 ? " " : "", row->help,
                                 HELP_COLUMN, "");
    if (err != MH_OK)
        return err;
    return *row->otherwise ? buf_printf(b, "[%s; %s]\n", row->otherwise, variable)
                           : buf_printf(b, "[%s]\n", variable);
}

char *settings_help(void)
{
    struct buf  b;
    size_t      len;
    enum mh_err err;

    buf_init(&b, HELP_MAX_BYTES);
    err = buf_printf(&b, "  %-*s%s\n%*s[MOONHOOK_CONFIG]\n", HELP_COLUMN - 2, "--config FILE",
                     "read settings from a file of \"key = value\" lines", HELP_COLUMN, "");
    for (size_t i = 0; i < SETTINGS && err == MH_OK; i++)
        err = help_row(&b, &table[i]);
    if (err != MH_OK)
        buf_deinit(&b);
    return buf_take(&b, &len);
}
