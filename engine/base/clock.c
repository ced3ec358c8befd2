/* clock.c - see clock.h. */
#define _GNU_SOURCE
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t MAX_DURATION_MS = 10LL * 365 * 24 * 3600 * 1000;

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_ms(void)  { return read_us(CLOCK_REALTIME) / 1000; }
int64_t clock_mono_us(void) { return read_us(CLOCK_MONOTONIC); }
int64_t clock_mono_ms(void) { return clock_mono_us() / 1000; }

void clock_format(int64_t unix_ms, char out[CLOCK_TEXT_BYTES])
{
    time_t    seconds = (time_t)(unix_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    size_t len = strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, CLOCK_TEXT_BYTES - len, ".%03dZ", (int)(unix_ms % 1000));
}

/* ".123456" at *at: the first three digits as milliseconds. */
static int parse_fraction_ms(const char **at)
{
    int ms = 0, digits = 0;

    if (**at != '.')
        return 0;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++)
        if (digits < 3)
            ms = ms * 10 + (**at - '0');
    for (; digits < 3; digits++)
        ms *= 10;
    return ms;
}

/* "Z", "+02:00" or "-0530" as seconds east of Greenwich. */
static enum mh_err parse_offset(const char *at, int *offset_s)
{
    int hours, minutes;

    *offset_s = 0;
    if (strcmp(at, "Z") == 0 || strcmp(at, "z") == 0)
        return MH_OK;
    if ((*at != '+' && *at != '-') || sscanf(at + 1, "%2d:%2d", &hours, &minutes) != 2)
        return MH_INVALID;
    *offset_s = (hours * 60 + minutes) * (*at == '-' ? -60 : 60);
    return strlen(at) == 6 ? MH_OK : MH_INVALID;
}

enum mh_err clock_parse(const char *text, int64_t *unix_ms)
{
    struct tm   utc = { 0 };
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    int         offset_s;

    if (at == NULL)
        return MH_INVALID;
    int ms = parse_fraction_ms(&at);
    if (parse_offset(at, &offset_s) != MH_OK)
        return MH_INVALID;
    *unix_ms = ((int64_t)timegm(&utc) - offset_s) * 1000 + ms;
    return MH_OK;
}

static int64_t unit_ms(const char *unit)
{
    static const struct { const char *name; int64_t ms; } units[] = {
        { "", 1 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ms;
    return 0;
}

enum mh_err clock_parse_duration(const char *text, int64_t *ms)
{
    char *unit;

    if (*text < '0' || *text > '9')
        return MH_INVALID;
    errno = 0;
    long long count = strtoll(text, &unit, 10);
    int64_t   factor = unit_ms(unit);
    if (errno != 0 || factor == 0 || count > MAX_DURATION_MS / factor)
        return MH_INVALID;
    *ms = count * factor;
    return MH_OK;
}
