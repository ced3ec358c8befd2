/* data_lock.c - see data_lock.h. The file holds the owner's pid, for the message. */
#include "io/data_lock.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum mh_err data_dir_make(const char *data_dir)
{
    char quoted[512];

    if ((mkdir(data_dir, 0700) == 0 || errno == EEXIST) && access(data_dir, W_OK) == 0)
        return MH_OK;
    LOG_ERROR("data_not_made", "dir=%s reason=\"%s\" hint=\"give a folder that can be written: --data\"",
              log_quote(data_dir, quoted, sizeof quoted), strerror(errno));
    return MH_IO;
}

static void write_pid(int fd)
{
    char text[16];
    int  bytes = snprintf(text, sizeof text, "%d\n", (int)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)bytes, 0) != bytes)
        LOG_WARN("data_lock_pid", "why=\"%s\"", strerror(errno));      /* the lock holds anyway */
}

static enum mh_err refused(int fd, const char *data_dir, int why)
{
    char text[16] = "", quoted[512];

    log_quote(data_dir, quoted, sizeof quoted);
    if (fd >= 0 && why == EWOULDBLOCK) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        LOG_ERROR("data_dir_in_use", "data=%s pid=%d hint=\"another moonhook uses this directory: "
                  "stop it, or give this one a --data of its own\"", quoted,
                  n > 0 ? atoi(text) : 0);
        return MH_CONFLICT;
    }
    LOG_ERROR("data_dir_unusable", "data=%s why=\"%s\" hint=\"it must exist and belong to the "
              "user that runs moonhook\"", quoted, strerror(why));
    return MH_IO;
}

enum mh_err data_lock(const char *data_dir, int *fd)
{
    char *path = mem_printf("%s/lock", data_dir);
    int   lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    free(path);
    if (lock < 0)
        return refused(-1, data_dir, errno);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        enum mh_err err = refused(lock, data_dir, errno);
        close(lock);
        return err;
    }
    write_pid(lock);
    *fd = lock;
    return MH_OK;
}
