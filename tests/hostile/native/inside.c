/* inside.c - what the jail refuses without its filter: each layer for itself.
 *
 *     inside FILE     with a socket from its parent as descriptor 3; FILE is the user's own
 *
 * Seals itself as sandbox/main.c does but for the filter, tries what the other layers are
 * there to refuse, and writes one line for each on descriptor 3: "NAME ERRNO". */
#include "jail.h"
#include "link.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MEMORY_BYTES = 32 * 1024 * 1024, ROOM_BYTES = 256 * 1024 * 1024 };

static const char *own_file;                /* that this user may write */

static long read_file(void) { return open("/etc/passwd", O_RDONLY); }
static long read_own_memory(void) { return open("/proc/self/mem", O_RDWR); }
static long read_folder(void) { return open("/", O_RDONLY | O_DIRECTORY); }
static long write_file(void) { return open("/tmp/moonhook-inside", O_WRONLY | O_CREAT, 0600); }
static long cut_file(void) { return truncate(own_file, 0); }
static long make_folder(void) { return mkdir("/tmp/moonhook-inside", 0700); }
static long run_program(void) { return execl("/bin/true", "true", NULL); }
static long mount_folder(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long rename_host(void) { return sethostname("x", 1); }
static long signal_parent(void) { return kill(getppid(), 0); }
static long trace_parent(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL); }
static long second_copy(void)
{
    for (int i = 0; i < LINK_FD; i++)
        if (dup(LINK_FD) < 0)
            return 0;
    return dup(LINK_FD);
}
static long much_memory(void) { return sbrk(ROOM_BYTES) == (void *)-1 ? -1 : 0; }

static long on_loopback(int (*act)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    long result = act(fd, (struct sockaddr *)&to, sizeof to);
    int  kept = errno;
    close(fd);
    errno = kept;
    return result;
}

static long bind_port(void) { return on_loopback(bind); }
static long connect_port(void) { return on_loopback(connect); }

static const struct { const char *name; long (*act)(void); } rows[] = {
    { "read_file", read_file },         { "read_own_memory", read_own_memory },
    { "read_folder", read_folder },     { "write_file", write_file },
    { "make_folder", make_folder },     { "cut_file", cut_file },
    { "run_program", run_program },     { "mount_folder", mount_folder },
    { "rename_host", rename_host },     { "signal_parent", signal_parent },
    { "trace_parent", trace_parent },   { "bind_port", bind_port },
    { "connect_port", connect_port },   { "much_memory", much_memory },
    { "second_copy", second_copy },
};

int main(int argc, char **argv)
{
    char line[64];

    own_file = argc > 1 ? argv[1] : "";
    jail_enter(MEMORY_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        errno = 0;
        int why = rows[i].act() < 0 ? errno : 0;
        int letters = snprintf(line, sizeof line, "%s %s\n", rows[i].name,
                               why ? strerrorname_np(why) : "done");
        if (write(LINK_FD, line, (size_t)letters) != letters)
            return 1;
    }
    return 0;
}
