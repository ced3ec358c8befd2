/* with_redis.h - for tests that need a real redis-server: starts one in a temp
 * folder. */
#pragma once

#include "with_loop.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_REDIS_ARGS = 40 };

/* ---- redis-server -------------------------------------------------------------- */

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
