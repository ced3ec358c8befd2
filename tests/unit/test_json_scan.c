/* test_json_scan.c - what the scan is sure of. That it is sure of nothing else than
 * json_parse() takes, tests/fuzz/fuzz_scan shows. */
#include "unit.h"

#include "io/json_scan.h"

#include <stdlib.h>
#include <string.h>

/* A copy without a byte behind it, so that a sanitizer sees who reads on. */
static char *exact(const char *text)
{
    char *copy = malloc(strlen(text) + (text[0] == '\0'));

    assert_non_null(copy);
    memcpy(copy, text, strlen(text));
    return copy;
}

static bool sure(const char *text)
{
    char          *copy = exact(text);
    enum json_kind kind;
    bool           yes = json_scan((struct json_span){ copy, strlen(text) }, &kind);

    free(copy);
    return yes;
}

TEST(what_producers_send_is_taken)
{
    assert_true(sure("{\"event\":\"alert\",\"data\":{\"n\":[1,-2.5e10,true,false,null]}}"));
    assert_true(sure("\"\\u00e9 \\\"x\\\" \xc3\xa9\""));
    assert_true(sure(" [ { } , [ ] , \"\" , 0 ] \r\n"));
    assert_true(sure("-0.0"));
}

TEST(a_text_that_ends_anywhere_before_its_end_is_left_alone)
{
    char text[] = "{\"a\":[1.5e1,\"b\\u00e9\\n\",{\"c\":true}],\"d\":null}";

    for (size_t keep = strlen(text); keep-- > 0;) {
        text[keep] = '\0';
        assert_false(sure(text));
    }
}

TEST(what_is_no_json_is_left_alone)
{
    static const char *const texts[] = {
        "", " ", "{", "{]", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "01", "1.", ".5", "+1", "1e",
        "- 1", "truex", "nul", "'a'", "\"\\x\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "1 2", "{}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(sure(texts[i]));
}

TEST(what_takes_more_than_a_look_is_left_to_the_parser)
{
    assert_false(sure("1234567890123456789"));                  /* may be more than 64 bits */
    assert_false(sure("1e400"));
    assert_false(sure("\"\\ud83d\\ude00\""));
    assert_false(sure("\"\\u0000\""));
    assert_false(sure("{\"a\":1,\"a\":2}"));
    assert_false(sure("{\"a\":1,\"\\u0061\":2}"));
}

TEST(nesting_is_taken_as_deep_as_the_parser_takes_it)
{
    char text[2 * (JSON_MAX_NESTING + 1) + 1] = "";

    for (size_t depth = JSON_MAX_NESTING; depth <= JSON_MAX_NESTING + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        assert_int_equal(sure(text), depth == JSON_MAX_NESTING);
    }
}

static const struct json_field fields[] = {
    { "event", JSON_IS_STRING, true }, { "data", JSON_IS_OBJECT, true },
    { "id", JSON_IS_STRING, false },
};

static bool scan(const char *text, struct json_span spans[3])
{
    return json_scan_fields((struct json_span){ text, strlen(text) }, fields, 3, spans);
}

TEST(fields_are_found_as_they_stand)
{
    struct json_span spans[3];

    assert_true(scan("{ \"data\" : {\"n\":1.10} , \"event\":\"alert\" }", spans));
    assert_int_equal(spans[0].bytes, 5);
    assert_memory_equal(spans[0].text, "alert", 5);
    assert_int_equal(spans[1].bytes, 10);
    assert_memory_equal(spans[1].text, "{\"n\":1.10}", 10);
    assert_null(spans[2].text);
}

TEST(an_object_that_is_not_as_its_table_says_is_left_alone)
{
    struct json_span spans[3];

    assert_false(scan("{\"event\":\"a\"}", spans));                         /* required */
    assert_false(scan("{\"event\":1,\"data\":{}}", spans));                 /* of another kind */
    assert_false(scan("{\"event\":\"a\",\"data\":{},\"x\":1}", spans));     /* unknown */
    assert_false(scan("{\"event\":\"\\n\",\"data\":{}}", spans));           /* escaped */
    assert_false(scan("{\"event\":\"a\",\"data\":{}} x", spans));
    assert_false(scan("[]", spans));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(what_producers_send_is_taken),
        RUN(a_text_that_ends_anywhere_before_its_end_is_left_alone),
        RUN(what_is_no_json_is_left_alone),
        RUN(what_takes_more_than_a_look_is_left_to_the_parser),
        RUN(nesting_is_taken_as_deep_as_the_parser_takes_it),
        RUN(fields_are_found_as_they_stand),
        RUN(an_object_that_is_not_as_its_table_says_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
