/* redis_trouble.c - see redis_trouble.h. */
#include "io/redis_trouble.h"

#include "base/util.h"

#include <stdio.h>
#include <string.h>

static const struct { const char *part, *advice; } known[] = {
    { "WRONGPASS",   "user or password in --redis (MOONHOOK_REDIS) is not what Redis has" },
    { "NOAUTH",      "Redis wants a password: give it in --redis (MOONHOOK_REDIS), as in "
                     "redis://:PASSWORD@host" },
    { "without any password", "Redis has no password: take it out of --redis (MOONHOOK_REDIS)" },
    { "NOPERM",      "Redis does not allow the user in --redis what moonhook needs: all commands, "
                     "on its keys" },
    { "OOM",         "Redis has reached its memory limit: raise its maxmemory (--redis-memory)" },
    { "MISCONF",     "Redis cannot write to its disk and refuses to go on: make room there; its log "
                     "says more" },
    { "READONLY",    "it is a replica: --redis must lead to the master" },
    { "not the master", "it is a replica: --redis must lead to the master" },
    { "NOREPLICAS",  "fewer replicas follow Redis than its min-replicas-to-write asks for" },
    { "LOADING",     "Redis reads its data and will be ready by itself" },
    { "max number of clients", "raise maxclients of Redis" },
};

const char *redis_trouble(const char *why, char out[REDIS_TROUBLE_BYTES])
{
    const char *more = strstr(why, ". ");               /* also a script's hash and line */
    size_t      bytes = more != NULL ? (size_t)(more - why) : strlen(why);
    const char *advice = NULL;

    for (size_t i = 0; i < ARRAY_LEN(known) && advice == NULL; i++)
        if (strstr(why, known[i].part) != NULL)
            advice = known[i].advice;
    while (bytes > 0 && why[bytes - 1] == '.')
        bytes--;
    if (bytes > REDIS_TROUBLE_BYTES / 2)
        bytes = REDIS_TROUBLE_BYTES / 2;
    snprintf(out, REDIS_TROUBLE_BYTES, "%.*s%s%s", (int)bytes, why, advice != NULL ? "; " : "",
             advice != NULL ? advice : "");
    return out;
}
