/* modules.h - the source files of the plugin, and `require`, which finds them and
 * the SDK, and nothing else.
 *
 * "moonhook.http" is the SDK's http.lua; "lib.util" is the plugin's lib/util.lua.
 * An SDK file gets the table of C functions as its second argument; plugins never
 * see that table. */
#pragma once

#include "base/buf.h"

#include <lua.h>
#include <stddef.h>

enum { MODULES_MAX_FILES = 256, MODULES_NAME_BYTES = 128,
       MODULES_MAX_BYTES = 16 * 1024 * 1024 };

struct modules {
    struct source { char name[MODULES_NAME_BYTES]; char *text; size_t bytes; } *files;
    size_t count, total_bytes;
};

void modules_init(struct modules *m);

/* Copies. MH_INVALID for a name that is empty or too long, MH_TOO_LARGE, MH_NOMEM. */
MH_MUST_USE enum mh_err modules_add(struct modules *m, const char *name, const char *text,
                                    size_t bytes);

/* Pushes the compiled file; MH_NOT_FOUND pushes nothing, MH_PLUGIN pushes the message
 * of its syntax error. */
MH_MUST_USE enum mh_err modules_compile(const struct modules *m, lua_State *L, const char *name);

/* Sets the global `require`. The table of C functions is on top, and is popped. */
void modules_open(lua_State *L);

/* Runs an SDK file that is not for `require`. */
void modules_boot(lua_State *L, const char *name);
