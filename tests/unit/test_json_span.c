/* test_json_span.c - members and items found in JSON text, byte for byte. */
#include "unit.h"

#include "io/json.h"

#include <stdlib.h>
#include <string.h>

/* A copy without a byte behind it, so that a sanitizer sees who reads on. */
static struct json_span exact(const char *text)
{
    struct json_span span = { NULL, strlen(text) };
    char            *copy = malloc(span.bytes ? span.bytes : 1);

    assert_non_null(copy);
    memcpy(copy, text, span.bytes);
    span.text = copy;
    return span;
}

static void assert_member(const char *text, const char *name, const char *wanted)
{
    struct json_span all = exact(text), found = { NULL, 0 };

    enum mh_err err = json_member_span(all.text, all.bytes, name, &found);
    assert_int_equal(err, wanted ? MH_OK : MH_NOT_FOUND);
    if (wanted != NULL) {
        assert_int_equal(found.bytes, strlen(wanted));
        assert_memory_equal(found.text, wanted, found.bytes);
    }
    free((char *)all.text);
}

TEST(a_member_is_found_with_the_digits_that_it_was_sent_with)
{
    assert_member("{\"a\":1.10,\"data\":{\"n\":1e2 , \"m\":0.30}}", "data", "{\"n\":1e2 , \"m\":0.30}");
}

TEST(blanks_around_a_value_are_no_part_of_it)
{
    assert_member(" {\n\"data\" :\t[ 1 ]\r\n , \"b\":2 } ", "data", "[ 1 ]");
}

TEST(brackets_and_quotes_inside_strings_end_nothing)
{
    assert_member("{\"a\":\"}\\\",\\\"data\\\":1\",\"data\":\"]}\\\\\"}", "data", "\"]}\\\\\"");
}

TEST(a_member_of_an_inner_object_is_not_taken_for_one_of_the_outer)
{
    assert_member("{\"a\":{\"data\":1},\"data\":2}", "data", "2");
    assert_member("{\"a\":{\"data\":1}}", "data", NULL);
}

TEST(a_longer_or_shorter_name_is_another_member)
{
    assert_member("{\"dat\":1,\"data2\":2}", "data", NULL);
}

TEST(a_name_written_with_escapes_is_not_found)
{
    assert_member("{\"d\\u0061ta\":1}", "data", NULL);
}

TEST(what_is_no_object_has_no_members)
{
    assert_member("[\"data\",1]", "data", NULL);
    assert_member("", "data", NULL);
    assert_member("{}", "data", NULL);
}

TEST(a_text_that_is_cut_anywhere_is_never_read_past_its_end)
{
    static const char whole[] = "{\"a\\\\\":[1,\"x\\\"y\"],\"data\":{\"b\":\"\\\\\"}}";

    for (size_t bytes = 0; bytes < sizeof whole; bytes++) {
        char cut[sizeof whole];
        struct json_span found;
        memcpy(cut, whole, bytes);
        cut[bytes] = '\0';
        struct json_span all = exact(cut);
        (void)!json_member_span(all.text, all.bytes, "data", &found);
        free((char *)all.text);
    }
}

static void assert_items(const char *text, size_t count, const char *const *wanted)
{
    struct json_span all = exact(text), item;
    size_t           at = 0;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_item_span(all.text, all.bytes, &at, &item), MH_OK);
        assert_int_equal(item.bytes, strlen(wanted[i]));
        assert_memory_equal(item.text, wanted[i], item.bytes);
    }
    assert_int_equal(json_item_span(all.text, all.bytes, &at, &item), MH_NOT_FOUND);
    free((char *)all.text);
}

TEST(the_items_of_an_array_come_one_after_another)
{
    const char *const wanted[] = { "{\"a\":[1,2]}", "\",\"", "[]", "null", "-1.50" };

    assert_items("[ {\"a\":[1,2]} ,\",\", [],null , -1.50 ]", 5, wanted);
}

TEST(an_empty_array_has_no_items)
{
    assert_items("[]", 0, NULL);
    assert_items(" [ \n ] ", 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_member_is_found_with_the_digits_that_it_was_sent_with),
        RUN(blanks_around_a_value_are_no_part_of_it),
        RUN(brackets_and_quotes_inside_strings_end_nothing),
        RUN(a_member_of_an_inner_object_is_not_taken_for_one_of_the_outer),
        RUN(a_longer_or_shorter_name_is_another_member),
        RUN(a_name_written_with_escapes_is_not_found),
        RUN(what_is_no_object_has_no_members),
        RUN(a_text_that_is_cut_anywhere_is_never_read_past_its_end),
        RUN(the_items_of_an_array_come_one_after_another),
        RUN(an_empty_array_has_no_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
