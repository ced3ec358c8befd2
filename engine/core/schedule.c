/* schedule.c - see schedule.h. */
#include "core/schedule.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { DURATION_CHARS = 32, DATE_CHARS = 64 };

/* ---- Delays ------------------------------------------------------------------ */

enum mh_err schedule_parse(const char *text, struct schedule *out)
{
    struct schedule s = { .count = 0 };

    for (;; text++) {
        char   item[DURATION_CHARS];
        size_t chars = strcspn(text, ",");
        if (chars >= sizeof item || s.count == SCHEDULE_MAX)
            return MH_INVALID;
        memcpy(item, text, chars);
        item[chars] = '\0';
        if (clock_parse_duration(item, &s.delay_ms[s.count++]) != MH_OK)
            return MH_INVALID;
        text += chars;
        if (*text == '\0')
            break;
    }
    *out = s;
    return MH_OK;
}

int64_t schedule_delay_ms(const struct schedule *s, unsigned made, uint32_t random)
{
    if (made >= s->count)
        return -1;
    int64_t delay = s->delay_ms[made], spread = delay / 10;
    double  share = (double)random / 4294967296.0;           /* 0 <= share < 1 */
    return delay - spread + (int64_t)((double)(2 * spread + 1) * share);
}

/* ---- Retry-After ------------------------------------------------------------- */

/* RFC 850 writes two digits of the year: the latest such year that is not more
 * than 50 years ahead (RFC 9110 5.6.7). tm_year counts from 1900. */
static int full_year(int tm_year, int64_t now_ms)
{
    time_t    now = (time_t)(now_ms / 1000);
    struct tm today;

    gmtime_r(&now, &today);
    int latest = today.tm_year + 50, above = (latest - tm_year) % 100;
    return latest - (above < 0 ? above + 100 : above);
}

/* Unix seconds of an HTTP date; false if it is none. */
static bool parse_http_date(const char *text, int64_t now_ms, int64_t *unix_s)
{
    static const struct { const char *format; bool two_digits; } forms[] = {
        { "%a, %d %b %Y %H:%M:%S GMT", false },              /* IMF-fixdate */
        { "%A, %d-%b-%y %H:%M:%S GMT", true },               /* RFC 850 */
        { "%a %b %e %H:%M:%S %Y", false },                   /* asctime */
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm   tm = { 0 };
        const char *end = strptime(text, forms[i].format, &tm);
        if (end == NULL || *end != '\0')
            continue;
        if (forms[i].two_digits)
            tm.tm_year = full_year(tm.tm_year, now_ms);
        int day = tm.tm_mday;
        *unix_s = timegm(&tm);
        return tm.tm_mday == day;                            /* no 31st of February */
    }
    return false;
}

/* `count` digits, capped: any number of them may come. */
static int64_t seconds_to_ms(const char *digits, size_t count, int64_t cap_ms)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < count; i++) {
        seconds = seconds * 10 + (digits[i] - '0');
        if (seconds > cap_ms / 1000)
            return cap_ms;
    }
    return seconds * 1000;
}

int64_t schedule_retry_after_ms(const char *text, int64_t now_ms, int64_t cap_ms)
{
    char    date[DATE_CHARS];
    int64_t unix_s;

    text += strspn(text, " \t");
    size_t chars = strlen(text);
    while (chars > 0 && (text[chars - 1] == ' ' || text[chars - 1] == '\t'))
        chars--;
    if (chars > 0 && strspn(text, "0123456789") == chars)
        return seconds_to_ms(text, chars, cap_ms);
    if (chars >= sizeof date)
        return -1;
    memcpy(date, text, chars);
    date[chars] = '\0';
    if (!parse_http_date(date, now_ms, &unix_s))
        return -1;
    int64_t wait_ms = unix_s * 1000 - now_ms;
    return wait_ms < 0 ? 0 : wait_ms > cap_ms ? cap_ms : wait_ms;
}
