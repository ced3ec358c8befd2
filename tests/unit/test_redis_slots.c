/* test_redis_slots.c - keys and commands to a cluster's slots. The numbers are what
 * CLUSTER KEYSLOT of Redis 7.0 answers. */
#include "unit.h"

#include "io/redis_slots.h"

#include <string.h>

static int of_key(const char *key) { return redis_key_slot(key, strlen(key)); }
static int of_command(const char *text) { return redis_command_slot(text, strlen(text)); }

TEST(a_key_has_the_slot_that_redis_gives_it)
{
    assert_int_equal(of_key("123456789"), 12739);
    assert_int_equal(of_key("foo"), 12182);
    assert_int_equal(of_key(""), 0);
}

TEST(a_tag_in_braces_decides_alone)
{
    assert_int_equal(of_key("mh:{foo}:due"), of_key("foo"));
    assert_int_equal(of_key("{foo}{bar}"), of_key("foo"));
    assert_int_equal(of_key("a{{b}c"), of_key("{b"));
}

TEST(empty_or_open_braces_are_no_tag)
{
    assert_int_not_equal(of_key("{}foo"), of_key("foo"));
    assert_int_not_equal(of_key("{foo"), of_key("foo"));
    assert_int_equal(of_key("foo{}{bar}"), 8363);
}

TEST(a_command_goes_by_its_first_key)
{
    assert_int_equal(of_command("*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n"), 12182);
    assert_int_equal(of_command("*4\r\n$4\r\nHSET\r\n$3\r\nfoo\r\n$1\r\na\r\n$1\r\nb\r\n"), 12182);
}

TEST(a_script_goes_by_the_first_of_its_keys)
{
    assert_int_equal(of_command("*5\r\n$7\r\nEVALSHA\r\n$2\r\nab\r\n$1\r\n1\r\n$3\r\nfoo\r\n$1\r\nx\r\n"),
                     12182);
    assert_int_equal(of_command("*4\r\n$4\r\nEVAL\r\n$4\r\na\r\nb\r\n$1\r\n1\r\n$3\r\nfoo\r\n"), 12182);
}

TEST(without_a_key_there_is_no_slot)
{
    assert_int_equal(of_command("*1\r\n$4\r\nPING\r\n"), REDIS_NO_SLOT);
    assert_int_equal(of_command("*4\r\n$4\r\nEVAL\r\n$1\r\na\r\n$1\r\n0\r\n$3\r\nfoo\r\n"), REDIS_NO_SLOT);
    assert_int_equal(of_command("*2\r\n$3\r\nGET\r\n$9\r\nfoo"), REDIS_NO_SLOT);
    assert_int_equal(of_command(""), REDIS_NO_SLOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_key_has_the_slot_that_redis_gives_it),
        RUN(a_tag_in_braces_decides_alone),
        RUN(empty_or_open_braces_are_no_tag),
        RUN(a_command_goes_by_its_first_key),
        RUN(a_script_goes_by_the_first_of_its_keys),
        RUN(without_a_key_there_is_no_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
