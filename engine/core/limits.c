/* limits.c - reads the table of limits in limits.h. */
#include "core/limits.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct row {
    const char *name, *what;
    size_t      offset;                     /* of the field in struct limits */
    int64_t     unit, otherwise;
} rows[] = {
#define X(NAME, field, manifest, unit, otherwise, setting, what)                                   \
    { manifest, what, offsetof(struct limits, field), unit, otherwise },
    MH_LIMITS(X)
#undef X
};

const char *limit_name(enum limit which)
{
    return (size_t)which < ARRAY_LEN(rows) ? rows[which].name : "?";
}

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static int64_t *field_of(struct limits *l, const struct row *row)
{
    return (int64_t *)(void *)((char *)l + row->offset);
}

enum mh_err limits_check(const json_t *asked, struct json_fault *fault)
{
    char        pointer[64];
    const char *name;
    json_t     *value;

    json_object_foreach((json_t *)asked, name, value) {
        snprintf(pointer, sizeof pointer, "/limits/%.40s", name);
        if (row_of(name) == NULL)
            return json_fault(fault, pointer, "is no limit that moonhook knows");
        if (!json_is_integer(value) || json_integer_value(value) < 1 ||
            json_integer_value(value) > LIMITS_MOST)
            return json_fault(fault, pointer, "must be a whole number, 1 to %d", LIMITS_MOST);
    }
    return MH_OK;
}

struct limits limits_of(const json_t *asked, const struct limits *ceilings)
{
    struct limits out = *ceilings;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t *value = field_of(&out, &rows[i]);
        int64_t  wanted = json_int_of(asked, rows[i].name, 0) * rows[i].unit;
        if (wanted <= 0)
            wanted = rows[i].otherwise;
        *value = wanted < *value ? wanted : *value;
    }
    return out;
}

json_t *limits_json(const struct limits *limits)
{
    struct limits copy = *limits;
    json_t       *all = json_object();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        json_put(all, rows[i].name, json_integer(*field_of(&copy, &rows[i]) / rows[i].unit));
    return all;
}
