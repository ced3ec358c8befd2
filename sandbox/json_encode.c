/* json_encode.c - Lua values as JSON text; see json.h. Looks at tables raw, so that
 * no code of the plugin runs in the middle of it. */
#include "json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_PER_LEVEL = 6, NUMBER_BYTES = 40, FEW_ITEMS = 10 };

struct writer {
    lua_State  *L;
    struct buf *out;
    bool        strict;
    int         depth;
    const char *why;                        /* NULL while all is well */
};

const char json_too_large[] = "the JSON text is too large";

static bool write_value(struct writer *w, int index);

static bool fail(struct writer *w, const char *why)
{
    w->why = why;
    return false;
}

static bool written(struct writer *w, enum mh_err err)
{
    if (err == MH_OK)
        return true;
    return fail(w, err == MH_NOMEM ? "out of memory" : json_too_large);
}

static bool put(struct writer *w, const char *bytes, size_t count)
{
    return written(w, buf_append(w->out, bytes, count));
}

/* ---- Strings -------------------------------------------------------------------------- */

/* Bytes that stand for themselves at the start of `text`. */
static size_t plain_run(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        unsigned char c = (unsigned char)text[at];
        size_t        length = c < 0x80 ? 1 : utf8_length(text + at, bytes - at);
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f || length == 0)
            break;
        at += length;
    }
    return at;
}

static size_t escape(unsigned char c, bool strict, char out[8])
{
    static const char values[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char       *value = c ? strchr(values, c) : NULL;

    if (value != NULL)
        return (size_t)snprintf(out, 8, "\\%c", names[value - values]);
    if (c > 0x7f || (c == 0 && strict))
        return (size_t)snprintf(out, 8, "\xef\xbf\xbd");    /* U+FFFD */
    return (size_t)snprintf(out, 8, "\\u%04x", c);
}

enum mh_err json_put_string(struct buf *out, const char *text, size_t bytes, bool strict)
{
    enum mh_err err = buf_append(out, "\"", 1);
    char        escaped[8];

    while (err == MH_OK && bytes > 0) {
        size_t run = plain_run(text, bytes);
        err = buf_append(out, text, run);
        if (err == MH_OK && run < bytes) {
            size_t length = escape((unsigned char)text[run++], strict, escaped);
            err = buf_append(out, escaped, length);
        }
        text += run;
        bytes -= run;
    }
    return err == MH_OK ? buf_append(out, "\"", 1) : err;
}

static bool write_string(struct writer *w, int index)
{
    size_t      bytes;
    const char *text = lua_tolstring(w->L, index, &bytes);

    return written(w, json_put_string(w->out, text, bytes, w->strict));
}

/* ---- Numbers ---------------------------------------------------------------------------- */

static bool write_number(struct writer *w, double number)
{
    char text[NUMBER_BYTES];
    int  length = 0;

    if (!isfinite(number))
        return fail(w, "JSON has no infinity and no NaN");
    if (number == floor(number) && fabs(number) < 1e15 && !(number == 0 && signbit(number)))
        length = snprintf(text, sizeof text, "%" PRId64, (int64_t)number);
    for (int digits = 15; length == 0 && digits <= 17; digits++) {
        int tried = snprintf(text, sizeof text, "%.*g", digits, number);
        if (digits == 17 || strtod(text, NULL) == number)
            length = tried;
    }
    return put(w, text, (size_t)length);
}

static bool write_integer(struct writer *w, int index)
{
    char    text[NUMBER_BYTES];
    int64_t value;

    if (!json_is_int64(w->L, index, &value))
        return fail(w, "a userdata cannot be written as JSON");
    return put(w, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

/* ---- Tables ------------------------------------------------------------------------------ */

static bool is_marked(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    json_push_array_mark(L);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

/* The largest index, where all keys are positive integers without long gaps. */
static bool measure_array(struct writer *w, int index, int *last)
{
    int count = 0;

    *last = 0;
    for (lua_pushnil(w->L); lua_next(w->L, index); lua_pop(w->L, 1), count++) {
        double key = lua_type(w->L, -2) == LUA_TNUMBER ? lua_tonumber(w->L, -2) : 0;
        if (key < 1 || key > 1e8 || key != floor(key))
            return fail(w, "a table with both list items and named fields has no JSON form");
        if (key > *last)
            *last = (int)key;
    }
    if (*last > FEW_ITEMS && *last > 2 * count)
        return fail(w, "a list with large gaps has no JSON form; name its fields with strings");
    return true;
}

static bool write_array(struct writer *w, int index)
{
    int last;

    if (!measure_array(w, index, &last) || !put(w, "[", 1))
        return false;
    for (int i = 1; i <= last; i++) {
        if (i > 1 && !put(w, ",", 1))
            return false;
        lua_rawgeti(w->L, index, i);
        bool ok = write_value(w, lua_gettop(w->L));
        lua_pop(w->L, 1);
        if (!ok)
            return false;
    }
    return put(w, "]", 1);
}

static bool write_key(struct writer *w, int index)
{
    size_t bytes, at = 0;

    if (lua_type(w->L, index) != LUA_TSTRING)
        return fail(w, "a table with both list items and named fields has no JSON form");
    const char *key = lua_tolstring(w->L, index, &bytes);
    for (size_t length; at < bytes; at += length) {
        length = utf8_length(key + at, bytes - at);
        if (length == 0 || (w->strict && key[at] == '\0'))
            return fail(w, "a field's name is not UTF-8 text");
    }
    return write_string(w, index) && put(w, ":", 1);
}

/* The key that lua_next() wants first is on top. */
static bool write_object(struct writer *w, int index)
{
    bool first = true;

    if (!put(w, "{", 1))
        return false;
    for (lua_pushnil(w->L); lua_next(w->L, index); lua_pop(w->L, 1), first = false) {
        int value = lua_gettop(w->L);
        if ((!first && !put(w, ",", 1)) || !write_key(w, value - 1) || !write_value(w, value))
            return false;
    }
    return put(w, "}", 1);
}

static bool write_table(struct writer *w, int index)
{
    bool array = is_marked(w->L, index);

    if (w->depth >= JSON_MAX_DEPTH || !lua_checkstack(w->L, STACK_PER_LEVEL + LUA_MINSTACK))
        return fail(w, "a table is nested deeper than 64 levels, or holds itself");
    if (!array) {
        lua_pushnil(w->L);
        if (!lua_next(w->L, index))
            return put(w, "{}", 2);
        array = lua_type(w->L, -2) == LUA_TNUMBER;      /* list items come first */
        lua_pop(w->L, 2);
    }
    w->depth++;
    bool ok = array ? write_array(w, index) : write_object(w, index);
    w->depth--;
    return ok;
}

static bool write_value(struct writer *w, int index)
{
    switch (lua_type(w->L, index)) {
    case LUA_TNIL:           return put(w, "null", 4);
    case LUA_TLIGHTUSERDATA: return put(w, "null", 4);  /* there is but one */
    case LUA_TBOOLEAN:
        return lua_toboolean(w->L, index) ? put(w, "true", 4) : put(w, "false", 5);
    case LUA_TNUMBER:        return write_number(w, lua_tonumber(w->L, index));
    case LUA_TSTRING:        return write_string(w, index);
    case LUA_TTABLE:         return write_table(w, index);
    case LUA_TUSERDATA:      return write_integer(w, index);
    case LUA_TFUNCTION:      return fail(w, "a function cannot be written as JSON");
    default:                 return fail(w, "a value of this type cannot be written as JSON");
    }
}

const char *json_encode(lua_State *L, int index, struct buf *out, bool strict)
{
    struct writer w = { .L = L, .out = out, .strict = strict };
    int           top = lua_gettop(L);

    if (!lua_checkstack(L, STACK_PER_LEVEL + LUA_MINSTACK))
        return "out of memory";
    write_value(&w, index > 0 ? index : top + index + 1);
    lua_settop(L, top);
    return w.why;
}
