/* fake_clock.c - a clock that a test moves; preloaded into the programs under test by
 * tests/integration/lib/clock.mjs, which maps the same file.
 *
 * The file that FAKE_CLOCK names holds two int64: by how many milliseconds wall time and
 * monotonic time are ahead of the machine's. Time goes on by itself from there. A program that
 * sleeps until a time is not woken when the clock moves: who moves it wakes the program.
 *
 * Only what a program asks for through libc is seen, and time-outs of system calls are real
 * ones. The calls go to the kernel directly: a sanitizer's own versions are none of our business. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct ahead { int64_t wall_ms, mono_ms; };

static const struct ahead none;
static const struct ahead *ahead = &none;

__attribute__((constructor)) static void find_clock(void)
{
    const char *path = getenv("FAKE_CLOCK");
    int         fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void       *map = fd >= 0 ? mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0)
        close(fd);
    if (map == MAP_FAILED)
        abort();                            /* a test under the machine's clock would prove nothing */
    ahead = map;
}

static int64_t ahead_ms(clockid_t id)
{
    switch (id) {
    case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE:
        return __atomic_load_n(&ahead->wall_ms, __ATOMIC_RELAXED);
    case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_COARSE: case CLOCK_MONOTONIC_RAW: case CLOCK_BOOTTIME:
        return __atomic_load_n(&ahead->mono_ms, __ATOMIC_RELAXED);
    default:
        return 0;                           /* CPU time is real */
    }
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    if (syscall(SYS_clock_gettime, id, out) != 0)
        return -1;
    int64_t ms = ahead_ms(id), ns = out->tv_nsec + ms % 1000 * 1000000;

    out->tv_sec += (time_t)(ms / 1000 + (ns >= 1000000000) - (ns < 0));
    out->tv_nsec = (long)((ns + 1000000000) % 1000000000);
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){ now.tv_sec, (suseconds_t)(now.tv_nsec / 1000) };
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
