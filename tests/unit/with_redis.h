/* with_redis.h - for tests that need a real redis-server: starts one in a temp
 * folder, and runs the loop until something happened. */
#pragma once

#include "io/loop.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, MAX_REDIS_ARGS = 40 };

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

static inline void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- The loop: a test that waits in vain fails instead of hanging ------------------ */

static inline void out_of_patience(uv_timer_t *timer) { *(bool *)timer->data = true; }

#define RUN_UNTIL(loop, condition)                                                                 \
    do {                                                                                           \
        bool       late_ = false;                                                                  \
        uv_timer_t timer_;                                                                         \
        uv_timer_init(loop, &timer_);                                                              \
        timer_.data = &late_;                                                                      \
        uv_timer_start(&timer_, out_of_patience, PATIENCE_MS, 0);                                  \
        while (!(condition) && !late_)                                                             \
            uv_run(loop, UV_RUN_ONCE);                                                             \
        uv_close((uv_handle_t *)&timer_, NULL);                                                    \
        uv_run(loop, UV_RUN_NOWAIT);                                                               \
        if (late_)                                                                                 \
            fail_msg("waited in vain for: %s", #condition);                                        \
    } while (0)

/* Whatever was closed is freed by now; nothing may be left open. */
static inline void loop_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* ---- redis-server -------------------------------------------------------------------- */

struct test_redis {
    char  dir[64];
    char  url[128];                         /* "unix:..." */
    int   port;                             /* that was free a moment ago */
    pid_t pid;
};

static inline int free_port(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&any, bytes), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &bytes), 0);
    close(fd);
    return ntohs(any.sin_port);
}

static inline void test_redis_prepare(struct test_redis *t)
{
    snprintf(t->dir, sizeof t->dir, "/tmp/mh-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->url, sizeof t->url, "unix:%s/redis.sock", t->dir);
    t->port = free_port();
    t->pid = 0;
}

/* `more`: further arguments, NULL at the end; may be NULL. */
static inline void test_redis_run(struct test_redis *t, const char *const *more)
{
    const char *argv[MAX_REDIS_ARGS] = { "redis-server", "--port", "0", "--unixsocket",
        "redis.sock", "--save", "", "--appendonly", "no", "--dir", t->dir, "--logfile",
        "redis.log" };
    int n = 13;

    for (; more != NULL && *more != NULL; more++)
        argv[n++] = *more;
    t->pid = fork();
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
}

static inline void test_redis_start(struct test_redis *t)
{
    test_redis_prepare(t);
    test_redis_run(t, NULL);
}

static inline void test_redis_kill(struct test_redis *t)
{
    if (t->pid > 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
    t->pid = 0;
}

static inline void test_redis_end(struct test_redis *t)
{
    test_redis_kill(t);
    remove_tree(t->dir);
}
