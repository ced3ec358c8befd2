/* settings_value.c - see settings_value.h. */
#include "core/settings_value.h"

#include "base/clock.h"
#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUND_BYTES = 32 };

/* ---- Numbers ---------------------------------------------------------------- */

/* "64k", "1m", "2g", "1t" or a bare number of bytes; units of 1024. */
static enum mh_err parse_size(const char *text, int64_t *bytes)
{
    static const char units[] = "kmgt";
    char             *end;

    if (!isdigit((unsigned char)*text))
        return MH_INVALID;
    errno = 0;
    long long   count = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    unsigned    shift = unit ? (unsigned)(unit - units + 1) * 10 : 0;
    if (errno != 0 || (*end && (unit == NULL || end[1])) || count > INT64_MAX >> shift)
        return MH_INVALID;
    *bytes = (int64_t)count << shift;
    return MH_OK;
}

static enum mh_err parse_count(const char *text, int64_t *count)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return MH_INVALID;
    errno = 0;
    *count = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? MH_OK : MH_INVALID;
}

static const struct number_kind {
    enum mh_err (*parse)(const char *text, int64_t *number);
    const char *takes;
} number_kinds[] = {
    [SETTING_DURATION] = { clock_parse_duration, "a duration such as 250ms, 5s, 10m, 2h or 7d" },
    [SETTING_SIZE]     = { parse_size, "a size in bytes such as 65536, 64k, 1m or 2g" },
    [SETTING_COUNT]    = { parse_count, "a whole number" },
};

/* A bound in the unit in which people write it: "100ms", "8m", "10000". */
static const char *bound_text(const struct setting *setting, int64_t bound, char out[BOUND_BYTES])
{
    static const struct { enum setting_kind kind; int64_t of; const char *unit; } units[] = {
        { SETTING_DURATION, 86400000, "d" }, { SETTING_DURATION, 60000, "m" },
        { SETTING_DURATION, 1000, "s" },     { SETTING_DURATION, 1, "ms" },
        { SETTING_SIZE, 1LL << 40, "t" },    { SETTING_SIZE, 1 << 30, "g" },
        { SETTING_SIZE, 1 << 20, "m" },      { SETTING_SIZE, 1 << 10, "k" },
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (units[i].kind == setting->kind && bound >= units[i].of && bound % units[i].of == 0) {
            snprintf(out, BOUND_BYTES, "%lld%s", (long long)(bound / units[i].of), units[i].unit);
            return out;
        }
    snprintf(out, BOUND_BYTES, "%lld", (long long)bound);
    return out;
}

static enum mh_err set_number(int64_t *field, const struct setting *setting, const char *text,
                              char problem[PROBLEM_BYTES])
{
    const struct number_kind *kind = &number_kinds[setting->kind];
    char                      low[BOUND_BYTES], high[BOUND_BYTES];
    int64_t                   number;

    if (kind->parse(text, &number) != MH_OK) {
        snprintf(problem, PROBLEM_BYTES, "\"%.60s\" is not %s", text, kind->takes);
        return MH_INVALID;
    }
    if (number < setting->min || number > setting->max) {
        snprintf(problem, PROBLEM_BYTES, "%.60s is not between %s and %s", text,
                 bound_text(setting, setting->min, low), bound_text(setting, setting->max, high));
        return MH_INVALID;
    }
    *field = number;
    return MH_OK;
}

/* ---- Texts and flags ------------------------------------------------------------ */

static bool word_taken(const char *words, const char *text)
{
    size_t letters = strlen(text);

    for (const char *at = words; at != NULL; at = strchr(at, '|')) {
        at += *at == '|';
        if (strcspn(at, "|") == letters && memcmp(at, text, letters) == 0)
            return true;
    }
    return false;
}

static enum mh_err set_text(char **field, const struct setting *setting, const char *text,
                            char problem[PROBLEM_BYTES])
{
    if (strchr(setting->value, '|') && !word_taken(setting->value, text)) {
        snprintf(problem, PROBLEM_BYTES, "\"%.40s\" is not one of %s", text, setting->value);
        return MH_INVALID;
    }
    free(*field);
    *field = mem_strdup(text);
    return MH_OK;
}

static enum mh_err set_flag(bool *field, const char *text, char problem[PROBLEM_BYTES])
{
    static const struct { const char *word; bool value; } words[] = {
        { "true", true }, { "1", true }, { "yes", true }, { "on", true },
        { "false", false }, { "0", false }, { "no", false }, { "off", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *field = words[i].value;
            return MH_OK;
        }
    snprintf(problem, PROBLEM_BYTES, "\"%.60s\" is neither true nor false", text);
    return MH_INVALID;
}

/* ---- Lists ------------------------------------------------------------------------ */

static void list_clear(struct setting_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (struct setting_list){ 0 };
}

static void list_add(struct setting_list *list, const char *text, size_t letters)
{
    char **grown = mem_alloc((list->count + 1) * sizeof *grown);

    if (list->count > 0)
        memcpy(grown, list->item, list->count * sizeof *grown);
    grown[list->count] = mem_strndup(text, letters);
    free(list->item);
    list->item = grown;
    list->count++;
}

/* Items are separated by commas; blanks around them and empty items do not count. */
static void set_list(struct setting_list *list, const char *text, bool more)
{
    if (!more)
        list_clear(list);
    while (*text != '\0') {
        text += strspn(text, ", \t");
        size_t letters = strcspn(text, ","), next = letters;
        while (letters > 0 && isspace((unsigned char)text[letters - 1]))
            letters--;
        if (letters > 0)
            list_add(list, text, letters);
        text += next;
    }
}

/* ---- All kinds -------------------------------------------------------------------- */

enum mh_err setting_set(void *field, const struct setting *setting, const char *text, bool more,
                        char problem[PROBLEM_BYTES])
{
    switch (setting->kind) {
    case SETTING_TEXT: return set_text(field, setting, text, problem);
    case SETTING_FLAG: return set_flag(field, text, problem);
    case SETTING_LIST: set_list(field, text, more); return MH_OK;
    default:           return set_number(field, setting, text, problem);
    }
}

void setting_clear(void *field, const struct setting *setting)
{
    if (setting->kind == SETTING_TEXT)
        free(*(char **)field);
    else if (setting->kind == SETTING_LIST)
        list_clear(field);
}
