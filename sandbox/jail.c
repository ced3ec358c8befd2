/* jail.c - see jail.h.
 *
 * Measured here (Linux 6.18), medians of 400: unshare() of user, IPC and mount namespace
 * 0.090 ms, with the process namespace 0.096 ms (it would hold children, which RLIMIT_NPROC
 * and the filter refuse anyway), of user and network namespace 0.48 ms, 0.45 of them for the
 * latter. UTS, cgroup and time namespaces would add nothing: what they hide is a name, which
 * no permitted call reads. Landlock costs 0.03 ms, the filter 0.15 ms, the others nothing to
 * speak of. */
#include "jail.h"

#include "link.h"
#include "base/util.h"

#include <fcntl.h>
#include <linux/capability.h>
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
    OWN_CLOCKS         = 7,                 /* 0 to 7; negative ones tell of other processes */
#ifdef MH_SANITIZE
    LAST_CLOSED_FD     = 1,                 /* the sanitizers report on 2 */
#else
    LAST_CLOSED_FD     = 2,
#endif
};

static unsigned active;

static bool close_descriptors(size_t memory_bytes)
{
    (void)memory_bytes;
    return close_range(0, LAST_CLOSED_FD, 0) == 0 && close_range(LINK_FD + 1, ~0u, 0) == 0;
}

/* An engine that was started with less passes on less. */
static bool limit(int resource, size_t value)
{
    struct rlimit now, both = { value, value };

    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return false;
    if (now.rlim_max < value)
        both.rlim_cur = both.rlim_max = now.rlim_max;
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

/* Landlock's names since Linux 5.19, 6.2, 6.7, 6.10 and 6.12, which Debian 12's headers do
 * not all have: include/uapi/linux/landlock.h of Linux 6.18. The kernel takes a structure
 * as short as the version that it speaks. */
struct landlock_rights { uint64_t files, net, scoped; };

static const struct { long version; struct landlock_rights rights; } landlock_versions[] = {
    { 1, { (1 << 13) - 1, 0, 0 } },         /* EXECUTE to MAKE_SYM */
    { 2, { 1 << 13, 0, 0 } },               /* REFER: link and rename between folders */
    { 3, { 1 << 14, 0, 0 } },               /* TRUNCATE */
    { 4, { 0, 1 << 0 | 1 << 1, 0 } },       /* BIND_TCP, CONNECT_TCP */
    { 5, { 1 << 15, 0, 0 } },               /* IOCTL_DEV */
    { 6, { 0, 0, 1 << 0 | 1 << 1 } },       /* ABSTRACT_UNIX_SOCKET, SIGNAL */
};

static size_t landlock_bytes(const struct landlock_rights *rights)
{
    return rights->scoped ? sizeof *rights : rights->net ? offsetof(struct landlock_rights, scoped)
                                                         : offsetof(struct landlock_rights, net);
}

/* A ruleset that handles every right that the running kernel knows (and this table),
 * and allows none. */
static bool restrict_files(size_t memory_bytes)
{
    struct landlock_rights none = { 0 };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    (void)memory_bytes;
    for (size_t i = 0; i < ARRAY_LEN(landlock_versions); i++)
        if (landlock_versions[i].version <= version) {
            none.files |= landlock_versions[i].rights.files;
            none.net |= landlock_versions[i].rights.net;
            none.scoped |= landlock_versions[i].rights.scoped;
        }
    int fd = (int)syscall(SYS_landlock_create_ruleset, &none, landlock_bytes(&none), 0);
    if (fd < 0)
        return false;
    bool ok = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close(fd);
    return ok;
}

static bool leave_namespaces(size_t memory_bytes)
{
    (void)memory_bytes;
    return unshare(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID) == 0;
}

/* Those of an engine that runs as root where it could make no namespace, and those that
 * a fresh user namespace gives. */
static bool drop_capabilities(size_t memory_bytes)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct   none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

    (void)memory_bytes;
    return syscall(SYS_capset, &header, none) == 0;
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

/* The signal comes when the parent's thread ends. Who made the socket is the engine; if
 * that is not the parent (any more), the engine ended before the signal was asked for. EOF
 * on the socket tells the rest. */
static bool die_with_parent(size_t memory_bytes)
{
    struct ucred maker;
    socklen_t    size = sizeof maker;

    (void)memory_bytes;
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
           getsockopt(LINK_FD, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 &&
           getppid() == maker.pid;
}

static bool (*const hold[LAYER_COUNT])(size_t memory_bytes) = {
    [LAYER_descriptors]  = close_descriptors,     [LAYER_rlimits]      = set_limits,
    [LAYER_namespaces]   = leave_namespaces,      [LAYER_capabilities] = drop_capabilities,
    [LAYER_no_new_privs] = refuse_new_privileges, [LAYER_landlock]     = restrict_files,
    [LAYER_undumpable]   = refuse_inspection,     [LAYER_parent_death] = die_with_parent,
    [LAYER_seccomp]      = NULL,                  /* jail_close() */
};

static void note(enum layer layer, bool holds)
{
    if (holds)
        active |= 1u << layer;
    else if (layer_in(layers_must(), layer))
        _exit(LAYER_EXIT_STATUS + (int)layer);
}

/* A program of the tests plays a kernel that lacks a layer; a release build cannot. */
static bool left_out(enum layer layer)
{
#ifdef MH_TEST_JAIL_WITHOUT
    return layer == MH_TEST_JAIL_WITHOUT;
#else
    (void)layer;
    return false;
#endif
}

void jail_enter(size_t memory_bytes)
{
    for (int i = 0; i < LAYER_COUNT; i++)
        if (hold[i] != NULL)
            note((enum layer)i, !left_out((enum layer)i) && hold[i](memory_bytes));
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
    { SCMP_SYS(madvise),       2, UINT32_MAX, MADV_DONTNEED },
    { SCMP_SYS(clock_gettime), 0, UINT32_MAX - OWN_CLOCKS, 0 },     /* os.clock(); else vDSO */
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
    { SCMP_SYS(madvise), -1, 0, 0 },    { SCMP_SYS(clock_gettime), -1, 0, 0 },
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

void jail_close(bool jit) { note(LAYER_seccomp, filter_calls(jit)); }

unsigned jail_layers(void) { return active; }
