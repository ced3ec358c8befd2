/* filter.c - see filter.h. */
#include "webhook/filter.h"

#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 120 };                 /* of a value, in a sentence */

/* ---- JSON pointers (RFC 6901) -------------------------------------------------------- */

static bool pointer_valid(const char *pointer)
{
    if (pointer == NULL || strlen(pointer) > FILTER_POINTER_BYTES)
        return false;
    if (*pointer != '\0' && *pointer != '/')
        return false;
    for (; *pointer != '\0'; pointer++)
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    return true;
}

/* Copies the token that begins at `token`, unescaped; gives where it ends. */
static const char *take_token(const char *token, char out[FILTER_POINTER_BYTES + 1])
{
    for (; *token != '\0' && *token != '/'; token++) {
        bool escaped = *token == '~';
        token += escaped;
        *out++ = escaped ? (*token == '0' ? '~' : '/') : *token;
    }
    *out = '\0';
    return token;
}

/* "0", "17"; no leading zero, and "-" is behind the end. */
static const json_t *item_at(const json_t *array, const char *token)
{
    size_t chars = strlen(token);

    if (chars == 0 || chars > 9 || strspn(token, "0123456789") != chars ||
        (token[0] == '0' && chars > 1))
        return NULL;
    return json_array_get(array, strtoul(token, NULL, 10));
}

static const json_t *look_up(const json_t *value, const char *pointer)
{
    char token[FILTER_POINTER_BYTES + 1];

    while (value != NULL && *pointer == '/') {
        pointer = take_token(pointer + 1, token);
        value = json_is_array(value) ? item_at(value, token) : json_object_get(value, token);
    }
    return value;
}

/* ---- Operators ------------------------------------------------------------------------ */

static bool is_scalar(const json_t *v) { return v != NULL && !json_is_object(v) && !json_is_array(v); }

static bool text_fits(const json_t *v)
{
    return !json_is_string(v) || json_string_length(v) <= FILTER_TEXT_BYTES;
}

static bool takes_scalar(const json_t *v) { return is_scalar(v) && text_fits(v); }
static bool takes_number(const json_t *v) { return json_is_number(v); }
static bool takes_bool(const json_t *v) { return json_is_boolean(v); }
static bool takes_text(const json_t *v) { return json_is_string(v) && text_fits(v); }

static bool takes_list(const json_t *v)
{
    size_t count = json_array_size(v);

    for (size_t i = 0; i < count; i++)
        if (!takes_scalar(json_array_get(v, i)))
            return false;
    return count >= 1 && count <= FILTER_VALUES;
}

/* < 0, 0, > 0 */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t m = json_integer_value(a), n = json_integer_value(b);
        return (m > n) - (m < n);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return (x > y) - (x < y);
}

static bool holds_eq(const json_t *found, const json_t *v)
{
    return json_is_number(found) && json_is_number(v) ? compare(found, v) == 0 : json_equal(found, v);
}

static bool holds_in(const json_t *found, const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (holds_eq(found, json_array_get(v, i)))
            return true;
    return false;
}

static bool holds_gt(const json_t *found, const json_t *v)
{
    return json_is_number(found) && compare(found, v) > 0;
}

static bool holds_lt(const json_t *found, const json_t *v)
{
    return json_is_number(found) && compare(found, v) < 0;
}

static bool holds_prefix(const json_t *found, const json_t *v)
{
    return json_is_string(found) && strncmp(json_string_value(found), json_string_value(v),
                                            json_string_length(v)) == 0;
}

/* Of what is there. */
static bool holds_exists(const json_t *found, const json_t *v)
{
    return (found != NULL) == json_is_true(v);
}

static const struct operator {
    const char *name;
    bool      (*takes)(const json_t *value);
    const char *wanted;                     /* what `value` must be */
    bool      (*holds)(const json_t *found, const json_t *value);
    const char *unmet;                      /* "... which <unmet> VALUE" */
} operators[] = {
    { "eq",     takes_scalar, "text, a number, true, false or null", holds_eq, "is not" },
    { "in",     takes_list,   "a list of 1 to 100 such values", holds_in, "is not one of" },
    { "gt",     takes_number, "a number", holds_gt, "is not greater than" },
    { "lt",     takes_number, "a number", holds_lt, "is not less than" },
    { "exists", takes_bool,   "true or false", holds_exists, NULL },
    { "prefix", takes_text,   "text of at most 500 bytes", holds_prefix, "does not begin with" },
};

static const struct operator *operator_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (name != NULL && strcmp(operators[i].name, name) == 0)
            return &operators[i];
    return NULL;
}

/* ---- Checking -------------------------------------------------------------------------- */

static enum mh_err fault_at(struct json_fault *fault, size_t i, const char *member, const char *text)
{
    char pointer[64];

    snprintf(pointer, sizeof pointer, "/filter/%zu%s", i, member);
    return json_fault(fault, pointer, "%s", text);
}

static enum mh_err check_condition(const json_t *condition, size_t i, struct json_fault *fault)
{
    const json_t          *value = json_object_get(condition, "value");
    const struct operator *op = operator_named(json_text_of(condition, "op", NULL));
    char                   text[96];

    if (json_object_size(condition) != 3 || value == NULL ||
        json_object_get(condition, "pointer") == NULL || json_object_get(condition, "op") == NULL)
        return fault_at(fault, i, "", "must have \"pointer\", \"op\" and \"value\", and nothing else");
    if (!pointer_valid(json_text_of(condition, "pointer", NULL)))
        return fault_at(fault, i, "/pointer", "must be a JSON pointer such as /data/severity, at most "
                        "200 bytes");
    if (op == NULL)
        return fault_at(fault, i, "/op", "must be eq, in, gt, lt, exists or prefix");
    if (op->takes(value))
        return MH_OK;
    snprintf(text, sizeof text, "of %s must be %s", op->name, op->wanted);
    return fault_at(fault, i, "/value", text);
}

enum mh_err filter_check(const json_t *filter, struct json_fault *fault)
{
    enum mh_err err = MH_OK;

    if (!json_is_array(filter) || json_array_size(filter) > FILTER_CONDITIONS)
        return json_fault(fault, "/filter", "must be a list of at most %d conditions",
                          FILTER_CONDITIONS);
    for (size_t i = 0; err == MH_OK && i < json_array_size(filter); i++)
        err = check_condition(json_array_get(filter, i), i, fault);
    return err;
}

/* ---- Matching --------------------------------------------------------------------------- */

/* A value as JSON, cut behind a whole character. */
static void show(const json_t *value, char out[SHOWN_BYTES + 4])
{
    size_t bytes = 0;
    char  *text = json_text(value, &bytes);

    size_t kept = bytes > SHOWN_BYTES ? SHOWN_BYTES : bytes;
    while (kept > 0 && kept < bytes && ((unsigned char)text[kept] & 0xc0) == 0x80)
        kept--;
    snprintf(out, SHOWN_BYTES + 4, "%.*s%s", (int)kept, text ? text : "", kept < bytes ? "..." : "");
    free(text);
}

static void tell(const struct operator *op, const char *pointer, const json_t *found,
                 const json_t *value, char why[FILTER_WHY_BYTES])
{
    char        is[SHOWN_BYTES + 4], wanted[SHOWN_BYTES + 4];
    const char *name = *pointer ? pointer : "the event";

    show(found, is);
    show(value, wanted);
    if (found == NULL)
        snprintf(why, FILTER_WHY_BYTES, "%s is missing", name);
    else if (op->unmet == NULL)
        snprintf(why, FILTER_WHY_BYTES, "%s is there, as %s", name, is);
    else
        snprintf(why, FILTER_WHY_BYTES, "%s is %s, which %s %s", name, is, op->unmet, wanted);
}

static bool condition_holds(const json_t *condition, const json_t *envelope,
                            char why[FILTER_WHY_BYTES])
{
    const struct operator *op = operator_named(json_text_of(condition, "op", NULL));
    const char            *pointer = json_text_of(condition, "pointer", "");
    const json_t          *value = json_object_get(condition, "value");
    const json_t          *found = look_up(envelope, pointer);

    bool applies = found != NULL || op->holds == holds_exists;
    if (applies && op->holds(found, value))
        return true;
    if (why != NULL)
        tell(op, pointer, found, value, why);
    return false;
}

bool filter_matches(const json_t *filter, const json_t *envelope, char why[FILTER_WHY_BYTES])
{
    for (size_t i = 0; i < json_array_size(filter); i++)
        if (!condition_holds(json_array_get(filter, i), envelope, why))
            return false;
    return true;
}
