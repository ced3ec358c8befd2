/* fuzz_json.c - the sandbox's JSON, which reads what services answer and writes what
 * the engine will parse.
 *
 * Invariants: what was read can be written and read again, to the same bytes but for
 * the order of fields; and whatever is written strictly, the engine's parser takes. */
#include "json.h"

#include <jansson.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

struct input { const char *text; size_t bytes; };

static int decode(lua_State *L)
{
    struct input *in = lua_touserdata(L, 1);
    json_decode(L, in->text, in->bytes);
    return 1;
}

/* Leaves the value on the stack. */
static bool read_value(lua_State *L, const char *text, size_t bytes)
{
    struct input in = { text, bytes };

    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, &in);
    return lua_pcall(L, 1, 1, 0) == 0;
}

static void count(const struct buf *b, unsigned counts[256])
{
    for (size_t i = 0; i < b->len; i++)
        counts[(unsigned char)b->data[i]]++;
}

static void try_again(lua_State *L, const struct buf *first)
{
    unsigned   before[256] = { 0 }, after[256] = { 0 };
    struct buf second;

    buf_init(&second, 1 << 24);
    INVARIANT(read_value(L, first->data, first->len));
    INVARIANT(json_encode(L, -1, &second, false) == NULL);
    count(first, before);
    count(&second, after);
    INVARIANT(memcmp(before, after, sizeof before) == 0);
    buf_deinit(&second);
}

static void try_strict(lua_State *L)
{
    struct buf   out;
    json_error_t error;

    buf_init(&out, 1 << 24);
    if (json_encode(L, 1, &out, true) == NULL) {
        json_t *parsed = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                                    &error);
        INVARIANT(parsed != NULL);
        json_decref(parsed);
    }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = luaL_newstate();
    struct buf out;

    json_open(L);
    lua_settop(L, 0);
    buf_init(&out, 1 << 24);
    if (read_value(L, (const char *)data, size)) {
        try_strict(L);
        if (json_encode(L, 1, &out, false) == NULL)
            try_again(L, &out);
    }
    buf_deinit(&out);
    lua_close(L);
    return 0;
}
