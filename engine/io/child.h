/* child.h - child processes: posix_spawn, and a pidfd on the loop that tells
 * when one ended. No SIGCHLD handler; every child is reaped exactly once. */
#pragma once

#include "io/loop.h"

struct child;

struct child_spec {
    const char *const *argv;                /* NULL at the end; argv[0] is looked up in the
                                             * engine's PATH if it has no slash */
    const char *const *env;                 /* NULL: the engine's own environment */
    const char *cwd;                        /* NULL: the engine's own */
    int  fd3;                               /* becomes fd 3 of the child; -1 for none */
    bool keep_stderr;                       /* else /dev/null, as stdin and stdout always are */
    bool only_fd3;                          /* close even 0, 1 and 2: fd 3 is all it has */
    bool own_group;                         /* a process group of its own: ^C is not for it */
};

/* No other descriptor is inherited; signals are at their defaults, none blocked.
 * `exited` comes once, on the loop, with the wait status as waitpid() gives it;
 * the child is freed when it returns. MH_NOT_FOUND: there is no such program (or
 * cwd); MH_IO when it cannot be started. The log says why. */
MH_MUST_USE enum mh_err child_start(uv_loop_t *loop, const struct child_spec *spec,
                                    void (*exited)(void *arg, int wait_status), void *arg,
                                    struct child **out);

/* Watches a process that is not our child. Its wait status is unknown: `exited`
 * gets CHILD_STATUS_UNKNOWN. MH_NOT_FOUND: there is no such process. */
enum { CHILD_STATUS_UNKNOWN = -1 };
MH_MUST_USE enum mh_err child_adopt(uv_loop_t *loop, int pid,
                                    void (*exited)(void *arg, int wait_status), void *arg,
                                    struct child **out);

/* "exit 1", "signal 9" or "unknown", for a log line. */
enum { CHILD_STATUS_BYTES = 24 };
const char *child_status_text(int wait_status, char out[CHILD_STATUS_BYTES]);

/* The number behind `field` of /proc/PID/status; -1 where the kernel does not tell. */
int  child_kernel_says(const struct child *c, const char *field);

int  child_pid(const struct child *c);

/* CPU time of the process that was started so far, user and system; 0 once it has ended. */
int64_t child_cpu_us(const struct child *c);
void child_signal(struct child *c, int signal);
/* The owner no longer wants to hear of it: `exited` is not called. The child is
 * killed (SIGKILL) and reaped. */
void child_abandon(struct child *c);
