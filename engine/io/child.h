/* child.h - child processes: posix_spawn, and a pidfd on the loop that tells
 * when one ended. No SIGCHLD handler; every child is reaped exactly once. */
#pragma once

#include "io/loop.h"

struct child;

struct child_spec {
    const char *const *argv;                /* argv[0] is a path; NULL at the end */
    const char *const *env;                 /* NULL: the engine's own environment */
    int  fd3;                               /* becomes fd 3 of the child; -1 for none */
    bool keep_stderr;                       /* else /dev/null, as stdin and stdout always are */
    bool only_fd3;                          /* close even 0, 1 and 2: fd 3 is all it has */
    bool own_group;                         /* a process group of its own: ^C is not for it */
};

/* `exited` comes once, on the loop, with the wait status as waitpid() gives it;
 * the child is freed when it returns. MH_IO when the program cannot be started. */
MH_MUST_USE enum mh_err child_start(uv_loop_t *loop, const struct child_spec *spec,
                                    void (*exited)(void *arg, int wait_status), void *arg,
                                    struct child **out);

int  child_pid(const struct child *c);
void child_signal(struct child *c, int signal);
/* The owner no longer wants to hear of it: `exited` is not called. The child is
 * killed (SIGKILL) and reaped. */
void child_abandon(struct child *c);
