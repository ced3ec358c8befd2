/* json.c - see json.h. */
#include "io/json.h"

#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* jansson recurses per level; refusing deep text first keeps every later walk of
 * ours shallow too. Brackets inside strings do not count. */
static bool too_deep(const char *text, size_t bytes, int most)
{
    int  depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > most)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

/* jansson shows the text that it stumbled over: what is no mere sign may be a secret. */
static void hide_what_is_near(char *text)
{
    char *near = strstr(text, " near '");

    if (near != NULL && strpbrk(near + 7, "\"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
        *near = '\0';
}

/* Takes a last character off that was cut in its middle: a fault is going to be JSON. */
static void drop_half_character(char *text)
{
    size_t length = strlen(text), tail = 0;

    while (tail < 3 && tail < length && (text[length - 1 - tail] & 0xC0) == 0x80)
        tail++;
    if (tail == length)
        return;
    unsigned char lead = (unsigned char)text[length - 1 - tail];
    size_t        tail_wanted = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (tail < tail_wanted)
        text[length - 1 - tail] = '\0';
}

static enum mh_err parse(const char *text, size_t bytes, int most, json_t **out,
                         struct json_fault *fault)
{
    json_error_t error;

    fault->pointer[0] = fault->text[0] = '\0';
    if (too_deep(text, bytes, most)) {
        snprintf(fault->text, sizeof fault->text, "is nested more than %d levels deep", most);
        return MH_INVALID;
    }
    if (bytes > 0 && memchr(text, '\0', bytes) != NULL) {       /* jansson passes over one behind a number */
        snprintf(fault->text, sizeof fault->text, "holds a NUL byte");
        return MH_INVALID;
    }
    json_t *value = json_loadb(text ? text : "", bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                               &error);
    if (value == NULL) {
        hide_what_is_near(error.text);
        snprintf(fault->text, sizeof fault->text, "line %d, column %d: %.120s", error.line,
                 error.column, bytes == 0 ? "a JSON body was expected" : error.text);
        drop_half_character(fault->text);
        return MH_INVALID;
    }
    *out = value;
    return MH_OK;
}

enum mh_err json_parse(const char *text, size_t bytes, json_t **out, struct json_fault *fault)
{
    return parse(text, bytes, JSON_MAX_NESTING, out, fault);
}

enum mh_err json_parse_stored(const char *text, size_t bytes, json_t **out,
                              struct json_fault *fault)
{
    return parse(text, bytes, JSON_STORED_NESTING, out, fault);
}

char *json_text(const json_t *value, size_t *bytes)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    *bytes = text ? strlen(text) : 0;
    return text;
}

char *json_canonical(const json_t *value, size_t *bytes)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS |
                                   JSON_REAL_PRECISION(17));
    *bytes = text ? strlen(text) : 0;
    return text;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value ? value : json_null());
}

const char *json_text_of(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

int64_t json_int_of(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

bool json_bool_of(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* ---- Reading a request --------------------------------------------------------- */

enum mh_err json_fault(struct json_fault *fault, const char *pointer, const char *format, ...)
{
    va_list args;

    snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    drop_half_character(fault->pointer);
    drop_half_character(fault->text);
    return MH_UNPROCESSABLE;
}

/* "/" and the name, '~' and '/' in it escaped (RFC 6901). */
static void pointer_to(const char *name, char out[128])
{
    size_t used = 0;

    out[used++] = '/';
    for (; *name != '\0' && used + 3 < 128; name++) {
        if (*name == '~' || *name == '/') {
            out[used++] = '~';
            out[used++] = *name == '~' ? '0' : '1';
        } else {
            out[used++] = *name;
        }
    }
    out[used] = '\0';
}

static bool is_kind(const json_t *value, enum json_kind kind)
{
    switch (kind) {
    case JSON_IS_STRING:  return json_is_string(value);
    case JSON_IS_INTEGER: return json_is_integer(value);
    case JSON_IS_BOOL:    return json_is_boolean(value);
    case JSON_IS_OBJECT:  return json_is_object(value);
    case JSON_IS_ARRAY:   return json_is_array(value);
    case JSON_IS_ANY:     break;
    }
    return true;
}

static enum mh_err fault_at(struct json_fault *fault, const char *name, const char *text)
{
    char pointer[128];

    pointer_to(name, pointer);
    return json_fault(fault, pointer, "%s", text);
}

static const struct json_field *field_of(const struct json_field *fields, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static enum mh_err check_member(const struct json_field *field, const char *name,
                                const json_t *value, struct json_fault *fault)
{
    static const char *const wrong[] = {
        [JSON_IS_STRING] = "must be a string",  [JSON_IS_INTEGER] = "must be an integer",
        [JSON_IS_BOOL]   = "must be true or false", [JSON_IS_OBJECT] = "must be an object",
        [JSON_IS_ARRAY]  = "must be an array",  [JSON_IS_ANY]     = "",
    };
    if (field == NULL)
        return fault_at(fault, name, "unknown field");
    return is_kind(value, field->kind) ? MH_OK : fault_at(fault, name, wrong[field->kind]);
}

enum mh_err json_check(const json_t *object, const struct json_field *fields, size_t count,
                       struct json_fault *fault)
{
    const char *name;
    json_t     *value;

    if (!json_is_object(object))
        return json_fault(fault, "", "must be a JSON object");
    json_object_foreach((json_t *)object, name, value) {
        enum mh_err err = check_member(field_of(fields, count, name), name, value, fault);
        if (err != MH_OK)
            return err;
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && json_object_get(object, fields[i].name) == NULL)
            return fault_at(fault, fields[i].name, "is required");
    return MH_OK;
}
