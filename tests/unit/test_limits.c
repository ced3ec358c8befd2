/* test_limits.c - what a plugin may use: limits.h, bucket.h. */
#include "base/bucket.h"
#include "core/limits.h"
#include "unit.h"

#include <string.h>

static const struct limits ceilings = {
    .timeout_ms = 10000, .cpu_ms = 2000, .memory_bytes = 64 * MH_MIB, .result_bytes = 256 * MH_KIB,
    .log_lines = 1000, .log_bytes = 256 * MH_KIB, .requests = 8, .store_keys = 1000,
    .store_bytes = MH_MIB, .events = 100,
};

static json_t *parse(const char *text)
{
    json_t           *value = NULL;
    struct json_fault fault;

    assert_int_equal(json_parse(text, strlen(text), &value, &fault), MH_OK);
    return value;
}

static void assert_refused(const char *text, const char *pointer)
{
    json_t           *asked = parse(text);
    struct json_fault fault = { .pointer = "" };

    assert_int_equal(limits_check(asked, &fault), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, pointer);
    json_decref(asked);
}

TEST(a_limit_that_is_not_known_is_refused_by_name)
{
    assert_refused("{\"cpu_msec\":5}", "/limits/cpu_msec");
}

TEST(a_limit_that_is_no_positive_whole_number_is_refused)
{
    assert_refused("{\"cpu_ms\":0}", "/limits/cpu_ms");
    assert_refused("{\"events_per_s\":0.5}", "/limits/events_per_s");
    assert_refused("{\"requests\":1000001}", "/limits/requests");
}

TEST(a_plugin_that_asks_for_nothing_gets_the_defaults)
{
    struct limits l = limits_of(NULL, &ceilings);

    assert_int_equal(l.timeout_ms, 5000);
    assert_int_equal(l.memory_bytes, 32 * MH_MIB);
}

TEST(a_default_past_the_ceiling_is_the_ceiling)
{
    assert_int_equal(limits_of(NULL, &ceilings).requests, 8);
}

TEST(a_plugin_gets_no_more_than_the_ceiling)
{
    json_t       *asked = parse("{\"cpu_ms\":60000,\"store_kb\":2}");
    struct limits l = limits_of(asked, &ceilings);

    assert_int_equal(l.cpu_ms, 2000);
    assert_int_equal(l.store_bytes, 2 * MH_KIB);
    json_decref(asked);
}

TEST(limits_are_shown_in_the_units_of_the_manifest)
{
    json_t *shown = limits_json(&ceilings);

    assert_int_equal(json_int_of(shown, "memory_mb", 0), 64);
    assert_int_equal(json_int_of(shown, "events_per_s", 0), 100);
    assert_int_equal(json_object_size(shown), LIMIT_COUNT);
    json_decref(shown);
}

TEST(a_bucket_gives_a_seconds_worth_at_once_and_no_more)
{
    struct bucket b = { 0 };

    for (int i = 0; i < 10; i++)
        assert_true(bucket_take(&b, 10, 1, 1000));
    assert_false(bucket_take(&b, 10, 1, 1000));
}

TEST(a_bucket_fills_with_time)
{
    struct bucket b = { 0 };

    assert_true(bucket_take(&b, 10, 10, 1000));
    assert_false(bucket_take(&b, 10, 2, 101000));
    assert_true(bucket_take(&b, 10, 1, 101000));
    assert_true(bucket_take(&b, 10, 10, 2101000));
}

TEST(what_is_larger_than_a_seconds_worth_passes_when_the_bucket_is_full)
{
    struct bucket b = { 0 };

    assert_true(bucket_take(&b, 10, 50, 1000));
    assert_false(bucket_take(&b, 10, 1, 1000001));
    assert_true(bucket_take(&b, 10, 1, 5000001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_limit_that_is_not_known_is_refused_by_name),
        RUN(a_limit_that_is_no_positive_whole_number_is_refused),
        RUN(a_plugin_that_asks_for_nothing_gets_the_defaults),
        RUN(a_default_past_the_ceiling_is_the_ceiling),
        RUN(a_plugin_gets_no_more_than_the_ceiling),
        RUN(limits_are_shown_in_the_units_of_the_manifest),
        RUN(a_bucket_gives_a_seconds_worth_at_once_and_no_more),
        RUN(a_bucket_fills_with_time),
        RUN(what_is_larger_than_a_seconds_worth_passes_when_the_bucket_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
