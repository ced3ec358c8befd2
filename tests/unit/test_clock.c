/* test_clock.c - times and durations as text. */
#include "base/clock.h"
#include "base/util.h"

#include "unit.h"

TEST(a_time_is_written_in_utc_with_milliseconds)
{
    static const struct { int64_t ms; const char *text; } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1769076000000, "2026-01-22T10:00:00.000Z" },
        { 1769076000007, "2026-01-22T10:00:00.007Z" },
        { 951782400999, "2000-02-29T00:00:00.999Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1500, "1969-12-31T23:59:58.500Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { -55000000000000, "0227-02-13T22:13:20.000Z" },     /* four digits, as RFC 3339 has them */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[CLOCK_TEXT_BYTES];
        clock_format(cases[i].ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

TEST(a_time_of_any_size_stays_within_its_buffer)
{
    char out[CLOCK_TEXT_BYTES];
    clock_format(INT64_MAX, out);
    clock_format(INT64_MIN, out);
}

TEST(rfc_3339_times_are_read)
{
    static const struct { const char *text; int64_t ms; } cases[] = {
        { "2026-01-22T10:00:00Z", 1769076000000 },
        { "2026-01-22T10:00:00.5Z", 1769076000500 },
        { "2026-01-22T10:00:00.1239999999Z", 1769076000123 },
        { "2026-01-22t10:00:00z", 1769076000000 },
        { "2026-01-22T12:00:00+02:00", 1769076000000 },
        { "2026-01-22T04:30:00-05:30", 1769076000000 },
        { "2026-01-22T10:00:00-00:00", 1769076000000 },
        { "1969-12-31T23:59:59Z", -1000 },
        { "2000-02-29T00:00:00Z", 951782400000 },
        { "2016-12-31T23:59:60Z", 1483228800000 },           /* a leap second */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -7;
        if (clock_parse(cases[i].text, &ms) != MH_OK || ms != cases[i].ms)
            fail_msg("%s gave %lld", cases[i].text, (long long)ms);
    }
}

TEST(what_is_not_rfc_3339_is_refused_and_writes_nothing)
{
    static const char *const cases[] = {
        "", "now", "2026-01-22", "2026-01-22T10:00:00", "2026-01-22 10:00:00",
        "2026-1-22T10:00:00Z", "2026-01-2T10:00:00Z", "2026-01-22T1:00:00Z",
        "2026-13-22T10:00:00Z", "2026-00-22T10:00:00Z", "2026-01-00T10:00:00Z",
        "2026-02-29T10:00:00Z", "2026-02-30T10:00:00Z", "2026-04-31T10:00:00Z",
        "2026-01-22T24:00:00Z", "2026-01-22T10:60:00Z", "2026-01-22T10:00:61Z",
        "2026-01-22T10:00:00.Z", "2026-01-22T10:00:00.5", "2026-01-22T10:00:00+02",
        "2026-01-22T10:00:00+0200", "2026-01-22T10:00:00+25:00", "2026-01-22T10:00:00+02:60",
        "2026-01-22T10:00:00+-2:00", "2026-01-22T10:00:00+ 2:00", "2026-01-22T10:00:00Zx",
        "2026-01-22T10:00:00+02:00x", " 2026-01-22T10:00:00Z", "2026-01-22T10:00:00 Z",
        "+026-01-22T10:00:00Z", "2026- 1-22T10:00:00Z", "20260-01-22T10:00:00Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -7;
        if (clock_parse(cases[i], &ms) != MH_INVALID || ms != -7)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

TEST(every_written_time_reads_back_as_itself)
{
    for (int64_t ms = -5000000000000; ms < 5000000000000; ms += 7919000123) {
        char    text[CLOCK_TEXT_BYTES];
        int64_t back;
        clock_format(ms, text);
        assert_int_equal(clock_parse(text, &back), MH_OK);
        assert_true(back == ms);
    }
}

TEST(durations_have_a_unit_or_are_milliseconds)
{
    static const struct { const char *text; int64_t ms; } cases[] = {
        { "0", 0 }, { "0s", 0 }, { "250", 250 }, { "250ms", 250 }, { "5s", 5000 },
        { "10m", 600000 }, { "2h", 7200000 }, { "7d", 604800000 }, { "007s", 7000 },
        { "3650d", 315360000000 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -7;
        if (clock_parse_duration(cases[i].text, &ms) != MH_OK || ms != cases[i].ms)
            fail_msg("%s gave %lld", cases[i].text, (long long)ms);
    }
}

TEST(what_is_not_a_duration_is_refused_and_writes_nothing)
{
    static const char *const cases[] = {
        "", "s", "-1s", "+1s", " 1s", "1 s", "1s ", "1.5s", "1S", "1sec", "1h30m", "1w",
        "3651d", "315360000001", "99999999999999999999", "9223372036854775807d", "0x10s",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -7;
        if (clock_parse_duration(cases[i], &ms) != MH_INVALID || ms != -7)
            fail_msg("\"%s\" was taken", cases[i]);
    }
}

TEST(monotonic_time_does_not_go_back)
{
    int64_t before = clock_mono_us();
    assert_true(clock_mono_us() >= before);
    assert_true(clock_mono_ms() >= before / 1000);
}

TEST(wall_time_is_of_this_century)
{
    assert_true(clock_now_ms() > 1700000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_time_is_written_in_utc_with_milliseconds),
        RUN(a_time_of_any_size_stays_within_its_buffer),
        RUN(rfc_3339_times_are_read),
        RUN(what_is_not_rfc_3339_is_refused_and_writes_nothing),
        RUN(every_written_time_reads_back_as_itself),
        RUN(durations_have_a_unit_or_are_milliseconds),
        RUN(what_is_not_a_duration_is_refused_and_writes_nothing),
        RUN(monotonic_time_does_not_go_back),
        RUN(wall_time_is_of_this_century),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
