/* slow_disk.c - a disk that takes SLOW_DISK_KB_PER_S; preloaded into a redis-server by tests.
 *
 * What was written to files costs its time when it is forced to the disk. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t unforced_bytes;

ssize_t write(int fd, const void *data, size_t bytes)
{
    struct stat what;
    ssize_t     written = syscall(SYS_write, fd, data, bytes);

    if (written > 0 && fstat(fd, &what) == 0 && S_ISREG(what.st_mode))
        unforced_bytes += written;
    return written;
}

static void take_time(void)
{
    const char *kb = getenv("SLOW_DISK_KB_PER_S");
    int64_t     ms = unforced_bytes * 1000 / 1024 / (kb != NULL ? atoll(kb) : 1000000);

    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
    unforced_bytes = 0;
}

int fdatasync(int fd)
{
    take_time();
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    take_time();
    return (int)syscall(SYS_fsync, fd);
}
