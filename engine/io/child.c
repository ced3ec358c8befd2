/* child.c - see child.h. A pidfd names one process for ever, so nothing here can
 * hit a process that got a reused number. */
#include "io/child.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child {
    uv_poll_t poll;
    int       pidfd, pid;
    bool      ours;                         /* else adopted: init reaps it */
    bool      ended;
    void    (*exited)(void *arg, int wait_status);      /* NULL: abandoned */
    void     *arg;
    clockid_t cpu_clock;                    /* of a process that is ours */
};

/* ---- What the new process starts with ------------------------------------------ */

static int add_files(posix_spawn_file_actions_t *files, const struct child_spec *spec)
{
    int err = 0;

    if (spec->fd3 >= 0)                     /* first: it may be one of 0, 1 and 2 */
        err = posix_spawn_file_actions_adddup2(files, spec->fd3, 3);
    for (int fd = 0; fd <= 2 && err == 0; fd++) {
        if (spec->only_fd3)
            err = posix_spawn_file_actions_addclose(files, fd);
        else if (fd != STDERR_FILENO || !spec->keep_stderr)
            err = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
    }
    if (err == 0)
        err = posix_spawn_file_actions_addclosefrom_np(files, spec->fd3 >= 0 ? 4 : 3);
    if (err == 0 && spec->cwd != NULL)
        err = posix_spawn_file_actions_addchdir_np(files, spec->cwd);
    return err;
}

static int set_attributes(posix_spawnattr_t *attr, const struct child_spec *spec)
{
    short    flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    if (spec->own_group)
        flags |= POSIX_SPAWN_SETPGROUP;     /* of group 0: its own */
    int err = posix_spawnattr_setsigmask(attr, &none);
    if (err == 0)
        err = posix_spawnattr_setsigdefault(attr, &all);
    if (err == 0)
        err = posix_spawnattr_setflags(attr, flags);
    return err;
}

/* errno's numbers; *pid is set on 0. */
static int spawn(const struct child_spec *spec, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t          attr;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    int err = add_files(&files, spec);
    if (err == 0)
        err = set_attributes(&attr, spec);
    if (err == 0)
        err = posix_spawnp(pid, spec->argv[0], &files, &attr, (char *const *)spec->argv,
                           spec->env != NULL ? (char *const *)spec->env : environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

/* ---- Its end ---------------------------------------------------------------------- */

static void poll_closed(uv_handle_t *handle)
{
    struct child *c = container_of((uv_poll_t *)handle, struct child, poll);

    close(c->pidfd);
    free(c);
}

static void on_exit_poll(uv_poll_t *poll, int status, int events)
{
    struct child *c = container_of(poll, struct child, poll);
    int wait_status = CHILD_STATUS_UNKNOWN;

    (void)status, (void)events;
    /* The pid is the right one: nobody else reaps our child, so it is still taken. */
    if (c->ours && waitpid(c->pid, &wait_status, WNOHANG) == 0)
        return;
    c->ended = true;
    uv_poll_stop(poll);
    if (c->exited != NULL)
        c->exited(c->arg, wait_status);
    uv_close((uv_handle_t *)poll, poll_closed);
}

/* Takes `pidfd`. */
static struct child *watch(uv_loop_t *loop, int pid, int pidfd, bool ours)
{
    struct child *c = mem_alloc(sizeof *c);

    c->pid = pid;
    c->pidfd = pidfd;
    c->ours = ours;
    if (uv_poll_init(loop, &c->poll, pidfd) != 0) {
        close(pidfd);
        free(c);
        return NULL;
    }
    uv_poll_start(&c->poll, UV_READABLE, on_exit_poll);
    return c;
}

/* ---- Interface ---------------------------------------------------------------------- */

static enum mh_err not_started(const struct child_spec *spec, int err)
{
    char quoted[256];

    LOG_ERROR("child_not_started", "program=%s why=\"%s\"",
              log_quote(spec->argv[0], quoted, sizeof quoted), strerror(err));
    return err == ENOENT ? MH_NOT_FOUND : MH_IO;
}

enum mh_err child_start(uv_loop_t *loop, const struct child_spec *spec,
                        void (*exited)(void *arg, int wait_status), void *arg, struct child **out)
{
    pid_t pid = 0;
    int   err = spawn(spec, &pid);

    if (err != 0)
        return not_started(spec, err);
    int pidfd = pidfd_open(pid, 0);
    struct child *c = pidfd >= 0 ? watch(loop, pid, pidfd, true) : NULL;
    if (c == NULL) {                        /* no descriptors left: it must not live unwatched */
        err = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return not_started(spec, err);
    }
    clock_getcpuclockid(pid, &c->cpu_clock);
    c->exited = exited;
    c->arg = arg;
    *out = c;
    return MH_OK;
}

enum mh_err child_adopt(uv_loop_t *loop, int pid, void (*exited)(void *arg, int wait_status),
                        void *arg, struct child **out)
{
    int pidfd = pidfd_open(pid, 0);

    if (pidfd < 0)
        return errno == ESRCH ? MH_NOT_FOUND : MH_IO;
    struct child *c = watch(loop, pid, pidfd, false);
    if (c == NULL)
        return MH_IO;
    c->exited = exited;
    c->arg = arg;
    *out = c;
    return MH_OK;
}

const char *child_status_text(int wait_status, char out[CHILD_STATUS_BYTES])
{
    if (wait_status == CHILD_STATUS_UNKNOWN)
        snprintf(out, CHILD_STATUS_BYTES, "unknown");
    else if (WIFSIGNALED(wait_status))
        snprintf(out, CHILD_STATUS_BYTES, "signal %d", WTERMSIG(wait_status));
    else
        snprintf(out, CHILD_STATUS_BYTES, "exit %d", WEXITSTATUS(wait_status));
    return out;
}

int child_kernel_says(const struct child *c, const char *field)
{
    char   path[32], line[128];
    size_t letters = strlen(field);
    int    number = -1;

    snprintf(path, sizeof path, "/proc/%d/status", c->pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && number < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, letters) == 0 && line[letters] == ':')
            number = atoi(line + letters + 1);
    if (file != NULL)
        fclose(file);
    return number;
}

int child_pid(const struct child *c) { return c->pid; }

int64_t child_cpu_us(const struct child *c)
{
    struct timespec used;

    if (c->ended || clock_gettime(c->cpu_clock, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

void child_signal(struct child *c, int signal)
{
    if (!c->ended)
        pidfd_send_signal(c->pidfd, signal, NULL, 0);
}

void child_abandon(struct child *c)
{
    c->exited = NULL;
    child_signal(c, SIGKILL);
}
