/* json.h - JSON and Lua values, exactly: what is decoded and encoded again is the
 * same JSON value.
 *
 *   null              json.null, a value of its own (a nil would vanish)
 *   [] and {}         every decoded array is marked, json.array() marks others; an
 *                     unmarked empty table is {}
 *   64-bit integers   past 2^53, where a double would round, a value of its own that
 *                     prints as its digits
 *
 * Why not lua-cjson (2.1.0 in Debian): it loses the second and third of these,
 * writes invalid UTF-8 through, which the engine's parser rightly refuses, takes
 * memory outside the cap and ends the process when there is none, and has
 * CVE-2022-24834. */
#pragma once

#include "base/buf.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 64 };
#define JSON_INT64 "moonhook.json.integer"        /* the metatable's name in the registry */

/* Makes the marks and json.null's metatable. */
void json_open(lua_State *L);

/* Pushes the value of `text`. Raises a Lua error that names the byte. */
void json_decode(lua_State *L, const char *text, size_t bytes);

/* Appends the value at `index`. NULL, or a sentence why it cannot be written (static);
 * `out` then holds a part of it. Calls no metamethod. `strict`: no U+0000 in strings,
 * which the engine's parser refuses. May raise a memory error only. */
const char *json_encode(lua_State *L, int index, struct buf *out, bool strict);
extern const char json_too_large[];         /* the sentence when `out` is full */

/* Appends `text` in quotes, with U+FFFD in place of bytes that are no UTF-8 (and of
 * NUL where strict). */
MH_MUST_USE enum mh_err json_put_string(struct buf *out, const char *text, size_t bytes,
                                        bool strict);

void json_push_null(lua_State *L);
void json_push_array_mark(lua_State *L);    /* the metatable of marked arrays */

/* The integer at `index` if it is one of the values for 64-bit integers. */
bool json_is_int64(lua_State *L, int index, int64_t *out);
