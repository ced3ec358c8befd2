/* test_json_write.c - text that is written straight, read back by the parser. */
#include "unit.h"

#include "io/json.h"
#include "io/json_write.h"

#include <stdlib.h>
#include <string.h>

static void assert_taken(struct json_writer *w, const char *wanted)
{
    struct json_fault fault;
    json_t           *tree = NULL;
    char             *text = json_writer_take(w);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    assert_int_equal(json_parse(text, strlen(text), &tree, &fault), MH_OK);
    json_decref(tree);
    free(text);
}

TEST(commas_come_by_themselves)
{
    struct json_writer w;

    json_writer_init(&w, 1000);
    json_write_open(&w, NULL, '{');
    json_write_int(&w, "n", -7);
    json_write_open(&w, "list", '[');
    json_write_bool(&w, NULL, true);
    json_write_null(&w, NULL);
    json_write_more(&w, "1,2");
    json_write_close(&w, ']');
    json_write_open(&w, "none", '{');
    json_write_more(&w, "");
    json_write_close(&w, '}');
    json_write_string(&w, "end", "");
    json_write_close(&w, '}');
    assert_taken(&w, "{\"n\":-7,\"list\":[true,null,1,2],\"none\":{},\"end\":\"\"}");
}

TEST(every_byte_of_ascii_comes_back_as_it_was)
{
    struct json_writer w;
    struct json_fault  fault;
    json_t            *tree = NULL;
    char               all[127];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i + 1);
    json_writer_init(&w, 1000);
    json_write_open(&w, NULL, '[');
    json_write_text(&w, NULL, all, sizeof all);
    json_write_close(&w, ']');
    char *text = json_writer_take(&w);
    assert_int_equal(json_parse(text, strlen(text), &tree, &fault), MH_OK);
    assert_int_equal(json_string_length(json_array_get(tree, 0)), sizeof all);
    assert_memory_equal(json_string_value(json_array_get(tree, 0)), all, sizeof all);
    json_decref(tree);
    free(text);
}

TEST(a_text_that_ends_in_a_bracket_does_not_swallow_a_comma)
{
    struct json_writer w;

    json_writer_init(&w, 1000);
    json_write_open(&w, NULL, '[');
    json_write_string(&w, NULL, "[");
    json_write_string(&w, NULL, "{");
    json_write_close(&w, ']');
    assert_taken(&w, "[\"[\",\"{\"]");
}

TEST(microseconds_are_written_as_milliseconds)
{
    struct json_writer w;

    json_writer_init(&w, 1000);
    json_write_open(&w, NULL, '[');
    json_write_ms(&w, NULL, 0);
    json_write_ms(&w, NULL, 7);
    json_write_ms(&w, NULL, 12345);
    json_write_ms(&w, NULL, 9000000000);
    json_write_ms(&w, NULL, -5);
    json_write_close(&w, ']');
    assert_taken(&w, "[0.000,0.007,12.345,9000000.000,0.000]");
}

TEST(what_does_not_fit_gives_nothing)
{
    struct json_writer w;

    json_writer_init(&w, 8);
    json_write_string(&w, NULL, "12345678");
    json_write_int(&w, NULL, 1);
    assert_null(json_writer_take(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(commas_come_by_themselves),
        RUN(every_byte_of_ascii_comes_back_as_it_was),
        RUN(a_text_that_ends_in_a_bracket_does_not_swallow_a_comma),
        RUN(microseconds_are_written_as_milliseconds),
        RUN(what_does_not_fit_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
