/* clock.c - see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
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
int64_t clock_cpu_us(void)  { return read_us(CLOCK_PROCESS_CPUTIME_ID); }
int64_t clock_boot_ms(void) { return read_us(CLOCK_BOOTTIME) / 1000; }
int64_t clock_mono_ms(void) { return clock_mono_us() / 1000; }

void clock_format(int64_t unix_ms, char out[CLOCK_TEXT_BYTES])
{
    int       ms = (int)(unix_ms % 1000);
    time_t    seconds = (time_t)(unix_ms / 1000);
    struct tm utc;

    if (ms < 0) {                           /* before 1970, C rounds toward it */
        ms += 1000;
        seconds--;
    }
    gmtime_r(&seconds, &utc);
    size_t len = strftime(out, CLOCK_TEXT_BYTES, "%04Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, CLOCK_TEXT_BYTES - len, ".%03dZ", ms);
}

/* Exactly `count` digits at *at, which moves behind them. */
static bool read_digits(const char **at, int count, int *out)
{
    int value = 0;

    for (; count > 0; count--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

/* "2026-01-22T10:00:00". strptime() would take blanks and missing digits. */
static bool read_date_time(const char **at, struct tm *utc)
{
    const struct { int digits, min, max; int *out; const char *after; } fields[] = {
        { 4, 0, 9999, &utc->tm_year, "-" }, { 2, 1, 12, &utc->tm_mon, "-" },
        { 2, 1, 31, &utc->tm_mday, "Tt" },  { 2, 0, 23, &utc->tm_hour, ":" },
        { 2, 0, 59, &utc->tm_min, ":" },    { 2, 0, 60, &utc->tm_sec, NULL },
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!read_digits(at, fields[i].digits, fields[i].out) ||
            *fields[i].out < fields[i].min || *fields[i].out > fields[i].max)
            return false;
        if (fields[i].after == NULL)
            continue;
        if (**at == '\0' || strchr(fields[i].after, **at) == NULL)
            return false;
        (*at)++;
    }
    utc->tm_year -= 1900;
    utc->tm_mon -= 1;
    struct tm day = { .tm_year = utc->tm_year, .tm_mon = utc->tm_mon, .tm_mday = utc->tm_mday };
    timegm(&day);
    return day.tm_mday == utc->tm_mday;     /* no 30th of February */
}

/* ".123456", or nothing: the first three digits as milliseconds. */
static bool read_fraction_ms(const char **at, int *out)
{
    int ms = 0, digits = 0;

    *out = 0;
    if (**at != '.')
        return true;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++)
        if (digits < 3)
            ms = ms * 10 + (**at - '0');
    if (digits == 0)
        return false;
    for (; digits < 3; digits++)
        ms *= 10;
    *out = ms;
    return true;
}

/* "Z" or "+02:00", up to the end, as seconds east of Greenwich. */
static bool read_offset(const char *at, int *offset_s)
{
    int hours, minutes, sign = *at == '-' ? -60 : 60;

    *offset_s = 0;
    if (strcmp(at, "Z") == 0 || strcmp(at, "z") == 0)
        return true;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!read_digits(&at, 2, &hours) || *at++ != ':' || !read_digits(&at, 2, &minutes))
        return false;
    *offset_s = (hours * 60 + minutes) * sign;
    return hours <= 23 && minutes <= 59 && *at == '\0';
}

enum mh_err clock_parse(const char *text, int64_t *unix_ms)
{
    struct tm utc = { 0 };
    int       offset_s, ms;

    if (!read_date_time(&text, &utc) || !read_fraction_ms(&text, &ms) ||
        !read_offset(text, &offset_s))
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
