/* test_log.c - lines of the log, read back from a pipe in place of standard error. */
#include "base/log.h"
#include "base/util.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char   logged[16384];
static int    saved_stderr, ends[2];

static int capture_start(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    return pipe2(ends, O_NONBLOCK) != 0 || dup2(ends[1], STDERR_FILENO) < 0;
}

static int capture_end(void **state)
{
    (void)state;
    log_set_level(LOG_INFO_LEVEL);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* What was logged since the last call; "" for nothing. */
static const char *read_log(void)
{
    ssize_t n = read(ends[0], logged, sizeof logged - 1);
    logged[n > 0 ? n : 0] = '\0';
    return logged;
}

TEST(a_line_has_time_level_event_and_pairs)
{
    LOG_WARN("plugin_ready", "plugin=%s pid=%d", "slack", 4711);
    read_log();
    assert_int_equal(logged[10], 'T');
    assert_string_equal(logged + 24, " level=warn event=plugin_ready plugin=slack pid=4711\n");
}

TEST(lines_below_the_level_are_dropped)
{
    LOG_DEBUG("quiet", "n=%d", 1);
    assert_string_equal(read_log(), "");
    log_set_level(LOG_ERROR_LEVEL);
    LOG_WARN("quiet", "n=%d", 2);
    assert_string_equal(read_log(), "");
    LOG_ERROR("loud", "n=%d", 3);
    assert_non_null(strstr(read_log(), "event=loud n=3\n"));
}

TEST(a_line_that_is_too_long_is_cut_and_still_one_line)
{
    char text[8000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    LOG_INFO("long", "text=%s", text);
    read_log();
    assert_int_equal(strlen(logged), 4096);
    assert_ptr_equal(strchr(logged, '\n'), logged + 4095);
}

TEST(an_event_name_of_any_length_is_cut_too)
{
    char name[8000];
    memset(name, 'e', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    LOG_INFO(name, "n=%d", 1);
    read_log();
    assert_int_equal(strlen(logged), 4096);
    assert_int_equal(logged[4095], '\n');
}

TEST(levels_are_read_from_their_words)
{
    static const char *const words[] = { "debug", "info", "warn", "error" };
    enum log_level level = LOG_ERROR_LEVEL;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_equal(log_level_parse(words[i], &level), MH_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_parse("fatal", &level), MH_INVALID);
    assert_int_equal(log_level_parse("", &level), MH_INVALID);
    assert_int_equal(level, LOG_ERROR_LEVEL);
}

TEST(a_limited_place_logs_once_a_second)
{
    struct log_limit limit = { 0 };
    assert_true(log_allowed(&limit));
    assert_false(log_allowed(&limit));
    limit.last_ms -= 1000;
    assert_true(log_allowed(&limit));
}

TEST(foreign_text_is_quoted_so_that_no_terminal_obeys_it)
{
    static const struct { const char *text, *quoted; } cases[] = {
        { "", "\"\"" },
        { "plain text", "\"plain text\"" },
        { "say \"hi\" \\o/", "\"say \\\"hi\\\" \\\\o/\"" },
        { "two\nlines\r\t", "\"two\\nlines\\x0d\\x09\"" },
        { "\x1b[31mred\x7f", "\"\\x1b[31mred\\x7f\"" },
        { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80",
          "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\x80\"" },
        { "\x9b" "31m", "\"\\x9b31m\"" },                    /* CSI as one byte */
        { "\xc2\x9b" "31m", "\"\\xc2\\x9b31m\"" },           /* CSI in UTF-8 */
        { "\xc3", "\"\\xc3\"" },                             /* cut in the middle */
        { "\xe2\x82", "\"\\xe2\\x82\"" },
        { "\xc0\xaf", "\"\\xc0\\xaf\"" },                    /* overlong "/" */
        { "\xe0\x80\xaf", "\"\\xe0\\x80\\xaf\"" },
        { "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" },           /* half of a surrogate pair */
        { "\xf5\x80\x80\x80", "\"\\xf5\\x80\\x80\\x80\"" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[100];
        assert_string_equal(log_quote(cases[i].text, out, sizeof out), cases[i].quoted);
    }
}

TEST(quoted_text_is_cut_between_characters_and_stays_quoted)
{
    char out[8];
    assert_string_equal(log_quote("abcdefgh", out, sizeof out), "\"abcde\"");
    assert_string_equal(log_quote("abcde", out, sizeof out), "\"abcde\"");
    assert_string_equal(log_quote("abcd\x01", out, sizeof out), "\"abcd\"");
    assert_string_equal(log_quote("abcd\xc3\xbc", out, sizeof out), "\"abcd\"");
    assert_string_equal(log_quote("ab", out, 3), "\"\"");
}

TEST(no_room_at_all_gives_an_empty_string_in_the_same_place)
{
    char out[2] = "x";
    assert_ptr_equal(log_quote("abc", out, 2), out);
    assert_string_equal(out, "");
}

#define RUN_CAPTURED(sentence) \
    cmocka_unit_test_setup_teardown(sentence, capture_start, capture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_CAPTURED(a_line_has_time_level_event_and_pairs),
        RUN_CAPTURED(lines_below_the_level_are_dropped),
        RUN_CAPTURED(a_line_that_is_too_long_is_cut_and_still_one_line),
        RUN_CAPTURED(an_event_name_of_any_length_is_cut_too),
        RUN(levels_are_read_from_their_words),
        RUN(a_limited_place_logs_once_a_second),
        RUN(foreign_text_is_quoted_so_that_no_terminal_obeys_it),
        RUN(quoted_text_is_cut_between_characters_and_stays_quoted),
        RUN(no_room_at_all_gives_an_empty_string_in_the_same_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
