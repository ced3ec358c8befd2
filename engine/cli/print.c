/* print.c - see print.h. */
#include "cli/print.h"

#include "base/util.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 12, GAP = 2, PATH_BYTES = 64 };

/* ---- Values as text ---------------------------------------------------------------- */

/* ASCII controls, and C1 controls, which are two bytes in UTF-8. */
static bool is_control(const unsigned char *at)
{
    return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0);
}

void print_safe(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool control = is_control(at);
        fputc(control ? '?' : *at, out);
        at += control && *at == 0xc2;
    }
}

/* Characters, not bytes; wide ones count as one. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static char *list_value(const json_t *list)
{
    char   *joined = mem_strdup("");
    size_t  i;
    json_t *item;

    json_array_foreach(list, i, item) {
        char *value = print_value(item);
        char *longer = mem_printf("%s%s%s", joined, i > 0 ? "," : "", value);
        free(joined);
        free(value);
        joined = longer;
    }
    return joined;
}

char *print_value(const json_t *value)
{
    size_t bytes;

    if (json_is_string(value))
        return mem_strdup(json_string_value(value));
    if (json_is_boolean(value))
        return mem_strdup(json_is_true(value) ? "yes" : "no");
    if (json_is_array(value) && json_array_size(value) > 0)
        return list_value(value);
    if (value == NULL || json_is_null(value) || json_is_array(value))
        return mem_strdup("-");
    char *text = json_text(value, &bytes);
    return text ? text : mem_strdup("?");
}

static const json_t *at_path(const json_t *object, const char *path)
{
    char part[PATH_BYTES];

    while (object != NULL && *path != '\0') {
        size_t letters = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)letters, path);
        object = json_object_get(object, part);
        path += letters + (path[letters] == '.');
    }
    return object;
}

/* ---- Tables --------------------------------------------------------------------------- */

static void measure(const json_t *items, const struct column *columns, int *widths)
{
    size_t  i;
    json_t *item;

    for (int c = 0; columns[c].title; c++) {
        widths[c] = width_of(columns[c].title);
        json_array_foreach(items, i, item) {
            char *cell = print_value(at_path(item, columns[c].path));
            int   width = width_of(cell);
            widths[c] = width > widths[c] ? width : widths[c];
            free(cell);
        }
    }
}

static void print_cell(const char *text, int width, bool last)
{
    print_safe(stdout, text);
    if (!last)
        printf("%*s", width - width_of(text) + GAP, "");
}

void print_table(const json_t *items, const struct column *columns, const char *none)
{
    int     widths[MAX_COLUMNS];
    size_t  i;
    json_t *item;

    if (json_array_size(items) == 0) {
        puts(none);
        return;
    }
    measure(items, columns, widths);
    for (int c = 0; columns[c].title; c++)
        print_cell(columns[c].title, widths[c], columns[c + 1].title == NULL);
    putchar('\n');
    json_array_foreach(items, i, item) {
        for (int c = 0; columns[c].title; c++) {
            char *cell = print_value(at_path(item, columns[c].path));
            print_cell(cell, widths[c], columns[c + 1].title == NULL);
            free(cell);
        }
        putchar('\n');
    }
}

void print_list(const json_t *answer, const struct column *columns, const char *none)
{
    print_table(json_object_get(answer, "items"), columns, none);
    if (json_is_string(json_object_get(answer, "next")))
        puts("... and more");
}

void print_fields(const json_t *object, const struct column *columns, int indent)
{
    int width = 0;

    for (int c = 0; columns[c].title; c++)
        width = width_of(columns[c].title) > width ? width_of(columns[c].title) : width;
    for (int c = 0; columns[c].title; c++) {
        const json_t *value = at_path(object, columns[c].path);
        if (value == NULL || json_is_null(value))
            continue;
        char *text = print_value(value);
        printf("%*s%-*s", indent, "", width + GAP, columns[c].title);
        print_safe(stdout, text);
        putchar('\n');
        free(text);
    }
}

void print_json(FILE *out, const json_t *value, int indent)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY |
                                            JSON_REAL_PRECISION(15)) : NULL;
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        fprintf(out, "%*s", indent, "");
        print_safe(out, line);
        fputc('\n', out);
    }
    free(text);
}
