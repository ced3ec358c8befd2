/* test_child.c - children: what they start with, and how their end is told. */
#include "unit.h"
#include "with_redis.h"

#include "io/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

/* ---- The child: this program again, which tells on fd 3 what it finds ------------- */

static int child_main(void)
{
    char     text[4096], cwd[256];
    int      n = 0;
    sigset_t blocked;
    struct sigaction pipe_action;

    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            n += snprintf(text + n, sizeof text - (size_t)n, "fd%d ", fd);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    sigaction(SIGPIPE, NULL, &pipe_action);
    n += snprintf(text + n, sizeof text - (size_t)n,
                  "blocked=%d ignored=%d leader=%d env=%s cwd=%s",
                  sigismember(&blocked, SIGUSR1), pipe_action.sa_handler == SIG_IGN,
                  getpgrp() == getpid(), getenv("TOLD") != NULL ? getenv("TOLD") : "none",
                  getcwd(cwd, sizeof cwd) != NULL ? cwd : "?");
    if (write(3, text, (size_t)n) < 0)
        return 1;
    return read(3, text, 1) == 0 ? 7 : 8;   /* until the other side closes */
}

/* ---- The test ------------------------------------------------------------------------ */

static uv_loop_t loop;
static struct child *child;
static int  exits, last_status;
static char report[4096];

static void on_exited(void *arg, int wait_status)
{
    (void)arg;
    exits++;
    last_status = wait_status;
}

static enum mh_err start(const struct child_spec *spec)
{
    exits = 0;
    last_status = -2;
    return child_start(&loop, spec, on_exited, NULL, &child);
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int  count = 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static bool has_children(void) { return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD; }

/* Starts this program as a child with the given wishes; its report is in `report`. */
static void run_reporter(struct child_spec spec)
{
    const char *argv[] = { "/proc/self/exe", "--child", NULL };
    int         pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);     /* leaks on purpose */
    spec.argv = argv;
    spec.fd3 = pair[1];
    uv_loop_init(&loop);
    assert_int_equal(start(&spec), MH_OK);
    close(pair[1]);
    ssize_t n = read(pair[0], report, sizeof report - 1);
    report[n > 0 ? n : 0] = '\0';
    close(pair[0]);
    RUN_UNTIL(&loop, exits > 0);
    assert_int_equal(last_status, 7 << 8);
    loop_end(&loop);
}

static void assert_reported(const char *text)
{
    if (strstr(report, text) == NULL)
        fail_msg("no \"%s\" in \"%s\"", text, report);
}

TEST(a_jailed_child_has_fd_3_and_nothing_else)
{
    run_reporter((struct child_spec){ .only_fd3 = true });
    assert_reported("fd3 blocked");
    assert_null(strstr(report, "fd0"));
    assert_null(strstr(report, "fd2"));
}

TEST(another_child_has_the_standard_three_and_fd_3)
{
    run_reporter((struct child_spec){ .keep_stderr = true });
    assert_reported("fd0 fd1 fd2 fd3 blocked");
}

TEST(blocked_and_ignored_signals_are_not_inherited)
{
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    signal(SIGPIPE, SIG_IGN);
    run_reporter((struct child_spec){ .keep_stderr = true });
    sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_reported("blocked=0 ignored=0");
}

TEST(a_child_may_lead_a_group_of_its_own)
{
    run_reporter((struct child_spec){ .own_group = true });
    assert_reported("leader=1");
    run_reporter((struct child_spec){ .own_group = false });
    assert_reported("leader=0");
}

TEST(environment_and_folder_can_be_chosen)
{
    const char *env[] = { "TOLD=yes", NULL };
    run_reporter((struct child_spec){ .env = env, .cwd = "/proc" });
    assert_reported("env=yes cwd=/proc");
    setenv("TOLD", "inherited", 1);
    run_reporter((struct child_spec){ .env = NULL });
    assert_reported("env=inherited");
    unsetenv("TOLD");
}

static const char *const sleeper[] = { "sleep", "1000", NULL };

TEST(the_end_by_a_signal_is_told_once_and_leaves_no_zombie)
{
    char text[CHILD_STATUS_BYTES];
    uv_loop_init(&loop);
    assert_int_equal(start(&(struct child_spec){ .argv = sleeper, .fd3 = -1 }), MH_OK);
    assert_true(child_pid(child) > 0);
    child_signal(child, SIGTERM);
    loop_end(&loop);
    assert_int_equal(exits, 1);
    assert_true(WIFSIGNALED(last_status));
    assert_string_equal(child_status_text(last_status, text), "signal 15");
    assert_false(has_children());
}

TEST(an_abandoned_child_is_killed_and_reaped_in_silence)
{
    uv_loop_init(&loop);
    assert_int_equal(start(&(struct child_spec){ .argv = sleeper, .fd3 = -1 }), MH_OK);
    child_abandon(child);
    loop_end(&loop);
    assert_int_equal(exits, 0);
    assert_false(has_children());
}

TEST(a_hundred_children_are_all_reaped_and_no_descriptor_is_left)
{
    const char *const quick[] = { "true", NULL };
    int               before = open_descriptors();
    uv_loop_init(&loop);
    exits = 0;
    for (int i = 0; i < 100; i++)
        assert_int_equal(child_start(&loop, &(struct child_spec){ .argv = quick, .fd3 = -1 },
                                     on_exited, NULL, &child), MH_OK);
    loop_end(&loop);
    assert_int_equal(exits, 100);
    assert_int_equal(last_status, 0);
    assert_false(has_children());
    assert_int_equal(open_descriptors(), before);
}

TEST(a_program_that_cannot_be_started_is_an_error_and_no_child)
{
    static const struct { const char *program; enum mh_err err; } bad[] = {
        { "/nonexistent/program", MH_NOT_FOUND }, { "no-such-program-in-path", MH_NOT_FOUND },
        { "/etc/passwd", MH_IO }, { "/tmp", MH_IO },
    };
    int before = open_descriptors();
    uv_loop_init(&loop);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const argv[] = { bad[i].program, NULL };
        assert_int_equal(start(&(struct child_spec){ .argv = argv, .fd3 = -1 }), bad[i].err);
    }
    loop_end(&loop);
    assert_int_equal(exits, 0);
    assert_false(has_children());
    assert_int_equal(open_descriptors(), before);
}

TEST(a_process_that_is_not_ours_can_be_watched)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    uv_loop_init(&loop);
    exits = 0;
    assert_int_equal(child_adopt(&loop, pid, on_exited, NULL, &child), MH_OK);
    child_signal(child, SIGKILL);
    loop_end(&loop);
    assert_int_equal(exits, 1);
    assert_int_equal(last_status, CHILD_STATUS_UNKNOWN);
    assert_int_equal(waitpid(pid, NULL, 0), pid);       /* nobody reaped it for us */
}

TEST(a_process_that_is_gone_cannot_be_adopted)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    uv_loop_init(&loop);
    assert_int_equal(child_adopt(&loop, pid, on_exited, NULL, &child), MH_NOT_FOUND);
    loop_end(&loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RUN(a_jailed_child_has_fd_3_and_nothing_else),
        RUN(another_child_has_the_standard_three_and_fd_3),
        RUN(blocked_and_ignored_signals_are_not_inherited),
        RUN(a_child_may_lead_a_group_of_its_own),
        RUN(environment_and_folder_can_be_chosen),
        RUN(the_end_by_a_signal_is_told_once_and_leaves_no_zombie),
        RUN(an_abandoned_child_is_killed_and_reaped_in_silence),
        RUN(a_hundred_children_are_all_reaped_and_no_descriptor_is_left),
        RUN(a_program_that_cannot_be_started_is_an_error_and_no_child),
        RUN(a_process_that_is_not_ours_can_be_watched),
        RUN(a_process_that_is_gone_cannot_be_adopted),
    };
    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return child_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
