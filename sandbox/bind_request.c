/* bind_request.c - the one way to ask the engine for something. A hook that asks is
 * suspended; calls.c sends the request and resumes the hook with the reply.
 * Heads and bodies of each kind of request stand in engine/proto/message.h. */
#include "bind.h"

#include "calls.h"
#include "host.h"
#include "json.h"

#include <lauxlib.h>

/* (head, body or nil) -> the reply's head and body, later; or nil, why, at once. */
static int request(lua_State *L)
{
    struct host *h = host_of(L);
    size_t       bytes = 0;
    const char  *why = NULL, *body = luaL_optlstring(L, 2, "", &bytes);

    luaL_checktype(L, 1, LUA_TTABLE);
    buf_reset(&h->head);
    buf_reset(&h->body);
    if (h->running == NULL)
        why = "only hooks can ask for something; the plugin is just being loaded";
    else {
        lua_pushnumber(L, h->running->id);
        lua_setfield(L, 1, "call");
        why = json_encode(L, 1, &h->head, true);
        if (why == NULL && buf_append(&h->body, body, bytes) != MH_OK)
            why = "the body is too large";
    }
    if (why != NULL) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    h->request_ready = true;
    lua_pushlightuserdata(L, h);
    return lua_yield(L, 1);
}

void bind_request(lua_State *L)
{
    lua_pushcfunction(L, request);
    lua_setfield(L, -2, "request");
    lua_pushlightuserdata(L, host_of(L));   /* what a request yields */
    lua_setfield(L, -2, "REQUEST");
}
