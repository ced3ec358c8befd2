/* modules.c - see modules.h. */
#include "modules.h"

#include "base/embed.h"
#include "base/util.h"
#include "host.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOADED "moonhook.loaded"            /* registry: module name to its value */
#define NATIVE "moonhook.native"            /* registry: the table of C functions */
#define BOOT   "boot.lua"

static const char sdk_prefix[] = "moonhook.";

void modules_init(struct modules *m) { *m = (struct modules){ 0 }; }

enum mh_err modules_add(struct modules *m, const char *name, const char *text, size_t bytes)
{
    if (name[0] == '\0' || strlen(name) >= MODULES_NAME_BYTES)
        return MH_INVALID;
    if (m->count == MODULES_MAX_FILES || bytes > MODULES_MAX_BYTES - m->total_bytes)
        return MH_TOO_LARGE;
    struct source *grown = realloc(m->files, (m->count + 1) * sizeof *grown);
    if (grown == NULL)
        return MH_NOMEM;
    m->files = grown;
    struct source *file = &m->files[m->count];
    file->text = malloc(bytes + 1);
    if (file->text == NULL)
        return MH_NOMEM;
    snprintf(file->name, sizeof file->name, "%s", name);
    memcpy(file->text, text, bytes);
    file->bytes = bytes;
    m->total_bytes += bytes;
    m->count++;
    return MH_OK;
}

/* ---- Compiling ------------------------------------------------------------------------ */

/* Source text only: a chunk of bytecode could do anything to the VM. */
static enum mh_err compile(lua_State *L, const char *text, size_t bytes, const char *shown)
{
    char chunk[MODULES_NAME_BYTES + 16];

    snprintf(chunk, sizeof chunk, "@%s", shown);
    return luaL_loadbufferx(L, text, bytes, chunk, "t") == 0 ? MH_OK : MH_PLUGIN;
}

enum mh_err modules_compile(const struct modules *m, lua_State *L, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return compile(L, m->files[i].text, m->files[i].bytes, name);
    return MH_NOT_FOUND;
}

static enum mh_err compile_sdk(lua_State *L, const char *file)
{
    char shown[MODULES_NAME_BYTES];

    snprintf(shown, sizeof shown, "moonhook/%s", file);
    for (const struct embedded *e = embedded_sdk; e->name != NULL; e++)
        if (strcmp(e->name, file) == 0)
            return compile(L, e->text, (size_t)(e->end - e->text), shown);
    return MH_NOT_FOUND;
}

/* ---- require -------------------------------------------------------------------------- */

static const char *const suffixes[] = { ".lua", "/init.lua" };

/* "lib.util" as "lib/util.lua". Names that are too long find nothing. */
static void file_name(const char *module, const char *suffix, char out[MODULES_NAME_BYTES])
{
    int written = snprintf(out, MODULES_NAME_BYTES, "%s", module);

    for (char *dot = out; (dot = strchr(dot, '.')) != NULL;)
        *dot = '/';
    if (written < MODULES_NAME_BYTES)
        snprintf(out + written, (size_t)(MODULES_NAME_BYTES - written), "%s", suffix);
}

static enum mh_err find(lua_State *L, const char *module)
{
    char        file[MODULES_NAME_BYTES];
    enum mh_err err = MH_NOT_FOUND;

    if (strncmp(module, sdk_prefix, sizeof sdk_prefix - 1) == 0) {
        file_name(module + sizeof sdk_prefix - 1, suffixes[0], file);
        return strcmp(file, BOOT) == 0 ? MH_NOT_FOUND : compile_sdk(L, file);
    }
    for (size_t i = 0; err == MH_NOT_FOUND && i < ARRAY_LEN(suffixes); i++) {
        file_name(module, suffixes[i], file);
        err = modules_compile(&host_of(L)->modules, L, file);
    }
    return err;
}

static void remember(lua_State *L)         /* pops the module's value */
{
    lua_pushvalue(L, 1);
    lua_insert(L, -2);
    lua_rawset(L, 2);
}

/* Stack: name, the table of loaded modules, the compiled file. Leaves its value. In
 * the table, false says that it is under way. */
static void run(lua_State *L, bool sdk)
{
    lua_pushboolean(L, 0);
    remember(L);
    lua_pushvalue(L, 1);
    if (sdk)
        lua_getfield(L, LUA_REGISTRYINDEX, NATIVE);
    if (lua_pcall(L, sdk ? 2 : 1, 1, 0) != 0) {
        lua_pushnil(L);
        remember(L);
        lua_error(L);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
}

static int require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LOADED);
    lua_pushvalue(L, 1);
    lua_rawget(L, 2);
    if (lua_toboolean(L, -1))
        return 1;
    if (lua_isboolean(L, -1))
        return luaL_error(L, "module '%s' requires itself", name);
    lua_pop(L, 1);
    switch (find(L, name)) {
    case MH_OK:        break;
    case MH_NOT_FOUND: return luaL_error(L, "there is no module '%s' in moonhook or in the plugin",
                                         name);
    default:           return lua_error(L);
    }
    run(L, strncmp(name, sdk_prefix, sizeof sdk_prefix - 1) == 0);
    lua_pushvalue(L, -1);
    remember(L);
    return 1;
}

void modules_open(lua_State *L)
{
    lua_setfield(L, LUA_REGISTRYINDEX, NATIVE);
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LOADED);
    lua_register(L, "require", require);
}

void modules_boot(lua_State *L, const char *name)
{
    if (compile_sdk(L, name) != MH_OK)
        lua_error(L);
    lua_pushstring(L, name);
    lua_getfield(L, LUA_REGISTRYINDEX, NATIVE);
    lua_call(L, 2, 0);
}
