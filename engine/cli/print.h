/* print.h - answers as people read them: aligned columns and short lines.
 *
 * Text from the other side never reaches the terminal raw: control characters
 * become '?', so that a log line of a plugin cannot steer it. */
#pragma once

#include "io/json.h"

#include <stdio.h>

struct column {                             /* a table ends with a NULL title */
    const char *title;
    const char *path;                       /* "name", or "target.kind" */
};

/* One line per item of an array, under titles; `none` where it is empty. */
void print_table(const json_t *items, const struct column *columns, const char *none);

/* The same of an answer {"items":[...],"next":...}; says when there are more. */
void print_list(const json_t *answer, const struct column *columns, const char *none);

/* One "title  value" line per column; a value that is missing is left out. */
void print_fields(const json_t *object, const struct column *columns, int indent);

/* Pretty JSON, each line indented. */
void print_json(FILE *out, const json_t *value, int indent);

/* Text on one line: control characters replaced. */
void print_safe(FILE *out, const char *text);

/* A value as a cell: text as it is, "-" for null, lists with commas; malloc'ed. */
char *print_value(const json_t *value);
