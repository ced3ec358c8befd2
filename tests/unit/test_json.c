/* test_json.c - JSON from strangers, and what they are told about it. */
#include "unit.h"

#include "base/util.h"
#include "io/json.h"

#include <stdlib.h>
#include <string.h>

static struct json_fault fault;

static enum mh_err parse(const char *text, size_t bytes)
{
    json_t     *value = NULL;
    enum mh_err err = json_parse(text, bytes, &value, &fault);

    json_decref(value);
    return err;
}

static enum mh_err parse_text(const char *text) { return parse(text, strlen(text)); }

/* `count` of `open`, then as many of `close`. */
static enum mh_err parse_nested(int count, char open, char close)
{
    char text[2 * 200];

    memset(text, open, (size_t)count);
    memset(text + count, close, (size_t)count);
    return parse(text, (size_t)count * 2);
}

/* ---- Parsing ------------------------------------------------------------------- */

TEST(what_was_parsed_is_written_again_in_its_order)
{
    const char *text = "{\"b\":1,\"a\":[true,null,\"\xC3\xA9\"],\"c\":9007199254740993}";
    json_t     *value = NULL;
    size_t      bytes;

    assert_int_equal(json_parse(text, strlen(text), &value, &fault), MH_OK);
    char *again = json_text(value, &bytes);
    assert_string_equal(again, text);
    assert_int_equal(bytes, strlen(text));
    free(again);
    json_decref(value);
}

TEST(a_value_need_not_be_an_object) { assert_int_equal(parse_text(" 7 "), MH_OK); }

TEST(a_fault_names_line_and_column)
{
    assert_int_equal(parse_text("{\n \"a\": 1,\n  }"), MH_INVALID);
    assert_non_null(strstr(fault.text, "line 3, column 3: "));
    assert_non_null(strstr(fault.text, "near '}'"));
}

TEST(a_fault_repeats_no_value)
{
    static const char *const texts[] = { "{\"a\": \"b\" \"hunter2\"}", "{\"a\": hunter2}",
                                         "{\"hunter2\": 1, \"hunter2\": 2}", "[\"hunter2" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse_text(texts[i]), MH_INVALID);
        assert_non_null(strstr(fault.text, "line 1, column "));
        assert_null(strstr(fault.text, "hunter"));
    }
}

TEST(a_fault_of_parsing_points_to_no_member)
{
    memset(&fault, 'x', sizeof fault);
    assert_int_equal(parse_text("{"), MH_INVALID);
    assert_string_equal(fault.pointer, "");
}

TEST(an_empty_text_is_told_that_a_body_was_expected)
{
    assert_int_equal(parse(NULL, 0), MH_INVALID);
    assert_non_null(strstr(fault.text, "a JSON body was expected"));
}

TEST(a_key_that_comes_twice_is_refused)
{
    assert_int_equal(parse_text("{\"a\":1,\"a\":2}"), MH_INVALID);
    assert_non_null(strstr(fault.text, "duplicate"));
}

TEST(what_is_not_utf8_is_refused) { assert_int_equal(parse_text("\"\xC3(\""), MH_INVALID); }
TEST(an_escaped_nul_is_refused) { assert_int_equal(parse_text("\"a\\u0000b\""), MH_INVALID); }
TEST(a_raw_nul_is_refused) { assert_int_equal(parse("\"a\0b\"", 5), MH_INVALID); }
TEST(a_raw_nul_behind_a_number_is_refused)
{
    assert_int_equal(parse("[1\0]", 4), MH_INVALID);
    assert_int_equal(parse("[1,\0 2]", 7), MH_INVALID);
}
TEST(text_behind_the_value_is_refused) { assert_int_equal(parse_text("{} {}"), MH_INVALID); }
TEST(bytes_behind_the_given_length_are_not_read) { assert_int_equal(parse("7x", 1), MH_OK); }

TEST(the_last_level_that_is_allowed_is_taken)
{
    assert_int_equal(parse_nested(JSON_MAX_NESTING, '[', ']'), MH_OK);
}

TEST(one_level_more_is_refused_in_words)
{
    assert_int_equal(parse_nested(JSON_MAX_NESTING + 1, '[', ']'), MH_INVALID);
    assert_string_equal(fault.text, "is nested more than 64 levels deep");
}

TEST(a_million_brackets_do_not_reach_the_stack)
{
    size_t count = 1000 * 1000;
    char  *text = malloc(count);

    memset(text, '[', count);
    assert_int_equal(parse(text, count), MH_INVALID);
    free(text);
}

TEST(brackets_in_strings_do_not_nest)
{
    char text[300] = "\"\\\"";

    memset(text + 3, '[', 200);
    memcpy(text + 203, "\"", 2);
    assert_int_equal(parse_text(text), MH_OK);
}

/* ---- Reading members ----------------------------------------------------------- */

TEST(members_of_another_kind_read_as_the_default)
{
    json_t *value = json_pack("{s:i, s:s, s:b}", "n", 7, "t", "x", "b", 1);

    assert_string_equal(json_text_of(value, "n", "none"), "none");
    assert_int_equal(json_int_of(value, "t", -1), -1);
    assert_false(json_bool_of(value, "n", false));
    json_decref(value);
}

TEST(members_of_the_right_kind_read_as_they_are)
{
    json_t *value = json_pack("{s:i, s:s, s:b}", "n", 7, "t", "x", "b", 1);

    assert_int_equal(json_int_of(value, "n", -1), 7);
    assert_string_equal(json_text_of(value, "t", "none"), "x");
    assert_true(json_bool_of(value, "b", false));
    json_decref(value);
}

TEST(members_of_nothing_read_as_the_default)
{
    assert_int_equal(json_int_of(NULL, "n", -1), -1);
}

TEST(a_value_that_could_not_be_made_is_put_as_null)
{
    json_t *object = json_object();

    json_put(object, "a", NULL);
    assert_true(json_is_null(json_object_get(object, "a")));
    json_decref(object);
}

/* ---- Checking a request -------------------------------------------------------- */

static const struct json_field fields[] = {
    { "url", JSON_IS_STRING, true },     { "port", JSON_IS_INTEGER, false },
    { "active", JSON_IS_BOOL, false },   { "headers", JSON_IS_OBJECT, false },
    { "events", JSON_IS_ARRAY, false },  { "data", JSON_IS_ANY, false },
};

static enum mh_err check(const char *text)
{
    json_t     *value = json_loads(text, JSON_DECODE_ANY, NULL);
    enum mh_err err = json_check(value, fields, ARRAY_LEN(fields), &fault);

    assert_non_null(value);
    json_decref(value);
    return err;
}

static void assert_fault(const char *text, const char *pointer, const char *sentence)
{
    assert_int_equal(check(text), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, pointer);
    assert_string_equal(fault.text, sentence);
}

TEST(a_request_with_all_its_members_passes)
{
    assert_int_equal(check("{\"url\":\"u\",\"port\":1,\"active\":false,\"headers\":{},"
                           "\"events\":[],\"data\":null}"), MH_OK);
}

TEST(optional_members_may_be_missing) { assert_int_equal(check("{\"url\":\"u\"}"), MH_OK); }

TEST(what_is_required_is_named) { assert_fault("{}", "/url", "is required"); }

TEST(a_member_that_nobody_knows_is_named)
{
    assert_fault("{\"url\":\"u\",\"urll\":1}", "/urll", "unknown field");
}

TEST(each_wrong_kind_is_told_the_right_one)
{
    assert_fault("{\"url\":1}", "/url", "must be a string");
    assert_fault("{\"url\":\"u\",\"port\":1.5}", "/port", "must be an integer");
    assert_fault("{\"url\":\"u\",\"active\":1}", "/active", "must be true or false");
    assert_fault("{\"url\":\"u\",\"headers\":[]}", "/headers", "must be an object");
    assert_fault("{\"url\":\"u\",\"events\":{}}", "/events", "must be an array");
}

TEST(null_is_no_string) { assert_fault("{\"url\":null}", "/url", "must be a string"); }
TEST(an_array_is_no_request) { assert_fault("[]", "", "must be a JSON object"); }

TEST(pointers_escape_tilde_and_slash)
{
    assert_fault("{\"a/b~c\":1}", "/a~1b~0c", "unknown field");
}

/* A member with a name of `count` times `unit` that nobody knows. */
static void check_long_name(const char *unit, int count)
{
    char text[1024] = "{\"";

    for (int i = 0; i < count; i++)
        strncat(text, unit, sizeof text - strlen(text) - 1);
    strncat(text, "\":1}", sizeof text - strlen(text) - 1);
    assert_int_equal(check(text), MH_UNPROCESSABLE);
}

TEST(a_long_name_is_cut_between_characters)
{
    check_long_name("\xE2\x82\xAC", 100);
    json_t *pointer = json_string(fault.pointer);          /* NULL where it is not UTF-8 */
    assert_non_null(pointer);
    json_decref(pointer);
}

TEST(a_long_name_is_cut_between_escapes)
{
    check_long_name("~", 200);
    assert_int_equal(strlen(fault.pointer) % 2, 1);        /* "/" and whole "~0"s */
}

TEST(a_fault_of_a_check_is_filled_from_a_format)
{
    assert_int_equal(json_fault(&fault, "/a", "at most %d", 5), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, "/a");
    assert_string_equal(fault.text, "at most 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(what_was_parsed_is_written_again_in_its_order),
        RUN(a_value_need_not_be_an_object),
        RUN(a_fault_names_line_and_column),
        RUN(a_fault_repeats_no_value),
        RUN(a_fault_of_parsing_points_to_no_member),
        RUN(an_empty_text_is_told_that_a_body_was_expected),
        RUN(a_key_that_comes_twice_is_refused),
        RUN(what_is_not_utf8_is_refused),
        RUN(an_escaped_nul_is_refused),
        RUN(a_raw_nul_is_refused),
        RUN(a_raw_nul_behind_a_number_is_refused),
        RUN(text_behind_the_value_is_refused),
        RUN(bytes_behind_the_given_length_are_not_read),
        RUN(the_last_level_that_is_allowed_is_taken),
        RUN(one_level_more_is_refused_in_words),
        RUN(a_million_brackets_do_not_reach_the_stack),
        RUN(brackets_in_strings_do_not_nest),
        RUN(members_of_another_kind_read_as_the_default),
        RUN(members_of_the_right_kind_read_as_they_are),
        RUN(members_of_nothing_read_as_the_default),
        RUN(a_value_that_could_not_be_made_is_put_as_null),
        RUN(a_request_with_all_its_members_passes),
        RUN(optional_members_may_be_missing),
        RUN(what_is_required_is_named),
        RUN(a_member_that_nobody_knows_is_named),
        RUN(each_wrong_kind_is_told_the_right_one),
        RUN(null_is_no_string),
        RUN(an_array_is_no_request),
        RUN(pointers_escape_tilde_and_slash),
        RUN(a_long_name_is_cut_between_characters),
        RUN(a_long_name_is_cut_between_escapes),
        RUN(a_fault_of_a_check_is_filled_from_a_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
