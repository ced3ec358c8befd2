/* watchdog.h - tells an honest author which line was running when the time ran
 * out. It protects nobody: the engine does, by SIGKILL a moment later.
 *
 * A one-shot timer sends SIGALRM when the time, or the CPU time, could be over; its
 * handler arms a Lua hook where it is, and the hook raises an error. The timer is left
 * running between calls and looks at the present deadlines when it fires, so that a
 * call sets none. */
#pragma once

#include "base/err.h"

#include <lua.h>
#include <stdint.h>

/* Makes the timer; before the jail closes. */
void watchdog_prepare(void);

/* What a call may take, as soon as that is known. */
void watchdog_init(int64_t timeout_ms, int64_t cpu_ms);

/* Lua code is going to run on L, with so much of its time and CPU time left. */
void watchdog_begin(lua_State *L, int64_t left_us, int64_t cpu_left_us);

/* Gives the CPU time used since the last _end(). */
int64_t watchdog_end(void);

/* MH_TIMEOUT or MH_CPU if it fired between _begin() and _end(), else MH_OK; and where:
 * a traceback. */
enum mh_err watchdog_fired(void);
const char *watchdog_trace(void);

/* Ends the process when the engine has not done so before. */
void watchdog_exit_in(int seconds);
