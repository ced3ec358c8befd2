/* json_decode.c - a strict recursive-descent reader of RFC 8259; see json.h. It
 * raises Lua errors, so it runs where they are caught, and owns no memory but
 * Lua's. */
#include "json.h"

#include "base/utf8.h"

#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_EXACT 9007199254740992.0       /* 2^53 */

enum { NUMBER_BYTES = 400, EXACT_DIGITS = 15, STACK_PER_LEVEL = 4 };

struct reader {
    lua_State  *L;
    const char *start, *at, *end;
    int         array_mark;                 /* stack index */
    int         depth;
};

static void read_value(struct reader *r);

_Noreturn static void fail(const struct reader *r, const char *what)
{
    luaL_error(r->L, "invalid JSON at byte %d: %s", (int)(r->at - r->start) + 1, what);
    abort();
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static char peek(const struct reader *r) { return r->at < r->end ? *r->at : '\0'; }

static bool take(struct reader *r, char c)
{
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* ---- Numbers ------------------------------------------------------------------------ */

static size_t skip_digits(struct reader *r)
{
    const char *first = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - first);
}

/* As a double where that is exact or nothing better is at hand, else as its digits. */
static void push_long(struct reader *r, const char *digits)
{
    errno = 0;
    int64_t value = strtoll(digits, NULL, 10);
    bool    fits = errno == 0;
    double  near = strtod(digits, NULL);

    if (!fits || (fabs(near) <= MOST_EXACT && (int64_t)near == value)) {
        lua_pushnumber(r->L, near);
        return;
    }
    *(int64_t *)lua_newuserdata(r->L, sizeof value) = value;
    luaL_getmetatable(r->L, JSON_INT64);
    lua_setmetatable(r->L, -2);
}

static void push_number(struct reader *r, const char *first, bool whole)
{
    char   text[NUMBER_BYTES];
    size_t bytes = (size_t)(r->at - first);

    if (bytes >= sizeof text)
        fail(r, "a number that is too long");
    memcpy(text, first, bytes);
    text[bytes] = '\0';
    if (whole)
        push_long(r, text);
    else
        lua_pushnumber(r->L, strtod(text, NULL));
}

static void read_number(struct reader *r)
{
    const char *first = r->at;
    bool        whole = true;

    take(r, '-');
    const char *digits = r->at;
    size_t      count = skip_digits(r);
    if (count == 0 || (*digits == '0' && count > 1))
        fail(r, "a number was expected");
    if (take(r, '.')) {
        whole = false;
        if (skip_digits(r) == 0)
            fail(r, "digits must follow the point");
    }
    if (take(r, 'e') || take(r, 'E')) {
        whole = false;
        if (!take(r, '+'))
            take(r, '-');
        if (skip_digits(r) == 0)
            fail(r, "digits must follow the exponent");
    }
    if (!whole || count > EXACT_DIGITS || (*first == '-' && *digits == '0')) {
        push_number(r, first, whole && *digits != '0');
        return;
    }
    int64_t value = 0;
    for (; digits < r->at; digits++)
        value = value * 10 + (*digits - '0');
    lua_pushnumber(r->L, (double)(*first == '-' ? -value : value));
}

/* ---- Strings ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t read_hex4(struct reader *r)
{
    uint32_t code = 0;

    for (int i = 0; i < 4; i++, r->at++) {
        int digit = hex_digit(peek(r));
        if (digit < 0)
            fail(r, "four hexadecimal digits were expected");
        code = code << 4 | (uint32_t)digit;
    }
    return code;
}

/* Behind "\u". A surrogate without its other half becomes U+FFFD. */
static size_t read_code(struct reader *r, char out[4])
{
    uint32_t code = read_hex4(r);

    if (code >= 0xd800 && code <= 0xdbff && r->end - r->at >= 6 && memcmp(r->at, "\\u", 2) == 0) {
        const char *before = r->at;
        r->at += 2;
        uint32_t low = read_hex4(r);
        if (low >= 0xdc00 && low <= 0xdfff)
            return utf8_put(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
        r->at = before;
    }
    return utf8_put(code, out);
}

static void read_escape(struct reader *r, luaL_Buffer *text)
{
    static const char names[] = "\"\\/bfnrtu", values[] = "\"\\/\b\f\n\r\t";
    const char       *name = peek(r) ? strchr(names, peek(r)) : NULL;
    char              utf8[4];

    if (name == NULL)
        fail(r, "an escape that JSON does not have");
    r->at++;
    if (*name == 'u')
        luaL_addlstring(text, utf8, read_code(r, utf8));
    else
        luaL_addchar(text, values[name - names]);
}

/* The first byte that ends a run of plain characters. */
static const char *end_of_run(const struct reader *r)
{
    const char *at = r->at;
    while (at < r->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static void read_escaped(struct reader *r)
{
    luaL_Buffer text;

    luaL_buffinit(r->L, &text);
    while (!take(r, '"')) {
        const char *stop = end_of_run(r);
        luaL_addlstring(&text, r->at, (size_t)(stop - r->at));
        r->at = stop;
        if (take(r, '\\'))
            read_escape(r, &text);
        else if (peek(r) != '"')
            fail(r, "a string does not end");
    }
    luaL_pushresult(&text);
}

static void read_string(struct reader *r)
{
    if (!take(r, '"'))
        fail(r, "a string was expected");
    const char *stop = end_of_run(r);
    if (stop < r->end && *stop == '"') {
        lua_pushlstring(r->L, r->at, (size_t)(stop - r->at));
        r->at = stop + 1;
        return;
    }
    read_escaped(r);
}

/* ---- Arrays and objects --------------------------------------------------------------- */

static void enter(struct reader *r)
{
    if (++r->depth > JSON_MAX_DEPTH)
        fail(r, "too deep");
    luaL_checkstack(r->L, STACK_PER_LEVEL + LUA_MINSTACK, "too deep");
    r->at++;
    skip_blanks(r);
}

static void read_array(struct reader *r)
{
    enter(r);
    lua_newtable(r->L);
    lua_pushvalue(r->L, r->array_mark);
    lua_setmetatable(r->L, -2);
    if (!take(r, ']')) {
        for (int i = 1;; i++) {
            read_value(r);
            lua_rawseti(r->L, -2, i);
            skip_blanks(r);
            if (take(r, ']'))
                break;
            if (!take(r, ','))
                fail(r, "',' or ']' was expected");
        }
    }
    r->depth--;
}

static void read_object(struct reader *r)
{
    enter(r);
    lua_createtable(r->L, 0, 4);
    if (!take(r, '}')) {
        for (;;) {
            skip_blanks(r);
            read_string(r);
            skip_blanks(r);
            if (!take(r, ':'))
                fail(r, "':' was expected");
            read_value(r);
            lua_rawset(r->L, -3);
            skip_blanks(r);
            if (take(r, '}'))
                break;
            if (!take(r, ','))
                fail(r, "',' or '}' was expected");
        }
    }
    r->depth--;
}

static void read_word(struct reader *r, const char *word)
{
    size_t bytes = strlen(word);

    if ((size_t)(r->end - r->at) < bytes || memcmp(r->at, word, bytes) != 0)
        fail(r, "a value was expected");
    r->at += bytes;
}

static void read_value(struct reader *r)
{
    skip_blanks(r);
    switch (peek(r)) {
    case '{': read_object(r); break;
    case '[': read_array(r); break;
    case '"': read_string(r); break;
    case 't': read_word(r, "true");  lua_pushboolean(r->L, 1); break;
    case 'f': read_word(r, "false"); lua_pushboolean(r->L, 0); break;
    case 'n': read_word(r, "null");  json_push_null(r->L); break;
    default:  read_number(r); break;
    }
}

void json_decode(lua_State *L, const char *text, size_t bytes)
{
    struct reader r = { .L = L, .start = text, .at = text, .end = text + bytes };

    json_push_array_mark(L);
    r.array_mark = lua_gettop(L);
    read_value(&r);
    skip_blanks(&r);
    if (r.at < r.end)
        fail(&r, "more than one value");
    lua_remove(L, r.array_mark);
}
