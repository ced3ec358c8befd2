/* watchdog.c - see watchdog.h.
 *
 * The handler may run between any two instructions, so the values that it shares with
 * the rest are written in an order that suits it: the deadlines before `running`, and
 * `armed_us` is looked at last. */
#include "watchdog.h"

#include "base/clock.h"
#include "trace.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EARLY_SHARE = 20, LEAST_EARLY_US = 5000, MOST_EARLY_US = 50000, US = 1000000 };

struct allowance { const char *name, *what; int64_t limit_ms, early_us; };

static struct allowance      wall = { .name = "timeout_ms", .what = "" };
static struct allowance      cpu = { .name = "cpu_ms", .what = " of CPU time" };
static timer_t               timer;
static int64_t               cpu_us;        /* used when the last call ended */
static volatile int64_t      deadline_us, cpu_deadline_us;
static volatile int64_t      armed_us;      /* 0 where it is not */
static lua_State *volatile   running;
static volatile sig_atomic_t over;          /* enum mh_err: what the handler found */
static volatile sig_atomic_t fired, leaving;
static char                  trace[TRACE_BYTES];

static void arm(int64_t at_us)
{
    struct itimerspec when = { .it_value = { .tv_sec = at_us / US, .tv_nsec = at_us % US * 1000 } };

    armed_us = at_us;
    timer_settime(timer, TIMER_ABSTIME, &when, NULL);
}

/* The nearest line that is the plugin's own: not the SDK's, not a library's. */
static bool find_line(lua_State *L, lua_Debug *ar)
{
    static const char sdk[] = "@moonhook/";

    for (int level = 0; lua_getstack(L, level, ar); level++) {
        lua_getinfo(L, "Sl", ar);
        if (ar->currentline > 0 && strncmp(ar->source, sdk, sizeof sdk - 1) != 0)
            return true;
    }
    return false;
}

/* Runs before every instruction from the deadline on: a pcall() in the plugin may
 * swallow the first error, but then the next instruction raises another. */
static void on_hook(lua_State *L, lua_Debug *ar)
{
    const struct allowance *a = over == MH_CPU ? &cpu : &wall;

    if (!fired) {
        fired = 1;
        trace_write(L, 0, trace, sizeof trace);
    }
    if (find_line(L, ar))
        lua_pushfstring(L, "%s:%d: ", ar->short_src, ar->currentline);
    else
        lua_pushliteral(L, "");
    lua_pushfstring(L, "the hook has used up its %d ms%s (limits.%s)", (int)a->limit_ms, a->what,
                    a->name);
    lua_concat(L, 2);
    lua_error(L);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static void interrupt(enum mh_err why)
{
    over = why;
    lua_sethook(running, on_hook, LUA_MASKCOUNT, 1);
}

static void on_alarm(int signal)
{
    (void)signal;
    if (leaving)
        _exit(0);
    armed_us = 0;
    if (running == NULL)
        return;
    int64_t now_us = clock_mono_us(), cpu_left_us = cpu_deadline_us - clock_cpu_us();
    if (now_us >= deadline_us)
        interrupt(MH_TIMEOUT);
    else if (cpu_left_us <= 0)
        interrupt(MH_CPU);
    else
        arm(earlier(deadline_us, now_us + cpu_left_us));
}

static void allow(struct allowance *a, int64_t limit_ms)
{
    a->limit_ms = limit_ms;
    a->early_us = earlier(limit_ms * 1000 / EARLY_SHARE, MOST_EARLY_US);
    if (a->early_us < LEAST_EARLY_US)
        a->early_us = LEAST_EARLY_US;
}

void watchdog_init(int64_t timeout_ms, int64_t cpu_ms)
{
    allow(&wall, timeout_ms);
    allow(&cpu, cpu_ms);
}

void watchdog_prepare(void)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    struct sigevent  event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

    sigaction(SIGALRM, &action, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
}

void watchdog_begin(lua_State *L, int64_t left_us, int64_t cpu_left_us)
{
    int64_t now_us = clock_mono_us();

    deadline_us = now_us + left_us - wall.early_us;
    cpu_deadline_us = cpu_us + cpu_left_us - cpu.early_us;
    running = L;
    int64_t look_us = earlier(deadline_us, now_us + cpu_left_us - cpu.early_us);
    if (armed_us == 0 || armed_us > look_us)
        arm(look_us);
}

int64_t watchdog_end(void)
{
    lua_State *L = running;
    int64_t    before_us = cpu_us;

    running = NULL;
    fired = 0;
    if (lua_gethook(L) != NULL)
        lua_sethook(L, NULL, 0, 0);
    cpu_us = clock_cpu_us();
    return cpu_us - before_us;
}

enum mh_err watchdog_fired(void) { return fired ? (enum mh_err)over : MH_OK; }
const char *watchdog_trace(void) { return trace; }

void watchdog_exit_in(int seconds)
{
    leaving = 1;
    arm(clock_mono_us() + (int64_t)seconds * US);
}
