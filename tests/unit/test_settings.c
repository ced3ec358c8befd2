/* test_settings.c - settings from flags, environment and file. */
#include "unit.h"

#include "base/util.h"
#include "core/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char why[256];

/* Loads from the words of `line`, which blanks separate. */
static enum mh_err load(const char *line, struct settings *out)
{
    char *words[32], copy[512], *rest = copy;
    int   count = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0')
            words[count++] = word;
    why[0] = '\0';
    return settings_load(count, words, out, why, sizeof why);
}

static void write_file(char path[64], const char *text)
{
    snprintf(path, 64, "/tmp/test_settings.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_refused(const char *line, const char *sentence)
{
    struct settings s = { 0 };

    assert_int_equal(load(line, &s), MH_INVALID);
    assert_string_equal(why, sentence);
    assert_null(s.listen);
}

static void assert_file_refused(const char *text, const char *sentence_behind_path)
{
    char path[64], line[128], sentence[256];

    write_file(path, text);
    snprintf(line, sizeof line, "--config %s", path);
    snprintf(sentence, sizeof sentence, "%s%s", path, sentence_behind_path);
    assert_refused(line, sentence);
    unlink(path);
}

TEST(without_anything_given_every_setting_has_its_default)
{
    struct settings s;

    assert_int_equal(load("", &s), MH_OK);
    assert_string_equal(s.listen, "127.0.0.1:8420");
    assert_string_equal(s.redis, "");
    assert_int_equal(s.hook_memory, 64 * 1024 * 1024);
    assert_int_equal(s.retention, 7LL * 86400 * 1000);
    assert_int_equal(s.max_backlog, 1000000);
    assert_int_equal(s.allow_private.count, 0);
    settings_free(&s);
}

TEST(a_flag_takes_its_value_separately_or_behind_an_equals_sign)
{
    struct settings s;

    assert_int_equal(load("--listen 0.0.0.0:1 --data=/d", &s), MH_OK);
    assert_string_equal(s.listen, "0.0.0.0:1");
    assert_string_equal(s.data, "/d");
    settings_free(&s);
}

TEST(a_list_is_given_several_times_or_with_commas)
{
    struct settings s;

    assert_int_equal(load("--allow-private 10.0.0.0/8,::1 --allow-private 127.0.0.0/8", &s),
                     MH_OK);
    assert_int_equal(s.allow_private.count, 3);
    assert_string_equal(s.allow_private.item[1], "::1");
    assert_string_equal(s.allow_private.item[2], "127.0.0.0/8");
    settings_free(&s);
}

TEST(sizes_and_durations_have_units)
{
    struct settings s;

    assert_int_equal(load("--max-body 64K --redis-memory 2g --webhook-timeout 250ms "
                          "--retention 2d --drain-timeout 1500", &s), MH_OK);
    assert_int_equal(s.max_body, 65536);
    assert_int_equal(s.redis_memory, 2LL << 30);
    assert_int_equal(s.webhook_timeout, 250);
    assert_int_equal(s.retention, 2LL * 86400 * 1000);
    assert_int_equal(s.drain_timeout, 1500);
    settings_free(&s);
}

TEST(flags_win_over_the_environment_and_that_over_the_file)
{
    struct settings s;
    char            path[64], line[128];

    write_file(path, "data = /file\nprefix = file\nlisten = file:1 # all three\n"
                     "plugins = /a, /b\n");
    setenv("MOONHOOK_PREFIX", "environment", 1);
    setenv("MOONHOOK_LISTEN", "environment:1", 1);
    snprintf(line, sizeof line, "--config %s --listen flag:1 --plugins /c", path);
    assert_int_equal(load(line, &s), MH_OK);
    assert_string_equal(s.data, "/file");
    assert_string_equal(s.prefix, "environment");
    assert_string_equal(s.listen, "flag:1");
    assert_int_equal(s.plugins.count, 1);
    assert_string_equal(s.plugins.item[0], "/c");
    settings_free(&s);
    unsetenv("MOONHOOK_PREFIX");
    unsetenv("MOONHOOK_LISTEN");
    unlink(path);
}

TEST(the_environment_may_name_the_file)
{
    struct settings s;
    char            path[64];

    write_file(path, "\n# comment\n  redis = redis://h/#1 # the '#' of a URL stays\n");
    setenv("MOONHOOK_CONFIG", path, 1);
    assert_int_equal(load("", &s), MH_OK);
    assert_string_equal(s.redis, "redis://h/#1");
    settings_free(&s);
    unsetenv("MOONHOOK_CONFIG");
    unlink(path);
}

TEST(an_empty_variable_counts_as_not_set)
{
    struct settings s;

    setenv("MOONHOOK_MAX_BODY", "", 1);
    assert_int_equal(load("", &s), MH_OK);
    assert_int_equal(s.max_body, 1024 * 1024);
    settings_free(&s);
    unsetenv("MOONHOOK_MAX_BODY");
}

TEST(variables_of_the_clients_and_of_kubernetes_are_passed_over)
{
    struct settings s;

    setenv("MOONHOOK_KEY", "mh_x", 1);
    setenv("MOONHOOK_PORT_8420_TCP_ADDR", "10.0.0.1", 1);
    assert_int_equal(load("", &s), MH_OK);
    settings_free(&s);
    unsetenv("MOONHOOK_KEY");
    unsetenv("MOONHOOK_PORT_8420_TCP_ADDR");
}

TEST(an_unknown_flag_is_refused_with_the_nearest_one)
{
    assert_refused("--max-boddy 1m", "there is no option --max-boddy; did you mean --max-body?");
}

TEST(an_unknown_variable_is_refused_with_the_nearest_one)
{
    setenv("MOONHOOK_REDIS_FSINC", "always", 1);
    assert_refused("", "the environment's MOONHOOK_REDIS_FSINC is not a setting; "
                       "did you mean MOONHOOK_REDIS_FSYNC?");
    unsetenv("MOONHOOK_REDIS_FSINC");
}

TEST(an_unknown_key_is_refused_with_file_and_line)
{
    assert_file_refused("\nlissten = x\n",
                        ":2: \"lissten\" is not a setting; did you mean listen?");
}

TEST(a_line_without_an_equals_sign_is_refused)
{
    assert_file_refused("listen\n", ":1: \"listen\" is not of the form key = value");
}

TEST(a_bad_value_in_the_file_is_refused_even_where_a_flag_replaces_it)
{
    assert_file_refused("max-owned = many\n", ":1: max-owned: \"many\" is not a whole number");
}

TEST(a_file_that_is_not_there_is_refused_by_name)
{
    assert_refused("--config /nonexistent/m.conf", "the configuration file /nonexistent/m.conf "
                   "cannot be read: No such file or directory");
}

TEST(a_number_out_of_bounds_is_refused_with_the_bounds_in_its_unit)
{
    assert_refused("--max-body 10", "--max-body: 10 is not between 1k and 8m");
    assert_refused("--webhook-timeout 1h", "--webhook-timeout: 1h is not between 100ms and 2m");
    assert_refused("--max-owned 1", "--max-owned: 1 is not between 100 and 1000000");
}

TEST(what_is_no_number_is_refused_with_what_is_taken)
{
    assert_refused("--max-body 1.5m",
                   "--max-body: \"1.5m\" is not a size in bytes such as 65536, 64k, 1m or 2g");
    assert_refused("--redis-memory 99999999999999t", "--redis-memory: \"99999999999999t\" is not "
                   "a size in bytes such as 65536, 64k, 1m or 2g");
    assert_refused("--hook-timeout -1s", "--hook-timeout: \"-1s\" is not "
                   "a duration such as 250ms, 5s, 10m, 2h or 7d");
}

TEST(a_word_outside_the_choice_is_refused)
{
    assert_refused("--redis-fsync every", "--redis-fsync: \"every\" is not one of always|everysec");
}

TEST(a_word_that_is_no_option_is_refused)
{
    assert_refused("now", "\"now\" is not an option; serve takes nothing else");
}

TEST(the_help_names_every_setting_with_default_and_variable)
{
    char *help = settings_help();

#define X(field, kind, flag, otherwise, min, max, value, text)                                     \
    assert_non_null(strstr(help, "  --" flag " " value));
    MH_SETTINGS(X)
#undef X
    assert_non_null(strstr(help, "[always; MOONHOOK_REDIS_FSYNC]"));
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(without_anything_given_every_setting_has_its_default),
        RUN(a_flag_takes_its_value_separately_or_behind_an_equals_sign),
        RUN(a_list_is_given_several_times_or_with_commas),
        RUN(sizes_and_durations_have_units),
        RUN(flags_win_over_the_environment_and_that_over_the_file),
        RUN(the_environment_may_name_the_file),
        RUN(an_empty_variable_counts_as_not_set),
        RUN(variables_of_the_clients_and_of_kubernetes_are_passed_over),
        RUN(an_unknown_flag_is_refused_with_the_nearest_one),
        RUN(an_unknown_variable_is_refused_with_the_nearest_one),
        RUN(an_unknown_key_is_refused_with_file_and_line),
        RUN(a_line_without_an_equals_sign_is_refused),
        RUN(a_bad_value_in_the_file_is_refused_even_where_a_flag_replaces_it),
        RUN(a_file_that_is_not_there_is_refused_by_name),
        RUN(a_number_out_of_bounds_is_refused_with_the_bounds_in_its_unit),
        RUN(what_is_no_number_is_refused_with_what_is_taken),
        RUN(a_word_outside_the_choice_is_refused),
        RUN(a_word_that_is_no_option_is_refused),
        RUN(the_help_names_every_setting_with_default_and_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
