/* What Redis says, in words for whoever runs it. */
#include "io/redis_trouble.h"
#include "unit.h"

#include <string.h>

static const char *told(const char *why)
{
    static char out[REDIS_TROUBLE_BYTES];
    return redis_trouble(why, out);
}

TEST(a_wrong_password_names_the_setting)
{
    assert_string_equal(told("AUTH was answered: WRONGPASS invalid password."),
        "AUTH was answered: WRONGPASS invalid password; user or password in --redis (MOONHOOK_REDIS) is not "
        "what Redis has");
}

TEST(the_hash_of_a_script_is_left_out)
{
    assert_null(strstr(told("OOM command not allowed. script: 16bd, on @user_script:2."), "script"));
}

TEST(what_is_not_known_stays_as_it_is)
{
    assert_string_equal(told("Connection refused"), "Connection refused");
    assert_string_equal(told(""), "");
}

TEST(a_long_text_keeps_its_advice)
{
    char long_text[2000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    memcpy(long_text, "MISCONF", 7);
    assert_non_null(strstr(told(long_text), "its log says more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_wrong_password_names_the_setting),
        RUN(the_hash_of_a_script_is_left_out),
        RUN(what_is_not_known_stays_as_it_is),
        RUN(a_long_text_keeps_its_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
