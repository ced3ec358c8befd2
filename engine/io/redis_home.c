/* redis_home.c - see redis_home.h. */
#include "io/redis_home.h"

#include "base/log.h"
#include "base/util.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONF_BYTES = 1024, LINE_BYTES = 512, MAX_LOG_BYTES = 1024 * 1024,
       ROOM_BYTES = 1024 * 1024 };

/* ---- The folder and its socket ------------------------------------------------- */

static enum mh_err complain(const char *path, int why)
{
    char quoted[512];

    LOG_ERROR("redis_home_unusable", "path=%s why=\"%s\" hint=\"the data directory must belong "
              "to the user that runs moonhook\"", log_quote(path, quoted, sizeof quoted),
              strerror(why));
    return MH_IO;
}

/* A socket's path has at most 107 bytes. A longer one is reached through a link to
 * the folder, in a folder of our own: also by other processes, unlike /proc/self/fd. */
static enum mh_err make_shortcut(struct redis_home *home)
{
    char folder[] = "/tmp/moonhook-redis-XXXXXX";

    if (mkdtemp(folder) == NULL)            /* 0700 */
        return complain(folder, errno);
    home->shortcut = mem_strdup(folder);
    char *link = mem_printf("%s/data", folder);
    int   failed = symlink(home->dir, link);
    free(home->socket);
    home->socket = mem_printf("%s/redis.sock", link);
    free(link);
    return failed != 0 ? complain(folder, errno) : MH_OK;
}

enum mh_err redis_home_open(const char *data_dir, struct redis_home *out)
{
    char              *dir = mem_printf("%s/redis", data_dir);
    struct sockaddr_un address;
    enum mh_err        err = MH_OK;

    *out = (struct redis_home){ 0 };
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        err = complain(dir, errno);
    else if ((out->dir = realpath(dir, NULL)) == NULL || chmod(out->dir, 0700) != 0)
        err = complain(dir, errno);
    free(dir);
    if (err == MH_OK) {
        out->socket = mem_printf("%s/redis.sock", out->dir);
        if (strlen(out->socket) >= sizeof address.sun_path)
            err = make_shortcut(out);
    }
    if (err != MH_OK)
        redis_home_close(out);
    return err;
}

void redis_home_close(struct redis_home *home)
{
    if (home->shortcut != NULL) {
        char *link = mem_printf("%s/data", home->shortcut);
        unlink(link);
        rmdir(home->shortcut);
        free(link);
    }
    free(home->shortcut);
    free(home->socket);
    free(home->dir);
    *home = (struct redis_home){ 0 };
}

/* Opens a file of the folder; -1 with errno. */
static int open_file(const struct redis_home *home, const char *name, int flags)
{
    char *path = mem_printf("%s/%s", home->dir, name);
    int   fd = open(path, flags | O_CLOEXEC, 0600);
    free(path);
    return fd;
}

/* ---- The configuration ------------------------------------------------------------ */

static const char conf_format[] =
    "# Written by moonhook at each start; changes are lost.\n"
    "port 0\n"
    "unixsocket redis.sock\n"
    "unixsocketperm 700\n"
    "dir ./\n"
    "daemonize no\n"
    "pidfile redis.pid\n"
    "logfile redis.log\n"
    "loglevel warning\n"
    "save \"\"\n"
    "appendonly yes\n"
    "appendfsync %s\n"
    "aof-load-truncated yes\n"
    "auto-aof-rewrite-percentage 100\n"
    "auto-aof-rewrite-min-size 256mb\n"
    "maxmemory %" PRId64 "\n"
    "maxmemory-policy noeviction\n";

static bool same_as_before(const struct redis_home *home, const char *conf)
{
    char    before[CONF_BYTES];
    int     fd = open_file(home, "redis.conf", O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, before, sizeof before) : -1;

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(conf) && memcmp(before, conf, (size_t)n) == 0;
}

enum mh_err redis_home_configure(const struct redis_home *home, const char *fsync,
                                 int64_t max_memory_bytes, bool *changed)
{
    char conf[CONF_BYTES];

    snprintf(conf, sizeof conf, conf_format, fsync, max_memory_bytes);
    *changed = !same_as_before(home, conf);
    if (!*changed)
        return MH_OK;
    int     fd = open_file(home, "redis.conf", O_WRONLY | O_CREAT | O_TRUNC);
    ssize_t n = fd >= 0 ? write(fd, conf, strlen(conf)) : -1;
    int     why = errno;
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(conf) ? MH_OK : complain(home->dir, why);
}

/* ---- Its disk ----------------------------------------------------------------------- */

bool redis_home_is_full(const struct redis_home *home)
{
    static const char name[] = "room.tmp";
    int fd = open_file(home, name, O_WRONLY | O_CREAT | O_TRUNC);
    int why = fd < 0 ? errno : posix_fallocate(fd, 0, ROOM_BYTES);

    if (fd >= 0) {
        char *path = mem_printf("%s/%s", home->dir, name);
        close(fd);
        unlink(path);
        free(path);
    }
    return why == ENOSPC || why == EDQUOT;
}

/* ---- The log ------------------------------------------------------------------------ */

const char *redis_home_last_line(const struct redis_home *home, char *out, size_t size)
{
    char    tail[LINE_BYTES] = "";
    int     fd = open_file(home, "redis.log", O_RDWR);
    off_t   bytes = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t   from = bytes > LINE_BYTES - 1 ? bytes - (LINE_BYTES - 1) : 0;
    ssize_t n = fd >= 0 ? pread(fd, tail, LINE_BYTES - 1, from) : 0;

    if (bytes > MAX_LOG_BYTES && ftruncate(fd, 0) != 0)
        LOG_WARN("redis_log_kept", "why=\"%s\"", strerror(errno));
    if (fd >= 0)
        close(fd);
    while (n > 0 && isspace((unsigned char)tail[n - 1]))
        n--;
    tail[n > 0 ? n : 0] = '\0';
    const char *line = strrchr(tail, '\n');
    return log_quote(line != NULL ? line + 1 : tail, out, size);
}

/* ---- A server that runs here --------------------------------------------------------- */

/* Reads the beginning of /proc/PID/NAME as text. */
static void read_proc(int pid, const char *name, char *out, size_t size)
{
    char    path[64];
    ssize_t n = -1;

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, out, size - 1);
        close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static bool lives_here(int pid, const char *dir)
{
    char    link[64], cwd[PATH_MAX];

    snprintf(link, sizeof link, "/proc/%d/cwd", pid);
    ssize_t n = readlink(link, cwd, sizeof cwd - 1);
    if (n < 0)
        return false;
    cwd[n] = '\0';
    return strcmp(cwd, dir) == 0;
}

/* Not a shell that somebody has open here, nor the process that rewrites the
 * append-only file for a server that is gone: it calls itself "redis-aof-rewrite". */
static bool is_server(int pid, const char *program)
{
    char        comm[32], title[32];
    const char *slash = strrchr(program, '/');

    read_proc(pid, "comm", comm, sizeof comm);
    read_proc(pid, "cmdline", title, sizeof title);
    bool named = strncmp(comm, slash != NULL ? slash + 1 : program, 15) == 0 ||
                 strcmp(comm, "redis-server") == 0;
    return named && strncmp(title, "redis-aof", 9) != 0 && strncmp(title, "redis-rdb", 9) != 0;
}

int redis_home_find_server(const struct redis_home *home, const char *program)
{
    DIR *proc = opendir("/proc");
    int  found = 0;

    if (proc == NULL)
        return 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(proc)) != NULL;) {
        int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (pid > 0 && lives_here(pid, home->dir) && is_server(pid, program))
            found = pid;
    }
    closedir(proc);
    return found;
}
