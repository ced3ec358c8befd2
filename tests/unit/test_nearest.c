/* test_nearest.c - "did you mean". */
#include "unit.h"

#include "base/nearest.h"

#include <string.h>

static const char *nearest(const char *word)
{
    struct nearest n = { .word = word };

    nearest_offer(&n, "listen");
    nearest_offer(&n, "redis");
    nearest_offer(&n, "redis-memory");
    return n.best;
}

TEST(a_letter_too_few_too_many_or_changed_is_close)
{
    assert_string_equal(nearest("lisen"), "listen");
    assert_string_equal(nearest("listenn"), "listen");
    assert_string_equal(nearest("rebis"), "redis");
}

TEST(the_closest_of_several_wins)
{
    assert_string_equal(nearest("redis-memmory"), "redis-memory");
    assert_string_equal(nearest("redi"), "redis");
}

TEST(a_word_that_is_like_none_has_no_nearest) { assert_null(nearest("webhook")); }

TEST(a_word_of_any_length_is_taken)
{
    char word[1000];

    memset(word, 'x', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_null(nearest(word));
    assert_null(nearest(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_letter_too_few_too_many_or_changed_is_close),
        RUN(the_closest_of_several_wins),
        RUN(a_word_that_is_like_none_has_no_nearest),
        RUN(a_word_of_any_length_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
