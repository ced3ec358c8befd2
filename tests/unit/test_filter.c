/* test_filter.c - conditions on what is in an event. */
#include "webhook/filter.h"

#include "base/util.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static json_t *json(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        fail_msg("no JSON: %s", text);
    return value;
}

static const char EVENT[] =
    "{\"id\":\"evt_1\",\"event\":\"alert\",\"org_id\":\"acme\",\"data\":{\"severity\":\"critical\","
    "\"value\":90,\"share\":0.5,\"whole\":1.0,\"big\":9007199254740993,\"none\":null,\"on\":true,"
    "\"tags\":[\"a\",\"b\",{\"deep\":7}],\"a/b\":1,\"m~n\":2,\"\":3,\"title\":\"Disk full on h1\"}}";

static bool holds(const char *pointer, const char *op, const char *value, char *why)
{
    char text[1024];
    snprintf(text, sizeof text, "[{\"pointer\":\"%s\",\"op\":\"%s\",\"value\":%s}]", pointer, op, value);
    json_t           *filter = json(text), *envelope = json(EVENT);
    struct json_fault fault;
    assert_int_equal(filter_check(filter, &fault), MH_OK);
    bool matches = filter_matches(filter, envelope, why);
    json_decref(filter);
    json_decref(envelope);
    return matches;
}

struct row { const char *pointer, *op, *value; bool holds; };

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds(rows[i].pointer, rows[i].op, rows[i].value, NULL) != rows[i].holds)
            fail_msg("%s %s %s", rows[i].pointer, rows[i].op, rows[i].value);
}

TEST(values_are_equal_by_kind_and_numbers_by_amount)
{
    static const struct row rows[] = {
        { "/data/severity", "eq", "\"critical\"", true }, { "/data/severity", "eq", "\"crit\"", false },
        { "/data/severity", "eq", "\"Critical\"", false }, { "/event", "eq", "\"alert\"", true },
        { "/data/value", "eq", "90", true }, { "/data/value", "eq", "90.0", true },
        { "/data/whole", "eq", "1", true }, { "/data/value", "eq", "\"90\"", false },
        { "/data/big", "eq", "9007199254740993", true }, { "/data/big", "eq", "9007199254740992", false },
        { "/data/none", "eq", "null", true }, { "/data/on", "eq", "true", true },
        { "/data/on", "eq", "1", false }, { "/data/tags", "eq", "\"a\"", false },
        { "/data/missing", "eq", "null", false },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(one_of_a_list_is_enough)
{
    static const struct row rows[] = {
        { "/data/severity", "in", "[\"error\",\"critical\"]", true },
        { "/data/severity", "in", "[\"error\"]", false }, { "/data/value", "in", "[1,90.0]", true },
        { "/data/missing", "in", "[null]", false },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(numbers_are_compared_and_nothing_else_is)
{
    static const struct row rows[] = {
        { "/data/value", "gt", "89", true }, { "/data/value", "gt", "90", false },
        { "/data/value", "gt", "89.9", true }, { "/data/value", "lt", "90.1", true },
        { "/data/value", "lt", "90", false }, { "/data/share", "lt", "1", true },
        { "/data/big", "gt", "9007199254740992", true }, { "/data/severity", "gt", "0", false },
        { "/data/severity", "lt", "0", false }, { "/data/missing", "lt", "5", false },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_value_exists_also_when_it_is_null)
{
    static const struct row rows[] = {
        { "/data/none", "exists", "true", true }, { "/data/none", "exists", "false", false },
        { "/data/missing", "exists", "true", false }, { "/data/missing", "exists", "false", true },
        { "", "exists", "true", true },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_prefix_is_the_beginning_of_text)
{
    static const struct row rows[] = {
        { "/data/title", "prefix", "\"Disk\"", true }, { "/data/title", "prefix", "\"disk\"", false },
        { "/data/title", "prefix", "\"\"", true }, { "/data/title", "prefix", "\"Disk full on h1!\"", false },
        { "/data/value", "prefix", "\"9\"", false },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_pointer_goes_through_arrays_and_escapes)
{
    static const struct row rows[] = {
        { "/data/tags/1", "eq", "\"b\"", true }, { "/data/tags/2/deep", "eq", "7", true },
        { "/data/tags/01", "exists", "true", false }, { "/data/tags/-", "exists", "true", false },
        { "/data/tags/3", "exists", "true", false }, { "/data/tags/99999999999", "exists", "true", false },
        { "/data/a~1b", "eq", "1", true }, { "/data/m~0n", "eq", "2", true }, { "/data/", "eq", "3", true },
        { "/data/severity/0", "exists", "true", false }, { "/", "exists", "true", false },
    };
    check_rows(rows, ARRAY_LEN(rows));
}

TEST(every_condition_must_hold_and_none_always_does)
{
    json_t *envelope = json(EVENT), *none = json("[]");
    json_t *both = json("[{\"pointer\":\"/data/value\",\"op\":\"gt\",\"value\":1},"
                        "{\"pointer\":\"/data/severity\",\"op\":\"eq\",\"value\":\"info\"}]");
    char    why[FILTER_WHY_BYTES];
    assert_true(filter_matches(none, envelope, NULL));
    assert_false(filter_matches(both, envelope, why));
    assert_string_equal(why, "/data/severity is \"critical\", which is not \"info\"");
    json_decref(envelope);
    json_decref(none);
    json_decref(both);
}

TEST(the_first_condition_that_does_not_hold_is_told)
{
    static const struct { const char *pointer, *op, *value, *why; } rows[] = {
        { "/data/severity", "in", "[\"a\",\"b\"]",
          "/data/severity is \"critical\", which is not one of [\"a\",\"b\"]" },
        { "/data/value", "gt", "95", "/data/value is 90, which is not greater than 95" },
        { "/data/value", "lt", "5", "/data/value is 90, which is not less than 5" },
        { "/data/title", "prefix", "\"CPU\"",
          "/data/title is \"Disk full on h1\", which does not begin with \"CPU\"" },
        { "/data/x", "eq", "1", "/data/x is missing" }, { "/data/x", "exists", "true", "/data/x is missing" },
        { "/data/on", "exists", "false", "/data/on is there, as true" },
    };
    char why[FILTER_WHY_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(holds(rows[i].pointer, rows[i].op, rows[i].value, why));
        assert_string_equal(why, rows[i].why);
    }
}

TEST(a_long_value_is_cut_behind_a_whole_character)
{
    char text[1200] = "[{\"pointer\":\"/a\",\"op\":\"eq\",\"value\":1}]", why[FILTER_WHY_BYTES];
    json_t *filter = json(text);
    for (int shift = 0; shift < 3; shift++) {
        int used = snprintf(text, sizeof text, "{\"a\":\"%.*s", shift, "xxx");
        for (int i = 0; i < 300; i++, used += 3)
            memcpy(text + used, "\xe6\x97\xa5", 3);
        memcpy(text + used, "\"}", 3);
        json_t *envelope = json(text);
        assert_false(filter_matches(filter, envelope, why));
        json_t *sentence = json_string(why);
        assert_non_null(sentence);
        json_decref(sentence);
        json_decref(envelope);
    }
    json_decref(filter);
}

TEST(what_is_no_filter_is_refused_where_it_is_wrong)
{
#define C(pointer, op, value) "{\"pointer\":" pointer ",\"op\":" op ",\"value\":" value "}"
    static const struct { const char *text, *pointer; } rows[] = {
        { "{}", "/filter" }, { "null", "/filter" }, { "[1]", "/filter/0" }, { "[{}]", "/filter/0" },
        { "[{\"pointer\":\"/a\",\"op\":\"eq\"}]", "/filter/0" },
        { "[{\"pointer\":\"/a\",\"op\":\"eq\",\"value\":1,\"more\":1}]", "/filter/0" },
        { "[" C("\"/a\"", "\"eq\"", "1") "," C("\"a\"", "\"eq\"", "1") "]", "/filter/1/pointer" },
        { "[" C("\"/a~2\"", "\"eq\"", "1") "]", "/filter/0/pointer" },
        { "[" C("\"/a~\"", "\"eq\"", "1") "]", "/filter/0/pointer" },
        { "[" C("7", "\"eq\"", "1") "]", "/filter/0/pointer" },
        { "[" C("\"/a\"", "\"ne\"", "1") "]", "/filter/0/op" },
        { "[" C("\"/a\"", "7", "1") "]", "/filter/0/op" },
        { "[" C("\"/a\"", "\"eq\"", "[1]") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"in\"", "[]") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"in\"", "1") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"in\"", "[{}]") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"gt\"", "\"5\"") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"lt\"", "null") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"exists\"", "1") "]", "/filter/0/value" },
        { "[" C("\"/a\"", "\"prefix\"", "1") "]", "/filter/0/value" },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_fault fault = { .pointer = "" };
        json_t           *filter = json(rows[i].text);
        if (filter_check(filter, &fault) != MH_UNPROCESSABLE || strcmp(fault.pointer, rows[i].pointer))
            fail_msg("%s: at \"%s\"", rows[i].text, fault.pointer);
        json_decref(filter);
    }
}

TEST(twenty_conditions_and_a_hundred_values_are_the_most)
{
    struct json_fault fault;
    json_t *filter = json_array(), *values = json_array();
    for (int i = 0; i < FILTER_CONDITIONS; i++)
        json_array_append_new(filter, json("{\"pointer\":\"/a\",\"op\":\"eq\",\"value\":1}"));
    assert_int_equal(filter_check(filter, &fault), MH_OK);
    json_array_append(filter, json_array_get(filter, 0));
    assert_int_equal(filter_check(filter, &fault), MH_UNPROCESSABLE);
    json_decref(filter);
    filter = json("[{\"pointer\":\"/a\",\"op\":\"in\"}]");
    for (int i = 0; i < FILTER_VALUES; i++)
        json_array_append_new(values, json_integer(i));
    json_object_set_new(json_array_get(filter, 0), "value", values);
    assert_int_equal(filter_check(filter, &fault), MH_OK);
    json_array_append_new(values, json_integer(1));
    assert_int_equal(filter_check(filter, &fault), MH_UNPROCESSABLE);
    json_decref(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(values_are_equal_by_kind_and_numbers_by_amount),
        RUN(one_of_a_list_is_enough),
        RUN(numbers_are_compared_and_nothing_else_is),
        RUN(a_value_exists_also_when_it_is_null),
        RUN(a_prefix_is_the_beginning_of_text),
        RUN(a_pointer_goes_through_arrays_and_escapes),
        RUN(every_condition_must_hold_and_none_always_does),
        RUN(the_first_condition_that_does_not_hold_is_told),
        RUN(a_long_value_is_cut_behind_a_whole_character),
        RUN(what_is_no_filter_is_refused_where_it_is_wrong),
        RUN(twenty_conditions_and_a_hundred_values_are_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
