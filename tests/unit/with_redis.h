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
    int   port;                             /* that nobody else takes */
    pid_t pid;
};

/* A socket that has the port, on loopback; -1 where somebody else has it. */
static inline int bound_socket(int type, int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Below the ports that the kernel gives out by itself (32768 and more), and this process's until
 * it ends: it holds the UDP port of the same number. As tests/integration/lib/port.mjs does. */
static inline int free_port(void)
{
    enum { FIRST = 24768, COUNT = 8000 };
    static unsigned next;

    for (int tried = 0; tried < COUNT; tried++) {
        int port = FIRST + (int)(((unsigned)getpid() * 37 + next++) % COUNT);
        int listener = bound_socket(SOCK_DGRAM, port) >= 0 ? bound_socket(SOCK_STREAM, port) : -1;
        if (listener >= 0) {
            close(listener);
            return port;
        }
    }
    fail_msg("no free port");
    return -1;
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
