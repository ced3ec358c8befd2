/* test_schedule.c - delays, their jitter, and Retry-After. */
#include "base/util.h"
#include "core/schedule.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static const int64_t HOUR_MS = 3600000;

/* xorshift32, so that every run draws the same numbers. */
static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* ---- The list of delays --------------------------------------------------------- */

TEST(the_default_schedule_of_webhooks_is_read)
{
    static const int64_t seconds[] = { 0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400 };
    struct schedule s;
    assert_int_equal(schedule_parse("0s,5s,5m,30m,2h,5h,10h,14h,20h,24h", &s), MH_OK);
    assert_int_equal(s.count, ARRAY_LEN(seconds));
    for (unsigned i = 0; i < s.count; i++)
        assert_int_equal(s.delay_ms[i], seconds[i] * 1000);
}

TEST(what_is_not_a_list_of_durations_is_refused_and_writes_nothing)
{
    static const char *const cases[] = {
        "", ",", "5s,", ",5s", "5s,,5m", "5s;5m", "5s, 5m", "soon", "-5s", "5s,x",
        "00000000000000000000000000000000000005s",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schedule s = { .count = 77 };
        if (schedule_parse(cases[i], &s) != MH_INVALID || s.count != 77)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

TEST(thirty_two_delays_fit_and_one_more_does_not)
{
    char            text[256] = "1s";
    struct schedule s;
    for (int i = 1; i < SCHEDULE_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ",%ds", i);
    assert_int_equal(schedule_parse(text, &s), MH_OK);
    assert_int_equal(s.count, SCHEDULE_MAX);
    snprintf(text + strlen(text), sizeof text - strlen(text), ",9s");
    assert_int_equal(schedule_parse(text, &s), MH_INVALID);
}

/* A delivery whose attempts all fail, under a clock that only waits: how many attempts, and
 * when the last one was. */
static unsigned attempts_of(const char *schedule, uint32_t random, int64_t *last_ms)
{
    struct schedule s;
    unsigned        made = 0;
    int64_t         now_ms = 0;

    assert_int_equal(schedule_parse(schedule, &s), MH_OK);
    for (int64_t delay; (delay = schedule_delay_ms(&s, made, random)) >= 0; made++)
        now_ms += delay;
    *last_ms = now_ms;
    return made;
}

TEST(a_webhook_that_always_fails_is_tried_ten_times_over_three_days)
{
    static const char *const schedule = "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h";
    int64_t soonest_ms, latest_ms;
    assert_int_equal(attempts_of(schedule, 0, &soonest_ms), 10);
    assert_int_equal(attempts_of(schedule, UINT32_MAX, &latest_ms), 10);
    assert_true(soonest_ms == 272105000LL * 9 / 10);
    assert_true(latest_ms == 272105000LL * 11 / 10);
    assert_true(soonest_ms > 68 * HOUR_MS && latest_ms < 84 * HOUR_MS);
}

TEST(a_hook_that_always_fails_is_tried_six_times_within_the_hour)
{
    int64_t latest_ms;
    assert_int_equal(attempts_of("0s,2s,10s,1m,5m,30m", UINT32_MAX, &latest_ms), 6);
    assert_true(latest_ms < HOUR_MS);
}

/* ---- Jitter ----------------------------------------------------------------------- */

TEST(after_the_last_delay_there_is_no_further_attempt)
{
    const struct schedule s = { { 0, 5000 }, 2 };
    assert_int_equal(schedule_delay_ms(&s, 0, 12345), 0);
    assert_true(schedule_delay_ms(&s, 1, 12345) > 0);
    assert_int_equal(schedule_delay_ms(&s, 2, 12345), -1);
    assert_int_equal(schedule_delay_ms(&s, 0xffffffff, 12345), -1);
}

TEST(the_ends_of_the_randomness_are_the_ends_of_the_jitter)
{
    static const int64_t delays[] = { 0, 1, 9, 10, 99, 5000, 86400000, 315360000000 };
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        const struct schedule s = { { delays[i] }, 1 };
        assert_true(schedule_delay_ms(&s, 0, 0) == delays[i] - delays[i] / 10);
        int64_t most = schedule_delay_ms(&s, 0, UINT32_MAX);
        assert_true(most <= delays[i] + delays[i] / 10);
        assert_true(most >= delays[i] + delays[i] / 10 - delays[i] / 1000000000);
    }
}

TEST(jitter_is_uniform_within_ten_percent)
{
    enum { DRAWS = 100000, BUCKETS = 10 };
    const struct schedule s = { { 300000 }, 1 };
    uint32_t seed = 2463534242;
    int64_t  sum = 0, bucket[BUCKETS] = { 0 };

    for (int i = 0; i < DRAWS; i++) {
        int64_t delay = schedule_delay_ms(&s, 0, draw(&seed));
        assert_in_range(delay, 270000, 330000);
        sum += delay;
        int64_t at = (delay - 270000) / 6000;
        bucket[at < BUCKETS ? at : BUCKETS - 1]++;
    }
    assert_in_range(sum / DRAWS, 299700, 300300);            /* 0.1 %, over 5 sigma */
    for (int i = 0; i < BUCKETS; i++)
        assert_in_range(bucket[i], 9500, 10500);             /* 5 %, over 5 sigma */
}

/* ---- Retry-After -------------------------------------------------------------------- */

static const int64_t NOW_MS = 1769076000000;                 /* 2026-01-22T10:00:00Z, a Thursday */

struct retry_case { const char *text; int64_t wait_ms; };

static void check_retry_after(const struct retry_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t wait = schedule_retry_after_ms(cases[i].text, NOW_MS, 24 * HOUR_MS);
        if (wait != cases[i].wait_ms)
            fail_msg("\"%s\" gave %lld", cases[i].text, (long long)wait);
    }
}

TEST(retry_after_in_seconds_is_read_and_capped)
{
    static const struct retry_case cases[] = {
        { "0", 0 }, { "120", 120000 }, { "000120", 120000 }, { " 120 ", 120000 },
        { "\t7", 7000 }, { "86400", 86400000 }, { "86401", 86400000 },
        { "9223372036854775807", 86400000 }, { "9223372036854775808", 86400000 },
        { "99999999999999999999999999999999999999999999999999999999999999999999999999", 86400000 },
    };
    check_retry_after(cases, ARRAY_LEN(cases));
}

TEST(retry_after_as_a_date_is_read_in_all_three_forms)
{
    static const struct retry_case cases[] = {
        { "Thu, 22 Jan 2026 10:00:30 GMT", 30000 },
        { "Thursday, 22-Jan-26 10:00:30 GMT", 30000 },
        { "Thu Jan 22 10:00:30 2026", 30000 },
        { "  Thu, 22 Jan 2026 11:00:00 GMT\t", HOUR_MS },
        { "Fri, 23 Jan 2026 10:00:00 GMT", 24 * HOUR_MS },
        { "Fri, 23 Jan 2026 10:00:01 GMT", 24 * HOUR_MS },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 24 * HOUR_MS },
    };
    check_retry_after(cases, ARRAY_LEN(cases));
}

TEST(a_date_in_the_past_means_now)
{
    static const struct retry_case cases[] = {
        { "Thu, 22 Jan 2026 10:00:00 GMT", 0 },
        { "Thu, 22 Jan 2026 09:59:59 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },              /* the examples of RFC 9110 5.6.7 */
        { "Sunday, 06-Nov-94 08:49:37 GMT", 0 },
        { "Sun Nov  6 08:49:37 1994", 0 },
    };
    check_retry_after(cases, ARRAY_LEN(cases));
}

TEST(two_digits_of_a_year_mean_at_most_fifty_years_ahead)
{
    static const struct retry_case cases[] = {
        { "Wednesday, 22-Jan-76 10:00:00 GMT", 24 * HOUR_MS },           /* 2076 */
        { "Saturday, 22-Jan-77 10:00:00 GMT", 0 },                       /* 1977 */
        { "Friday, 22-Jan-99 10:00:00 GMT", 0 },
    };
    check_retry_after(cases, ARRAY_LEN(cases));
    assert_int_equal(schedule_retry_after_ms("Friday, 02-Jan-70 00:00:01 GMT",
                                             24 * HOUR_MS, 24 * HOUR_MS), 1000);
    assert_int_equal(schedule_retry_after_ms("Saturday, 02-Jan-21 00:00:01 GMT",
                                             24 * HOUR_MS, 24 * HOUR_MS), 0);
}

TEST(any_other_retry_after_leaves_the_choice_to_the_schedule)
{
    static const struct retry_case cases[] = {
        { "", -1 }, { "   ", -1 }, { "-1", -1 }, { "+5", -1 }, { "1.5", -1 }, { "5s", -1 },
        { "1 2", -1 }, { "0x10", -1 }, { "soon", -1 }, { "Thu", -1 },
        { "2026-01-22T10:00:30Z", -1 },
        { "Thu, 22 Jan 2026 10:00:30", -1 }, { "Thu, 22 Jan 2026 10:00:30 UTC", -1 },
        { "Thu, 22 Jan 2026 10:00:30 GMT, 5", -1 }, { "Thu, 22 Foo 2026 10:00:30 GMT", -1 },
        { "Mon, 30 Feb 2026 10:00:30 GMT", -1 }, { "Thu, 22 Jan 2026 25:00:30 GMT", -1 },
        { "Thu, 22 Jan 2026 10:00:30 GMT                                        trailing", -1 },
        { "\xff\xfe", -1 },
    };
    check_retry_after(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(the_default_schedule_of_webhooks_is_read),
        RUN(what_is_not_a_list_of_durations_is_refused_and_writes_nothing),
        RUN(thirty_two_delays_fit_and_one_more_does_not),
        RUN(a_webhook_that_always_fails_is_tried_ten_times_over_three_days),
        RUN(a_hook_that_always_fails_is_tried_six_times_within_the_hour),
        RUN(after_the_last_delay_there_is_no_further_attempt),
        RUN(the_ends_of_the_randomness_are_the_ends_of_the_jitter),
        RUN(jitter_is_uniform_within_ten_percent),
        RUN(retry_after_in_seconds_is_read_and_capped),
        RUN(retry_after_as_a_date_is_read_in_all_three_forms),
        RUN(a_date_in_the_past_means_now),
        RUN(two_digits_of_a_year_mean_at_most_fifty_years_ahead),
        RUN(any_other_retry_after_leaves_the_choice_to_the_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
