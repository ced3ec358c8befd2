/* system_calls.c - every system call by its number, from inside the jail.
 *
 *     system_calls jit|nojit
 *
 * Links the sandbox's own jail.c and seals each of its children as sandbox/main.c seals
 * itself. A child makes one call and ends by exit_group(); what the filter refuses ends it
 * by SIGSYS. The calls that may return stand here once more, on purpose: a row added to the
 * jail without thought fails this. Prints one line per class, and each surprise; exit
 * status 1 if there was one. */
#include "jail.h"
#include "link.h"

#include "base/util.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMORY_BYTES = 32 * 1024 * 1024, LAST_CALL = 470, LAST_I386_CALL = 470, NOT_SEALED = 99,
       X32_FIRST = 512, X32_LAST = 547, ARGUMENTS = 6 };

#define X32 0x40000000L
#define NONE { -1, -1, -1, -1, -1, -1 }

struct attempt { long number, argument[ARGUMENTS]; bool i386; };

static bool jit;
static int  surprises;

/* ---- One call in one process ------------------------------------------------------------ */

static long call64(const struct attempt *a)
{
    register long r10 __asm__("r10") = a->argument[3];
    register long r8 __asm__("r8") = a->argument[4];
    register long r9 __asm__("r9") = a->argument[5];
    long          result;

    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(a->number), "D"(a->argument[0]), "S"(a->argument[1]),
                       "d"(a->argument[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long call32(const struct attempt *a)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result)
                     : "a"(a->number), "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L)
                     : "r8", "r9", "r10", "r11", "memory");
    return result;
}

static void end_process(void)
{
    call64(&(struct attempt){ .number = SYS_exit_group });
}

/* The peer of fd 3 has one byte to read and is then closed, so nothing blocks. */
static void child(const struct attempt *a, int ours)
{
    if (dup2(ours, LINK_FD) != LINK_FD)
        _exit(NOT_SEALED);
    jail_enter(MEMORY_BYTES);
    jail_close(jit);
    if (a->i386)
        call32(a);
    else
        call64(a);
    end_process();
}

/* True where the call came back, or ended the process in a way of its own; false where the
 * filter killed. */
static bool returns(const struct attempt *a)
{
    int pair[2], status = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || send(pair[1], "x", 1, 0) != 1 ||
        shutdown(pair[1], SHUT_WR) != 0)
        _exit(NOT_SEALED);
    pid_t pid = fork();
    if (pid == 0)
        child(a, pair[0]);
    waitpid(pid, &status, 0);
    close(pair[0]);
    close(pair[1]);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= LAYER_EXIT_STATUS && WEXITSTATUS(status) <= NOT_SEALED) {
        printf("not sealed: status %d\n", WEXITSTATUS(status));
        _exit(NOT_SEALED);
    }
    if (a->i386 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
        return false;                       /* a kernel without 32-bit calls */
    return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* ---- All numbers, with arguments that do nothing ------------------------------------------- */

static bool expected(long number)
{
    static const long always[] = { SYS_brk, SYS_munmap, SYS_mremap, SYS_timer_settime,
                                   SYS_rt_sigreturn, SYS_exit_group };
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (always[i] == number)
            return true;
    return jit && (number == SYS_mmap || number == SYS_mprotect);
}

/* uretprobe() and uprobe(), which the kernel itself writes into traced programs: since Linux
 * 6.14 no filter sees them (kernel/seccomp.c, seccomp_uprobe_exception). Made by hand they
 * end in SIGILL or ENXIO. */
static bool unfiltered(long number, long bits, bool i386)
{
    return (number == 335 || number == 336) && bits == 0 && !i386;
}

static void try_range(const char *what, long first, long last, long bits, bool i386)
{
    int returned = 0, passed = 0;

    for (long n = first; n <= last; n++) {
        struct attempt a = { .number = n | bits, .argument = NONE, .i386 = i386 };
        bool           came_back = returns(&a), may = bits == 0 && !i386 && expected(n);
        if (unfiltered(n, bits, i386)) {
            passed += came_back;
            continue;
        }
        returned += came_back;
        if (came_back == may)
            continue;
        printf("surprise: %s %ld %s\n", what, n, came_back ? "returned" : "was killed");
        surprises++;
    }
    printf("%s: %ld tried, %d allowed, %ld killed", what, last - first + 1, returned,
           last - first + 1 - returned - passed);
    printf(passed ? ", %d that no filter sees\n" : "\n", passed);
}

static void try_odd_numbers(void)
{
    static const long odd[] = { -1, -2, -4095, -4096, INT32_MIN, INT32_MAX, 999999, 1L << 30,
                                1L << 31, UINT32_MAX, 0x7fffffffffffffff };
    int returned = 0;

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        bool came_back = returns(&(struct attempt){ .number = odd[i], .argument = NONE });
        returned += came_back;
        if (came_back)
            printf("surprise: the number %ld returned\n", odd[i]);
    }
    surprises += returned;
    printf("odd numbers: %zu tried, %d allowed, %zu killed\n", ARRAY_LEN(odd), returned,
           ARRAY_LEN(odd) - (size_t)returned);
}

/* ---- Arguments that are looked at ------------------------------------------------------------ */

static char     bytes[64];
static uint32_t word;

enum { KILLED, ALLOWED, WITH_JIT };

static const struct { const char *what; struct attempt attempt; int outcome; } arguments[] = {
    { "read the socket", { .number = SYS_read, .argument = { 3, (long)bytes, 1 } }, ALLOWED },
    { "read 0", { .number = SYS_read, .argument = { 0, (long)bytes, 1 } }, KILLED },
    { "read 4", { .number = SYS_read, .argument = { 4, (long)bytes, 1 } }, KILLED },
    { "read the socket, high bits set", { .number = SYS_read, .argument = { 3 | 1L << 32, (long)bytes, 1 } },
      ALLOWED },                            /* the kernel looks at the low ones, too */
    { "write to the socket", { .number = SYS_write, .argument = { 3, (long)bytes, 1 } }, ALLOWED },
    { "write to 2", { .number = SYS_write, .argument = { 2, (long)bytes, 1 } }, KILLED },
    { "map memory", { .number = SYS_mmap, .argument = { 0, 4096, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } }, ALLOWED },
    { "map executable memory", { .number = SYS_mmap, .argument = { 0, 4096, PROT_READ | PROT_EXEC,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } }, WITH_JIT },
    { "map memory to write and execute", { .number = SYS_mmap, .argument = { 0, 4096,
      PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } }, WITH_JIT },
    { "map with unknown protections and execute", { .number = SYS_mmap, .argument = { 0, 4096,
      0xff00 | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } }, WITH_JIT },
    { "protect for reading", { .number = SYS_mprotect, .argument = { 0, 4096, PROT_READ } }, ALLOWED },
    { "protect for execution", { .number = SYS_mprotect, .argument = { 0, 4096, PROT_EXEC } }, WITH_JIT },
    { "protect for reading and execution", { .number = SYS_mprotect, .argument = { 0, 4096,
      PROT_READ | PROT_EXEC } }, WITH_JIT },
    { "protect with a key", { .number = SYS_pkey_mprotect, .argument = { 0, 4096, PROT_READ, -1 } }, KILLED },
    { "futex wake", { .number = SYS_futex, .argument = { (long)&word, FUTEX_WAKE_PRIVATE, 1 } }, ALLOWED },
    { "futex wake, shared", { .number = SYS_futex, .argument = { (long)&word, FUTEX_WAKE, 1 } }, KILLED },
    { "futex wait", { .number = SYS_futex, .argument = { (long)&word, FUTEX_WAIT_PRIVATE, 1 } }, KILLED },
    { "futex requeue", { .number = SYS_futex, .argument = { (long)&word, FUTEX_CMP_REQUEUE_PRIVATE, 1 } },
      KILLED },
    { "futex priority", { .number = SYS_futex, .argument = { (long)&word, FUTEX_LOCK_PI_PRIVATE, 1 } },
      KILLED },
    { "give memory back", { .number = SYS_madvise, .argument = { 0, 4096, MADV_DONTNEED } }, ALLOWED },
    { "poison memory", { .number = SYS_madvise, .argument = { 0, 4096, MADV_HWPOISON } }, KILLED },
    { "merge memory with others'", { .number = SYS_madvise, .argument = { 0, 4096, MADV_MERGEABLE } },
      KILLED },
    { "the clock", { .number = SYS_clock_gettime, .argument = { 1, (long)bytes } }, ALLOWED },
    { "its own processor time", { .number = SYS_clock_gettime, .argument = { 2, (long)bytes } }, ALLOWED },
    { "process 1's processor time", { .number = SYS_clock_gettime, .argument = { (~1L << 3) | 2,
      (long)bytes } },
      KILLED },
    { "the clock of a descriptor", { .number = SYS_clock_gettime, .argument = { (~3L << 3) | 3,
      (long)bytes } },
      KILLED },
};

static void try_arguments(void)
{
    int returned = 0;

    for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
        bool came_back = returns(&arguments[i].attempt);
        bool may = arguments[i].outcome == ALLOWED || (arguments[i].outcome == WITH_JIT && jit);
        returned += came_back;
        if (came_back == may)
            continue;
        printf("surprise: %s: %s\n", arguments[i].what, came_back ? "returned" : "was killed");
        surprises++;
    }
    printf("arguments: %zu tried, %d allowed, %zu killed\n", ARRAY_LEN(arguments), returned,
           ARRAY_LEN(arguments) - (size_t)returned);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);       /* or every child would say it again */
    jit = argc > 1 && strcmp(argv[1], "jit") == 0;
    try_range("system calls", 0, LAST_CALL, 0, false);
    try_range("system calls of x32", 0, LAST_CALL, X32, false);
    try_range("system calls that are x32's own", X32_FIRST, X32_LAST, 0, false);
    try_range("the same with x32's bit", X32_FIRST, X32_LAST, X32, false);
    try_range("32-bit system calls", 0, LAST_I386_CALL, 0, true);
    try_odd_numbers();
    try_arguments();
    return surprises > 0;
}
