/* watchdog.h - tells an honest author which line was running when the time ran
 * out. It protects nobody: the engine does, by SIGKILL a moment later.
 *
 * A one-shot timer sends SIGALRM at the deadline; its handler arms a Lua hook,
 * and the hook raises an error. The timer is left running between calls and looks
 * at the present deadline when it fires, so that a call costs no system call. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes the timer; before the jail closes. */
void watchdog_prepare(void);

/* What a call may take, as soon as that is known. */
void watchdog_init(int64_t timeout_ms);

/* Lua code is going to run on L, with `left_us` of its time left. */
void watchdog_begin(lua_State *L, int64_t left_us);
void watchdog_end(void);

/* Whether it fired between _begin() and _end(), and where: a traceback. */
bool        watchdog_fired(void);
const char *watchdog_trace(void);

/* Ends the process when the engine has not done so before. */
void watchdog_exit_in(int seconds);
