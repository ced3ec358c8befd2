/* main.c - moonhook-sandbox: one plugin, one process, nothing but fd 3.
 *
 *     moonhook-sandbox MEMORY_BYTES jit|nojit
 *
 * The limits stand in the arguments and not in LOAD, so that all is sealed before
 * the first byte of the engine's is read: first the descriptors and rights, then Lua
 * and its libraries are made, then the filter closes, then the plugin may come. */
#include "host.h"
#include "jail.h"
#include "watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LEAST_MEMORY_BYTES = 1 << 20, STATUS_USAGE = 2, STATUS_NO_MEMORY = 72 };

static int usage(void)
{
    fputs("moonhook-sandbox runs one plugin for the moonhook engine, which starts it with a socket "
          "as its descriptor 3; it is of no use by hand.\n", stderr);
    return STATUS_USAGE;
}

static bool has_link(void)
{
    struct stat s;
    return fstat(LINK_FD, &s) == 0 && S_ISSOCK(s.st_mode);
}

int main(int argc, char **argv)
{
    unsigned long long memory = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;

    if (!has_link() || memory < LEAST_MEMORY_BYTES || memory > UINT32_MAX)
        return usage();
    bool jit = strcmp(argv[2], "jit") == 0;
    jail_enter((size_t)memory);
    setenv("TZ", "UTC0", 1);                /* os.date() would read files otherwise */
    tzset();
    watchdog_prepare();
    struct host *host = host_new((size_t)memory, jit);
    if (host == NULL)
        return STATUS_NO_MEMORY;
    jail_close(jit);
    host_run(host);
}
