/* test_options.c - the command line's parser. */
#include "unit.h"

#include "base/options.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec own[] = {
    { "data", OPTION_VALUE, "TEXT", "" },
    { "wait", OPTION_MAYBE, "MS", "" },
    { "quiet", OPTION_FLAG, NULL, "" },
    { 0 },
};
static const struct option_spec common[] = {
    { "url", OPTION_VALUE, "URL", "" }, { "data", OPTION_VALUE, "DIR", "" }, { 0 } };

static struct options given;
static char           why[160];
static char          *words[16], copy[256];

static enum mh_err parse(const char *line)
{
    char *rest = copy;
    int   count = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        words[count++] = word;
    return options_parse(count, words, own, common, &given, why, sizeof why);
}

static void assert_refused(const char *line, const char *sentence)
{
    assert_int_equal(parse(line), MH_INVALID);
    assert_string_equal(why, sentence);
}

TEST(options_and_words_mix_in_any_order)
{
    assert_int_equal(parse("one --data=x two --quiet three"), MH_OK);
    assert_int_equal(given.words, 3);
    assert_string_equal(given.word[2], "three");
    assert_string_equal(options_text(&given, "data", ""), "x");
    assert_true(options_has(&given, "quiet"));
    options_free(&given);
}

TEST(two_dashes_end_the_options)
{
    assert_int_equal(parse("--quiet -- --data -x"), MH_OK);
    assert_int_equal(given.words, 2);
    assert_string_equal(given.word[0], "--data");
    options_free(&given);
}

TEST(a_single_dash_is_a_word_and_a_value)
{
    assert_int_equal(parse("- --data -"), MH_OK);
    assert_string_equal(given.word[0], "-");
    assert_string_equal(options_text(&given, "data", ""), "-");
    options_free(&given);
}

TEST(a_repeated_option_keeps_every_value_and_the_last_one_counts)
{
    size_t at = 0;

    assert_int_equal(parse("--data a --data b"), MH_OK);
    assert_string_equal(options_text(&given, "data", ""), "b");
    assert_string_equal(options_next(&given, "data", &at), "a");
    assert_string_equal(options_next(&given, "data", &at), "b");
    assert_null(options_next(&given, "data", &at));
    options_free(&given);
}

TEST(an_optional_value_comes_only_behind_an_equals_sign)
{
    assert_int_equal(parse("--wait 5"), MH_OK);
    assert_true(options_has(&given, "wait"));
    assert_string_equal(options_text(&given, "wait", "otherwise"), "otherwise");
    assert_int_equal(given.words, 1);
    options_free(&given);
    assert_int_equal(parse("--wait=5"), MH_OK);
    assert_string_equal(options_text(&given, "wait", "otherwise"), "5");
    options_free(&given);
}

TEST(the_commands_own_table_comes_before_the_common_one)
{
    assert_int_equal(parse("--data x --url u"), MH_OK);
    assert_ptr_equal(given.given[0].spec, &own[0]);
    assert_ptr_equal(given.given[1].spec, &common[0]);
    options_free(&given);
}

TEST(help_is_known_to_every_table)
{
    assert_int_equal(parse("x -h"), MH_OK);
    assert_true(given.help);
    options_free(&given);
}

TEST(an_empty_value_is_a_value)
{
    assert_int_equal(parse("--data="), MH_OK);
    assert_string_equal(options_text(&given, "data", "otherwise"), "");
    options_free(&given);
}

TEST(a_forgotten_value_does_not_swallow_the_next_option)
{
    assert_refused("--data --quiet", "--data needs a value: --data TEXT");
    assert_refused("--data", "--data needs a value: --data TEXT");
}

TEST(a_flag_with_a_value_is_refused)
{
    assert_refused("--quiet=yes", "--quiet takes no value");
}

TEST(an_unknown_option_is_refused_with_the_nearest_one_if_there_is_one)
{
    assert_refused("--qiet", "there is no option --qiet; did you mean --quiet?");
    assert_refused("--completely-different=1", "there is no option --completely-different");
    assert_refused("-q", "there is no option -q; options are written --name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(options_and_words_mix_in_any_order),
        RUN(two_dashes_end_the_options),
        RUN(a_single_dash_is_a_word_and_a_value),
        RUN(a_repeated_option_keeps_every_value_and_the_last_one_counts),
        RUN(an_optional_value_comes_only_behind_an_equals_sign),
        RUN(the_commands_own_table_comes_before_the_common_one),
        RUN(help_is_known_to_every_table),
        RUN(an_empty_value_is_a_value),
        RUN(a_forgotten_value_does_not_swallow_the_next_option),
        RUN(a_flag_with_a_value_is_refused),
        RUN(an_unknown_option_is_refused_with_the_nearest_one_if_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
