/* jail.c - see jail.h.
 *
 * Measured here, medians: user, IPC and mount namespace in one unshare() 0.1 ms,
 * Landlock 0.03 ms, the filter 0.15 ms, the others nothing to speak of. A process
 * namespace would hold only children, which RLIMIT_NPROC and the filter refuse. */
#include "jail.h"

#include "link.h"
#include "base/util.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    OUTSIDE_HEAP_BYTES = 64 * MH_MIB,       /* libraries, stack, frames both ways */
    STACK_BYTES        = 8 * MH_MIB,        /* Lua reports recursion before, but in gsub */
    STATUS_UNSEALED    = 70,
#ifdef MH_SANITIZE
    LAST_CLOSED_FD     = 1,                 /* the sanitizers report on 2 */
#else
    LAST_CLOSED_FD     = 2,
#endif
};

static const char *active[JAIL_MAX_LAYERS + 1];
static size_t      active_count;

static bool close_descriptors(size_t memory_bytes)
{
    (void)memory_bytes;
    return close_range(0, LAST_CLOSED_FD, 0) == 0 && close_range(LINK_FD + 1, ~0u, 0) == 0;
}

static bool limit(int resource, size_t value)
{
    struct rlimit both = { value, value };
    return setrlimit((__rlimit_resource_t)resource, &both) == 0;
}

static bool set_limits(size_t memory_bytes)
{
    bool ok = limit(RLIMIT_NOFILE, LINK_FD + 1) && limit(RLIMIT_NPROC, 0) &&
              limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0);
#ifdef MH_SANITIZE                          /* its shadow is terabytes */
    (void)memory_bytes;
    return ok;
#else
    return ok && limit(RLIMIT_STACK, STACK_BYTES) &&
           limit(RLIMIT_AS, memory_bytes + OUTSIDE_HEAP_BYTES);
#endif
}

/* A ruleset that handles every right of the first Landlock and allows none. */
static bool restrict_files(size_t memory_bytes)
{
    struct landlock_ruleset_attr none = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1,
    };
    (void)memory_bytes;
    int fd = (int)syscall(SYS_landlock_create_ruleset, &none, sizeof none, 0);

    if (fd < 0)
        return false;
    bool ok = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close(fd);
    return ok;
}

static bool leave_namespaces(size_t memory_bytes)
{
    (void)memory_bytes;
    return unshare(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNS) == 0;
}

static bool refuse_new_privileges(size_t memory_bytes)
{
    (void)memory_bytes;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool refuse_inspection(size_t memory_bytes)
{
    (void)memory_bytes;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* The signal comes when the parent's thread ends. A parent that ended before it was
 * asked for leaves an orphan, which goes at once; EOF on the socket tells the rest. */
static bool die_with_parent(size_t memory_bytes)
{
    struct ucred maker;
    socklen_t    size = sizeof maker;
    (void)memory_bytes;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return false;
    if (getsockopt(LINK_FD, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 && getppid() == 1 &&
        maker.pid > 1)
        _exit(STATUS_UNSEALED);
    return true;
}

/* Order matters: unshare() clears dumpable and the parent's signal, so these come
 * after it; Landlock is refused without no_new_privs, so that comes before. */
static const struct layer {
    const char *name;
    bool      (*hold)(size_t memory_bytes);
    bool        must;
} layers[] = {
    { "descriptors",  close_descriptors,     true  },
    { "rlimits",      set_limits,            true  },
    { "namespaces",   leave_namespaces,      false },
    { "no_new_privs", refuse_new_privileges, true  },
    { "landlock",     restrict_files,        false },
    { "undumpable",   refuse_inspection,     true  },
    { "parent_death", die_with_parent,       true  },
};

static void note(const char *name, bool holds, bool must)
{
    if (holds && active_count < JAIL_MAX_LAYERS)
        active[active_count++] = name;
    if (!holds && must)
        _exit(STATUS_UNSEALED);
}

void jail_enter(size_t memory_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(layers); i++)
        note(layers[i].name, layers[i].hold(memory_bytes), layers[i].must);
}

/* ---- The filter -------------------------------------------------------------------- */

/* What a process needs that computes, reads and writes one socket. Where `argument`
 * is not -1, that argument must be `value` under `mask`. */
struct permit {
    int      call, argument;
    uint64_t mask, value;
};

static const struct permit permits[] = {
    { SCMP_SYS(read),          0, UINT32_MAX, LINK_FD },
    { SCMP_SYS(write),         0, UINT32_MAX, LINK_FD },
    { SCMP_SYS(brk),          -1, 0, 0 },
    { SCMP_SYS(munmap),       -1, 0, 0 },
    { SCMP_SYS(mremap),       -1, 0, 0 },
    { SCMP_SYS(madvise),      -1, 0, 0 },
    { SCMP_SYS(clock_gettime), -1, 0, 0 },  /* CPU time for os.clock(); else in the vDSO */
    { SCMP_SYS(timer_settime), -1, 0, 0 },  /* the watchdog */
    { SCMP_SYS(rt_sigreturn), -1, 0, 0 },
    { SCMP_SYS(exit_group),   -1, 0, 0 },
    { SCMP_SYS(futex),         1, UINT32_MAX, FUTEX_WAKE_PRIVATE },     /* pthread_once() */
};
static const struct permit without_jit[] = {
    { SCMP_SYS(mmap),     2, PROT_EXEC, 0 },
    { SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
};
static const struct permit with_jit[] = {
    { SCMP_SYS(mmap),     -1, 0, 0 },
    { SCMP_SYS(mprotect), -1, 0, 0 },
};
#ifdef MH_SANITIZE                          /* reports, unwinding, and their threads' locks */
static const struct permit for_sanitizers[] = {
    { SCMP_SYS(write), -1, 0, 0 },      { SCMP_SYS(read), -1, 0, 0 },
    { SCMP_SYS(mmap), -1, 0, 0 },       { SCMP_SYS(mprotect), -1, 0, 0 },
    { SCMP_SYS(futex), -1, 0, 0 },      { SCMP_SYS(sigaltstack), -1, 0, 0 },
    { SCMP_SYS(getpid), -1, 0, 0 },     { SCMP_SYS(gettid), -1, 0, 0 },
    { SCMP_SYS(openat), -1, 0, 0 },     { SCMP_SYS(close), -1, 0, 0 },
    { SCMP_SYS(readlink), -1, 0, 0 },   { SCMP_SYS(newfstatat), -1, 0, 0 },
    { SCMP_SYS(lseek), -1, 0, 0 },      { SCMP_SYS(rt_sigprocmask), -1, 0, 0 },
    { SCMP_SYS(rt_sigaction), -1, 0, 0 }, { SCMP_SYS(sched_yield), -1, 0, 0 },
    { SCMP_SYS(tgkill), -1, 0, 0 },     { SCMP_SYS(getrandom), -1, 0, 0 },
    { SCMP_SYS(prctl), -1, 0, 0 },      { SCMP_SYS(pipe2), -1, 0, 0 },
};
#endif

static bool allow(scmp_filter_ctx filter, const struct permit *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct scmp_arg_cmp condition = { .arg = (unsigned)rows[i].argument,
            .op = SCMP_CMP_MASKED_EQ, .datum_a = rows[i].mask, .datum_b = rows[i].value };
        if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rows[i].call, rows[i].argument >= 0,
                                   &condition) != 0)
            return false;
    }
    return true;
}

static bool filter_calls(bool jit)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    bool ok = filter != NULL &&
              seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
              allow(filter, permits, ARRAY_LEN(permits)) &&
              (jit ? allow(filter, with_jit, ARRAY_LEN(with_jit))
                   : allow(filter, without_jit, ARRAY_LEN(without_jit)));
#ifdef MH_SANITIZE
    ok = ok && allow(filter, for_sanitizers, ARRAY_LEN(for_sanitizers));
#endif
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

void jail_close(bool jit) { note("seccomp", filter_calls(jit), true); }

const char *const *jail_layers(void) { return active; }
