/* test_endpoint.c - what a webhook may be, and which events it takes. */
#include "unit.h"

#include "webhook/endpoint.h"

#include <stdio.h>
#include <string.h>

#define URL "\"url\":\"https://example.com/hook\""

static const struct endpoint_most most = { .timeout_ms = 15000, .concurrency = 64 };

static json_t *json(const char *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value, &fault), MH_OK);
    return value;
}

static void assert_refused(const char *text, const char *pointer)
{
    struct json_fault fault;
    json_t           *given = json(text), *merged = NULL;

    assert_int_equal(endpoint_check(given, NULL, &most, &merged, &fault), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, pointer);
    assert_null(merged);
    json_decref(given);
}

static json_t *merge(const char *given_text, const json_t *before)
{
    struct json_fault fault;
    json_t           *given = json(given_text), *merged = NULL;

    assert_int_equal(endpoint_check(given, before, &most, &merged, &fault), MH_OK);
    json_decref(given);
    return merged;
}

TEST(an_endpoint_takes_every_event_and_is_active_unless_it_says_otherwise)
{
    json_t *merged = merge("{" URL "}", NULL);

    assert_string_equal(json_string_value(json_array_get(json_object_get(merged, "events"), 0)), "*");
    assert_true(json_bool_of(merged, "active", false));
    json_decref(merged);
}

TEST(a_change_leaves_what_it_does_not_name)
{
    json_t *before = merge("{" URL ",\"description\":\"mine\",\"events\":[\"alert\"]}", NULL);
    json_t *merged = merge("{\"active\":false}", before);

    assert_string_equal(json_text_of(merged, "description", ""), "mine");
    assert_int_equal(json_array_size(json_object_get(merged, "events")), 1);
    assert_false(json_bool_of(merged, "active", true));
    assert_true(json_bool_of(before, "active", false));
    json_decref(before);
    json_decref(merged);
}

TEST(an_address_that_cannot_be_posted_to_is_refused)
{
    assert_refused("{}", "/url");
    assert_refused("{\"url\":\"ftp://example.com\"}", "/url");
    assert_refused("{\"url\":\"https://user@example.com\"}", "/url");
    assert_refused("{\"url\":\"\"}", "/url");
}

TEST(a_pattern_is_a_type_or_its_beginning_and_a_star)
{
    assert_refused("{" URL ",\"events\":[]}", "/events");
    assert_refused("{" URL ",\"events\":[\"alert\",\"\"]}", "/events/1");
    assert_refused("{" URL ",\"events\":[\"*x\"]}", "/events/0");
    assert_refused("{" URL ",\"events\":[\"**\"]}", "/events/0");
    assert_refused("{" URL ",\"events\":[\"Alert\"]}", "/events/0");
    assert_refused("{" URL ",\"events\":[1]}", "/events/0");
}

TEST(a_header_that_moonhook_sets_itself_is_refused)
{
    assert_refused("{" URL ",\"headers\":{\"Host\":\"a\"}}", "/headers/Host");
    assert_refused("{" URL ",\"headers\":{\"content-LENGTH\":\"1\"}}", "/headers/content-LENGTH");
    assert_refused("{" URL ",\"headers\":{\"webhook-signature\":\"v1,\"}}",
                   "/headers/webhook-signature");
    assert_refused("{" URL ",\"headers\":{\"X-Mission-Control-Event\":\"a\"}}",
                   "/headers/X-Mission-Control-Event");
}

TEST(a_header_stays_in_its_line)
{
    assert_refused("{" URL ",\"headers\":{\"X-A\":\"b\\r\\nX-C: d\"}}", "/headers/X-A");
    assert_refused("{" URL ",\"headers\":{\"X A\":\"b\"}}", "/headers/X A");
    assert_refused("{" URL ",\"headers\":{\"X-A\":1}}", "/headers/X-A");
    assert_refused("{" URL ",\"headers\":{\"\":\"b\"}}", "/headers/");
}

TEST(a_field_that_is_not_known_is_named)
{
    assert_refused("{" URL ",\"secret\":\"mine\"}", "/secret");
}

static bool wants(const char *settings, const char *type)
{
    struct event event = { .envelope = (char[]){ "{\"data\":{\"n\":5}}" } };
    json_t      *parsed = json(settings);

    event.envelope_bytes = strlen(event.envelope);
    snprintf(event.type, sizeof event.type, "%s", type);
    bool wanted = endpoint_wants(parsed, &event, NULL);
    event_forget_json(&event);
    json_decref(parsed);
    return wanted;
}

TEST(a_type_is_matched_whole_or_by_its_beginning)
{
    assert_true(wants("{\"events\":[\"alert\"]}", "alert"));
    assert_false(wants("{\"events\":[\"alert\"]}", "alert.new"));
    assert_false(wants("{\"events\":[\"alert\"]}", "aler"));
    assert_true(wants("{\"events\":[\"sla_*\"]}", "sla_breach"));
    assert_true(wants("{\"events\":[\"sla_*\"]}", "sla_"));
    assert_false(wants("{\"events\":[\"sla_*\"]}", "sla"));
    assert_true(wants("{\"events\":[\"error\",\"*\"]}", "anything"));
}

TEST(a_filter_is_asked_only_about_types_that_match)
{
#define FILTER ",\"filter\":[{\"pointer\":\"/data/n\",\"op\":\"gt\",\"value\":4}]}"
    assert_true(wants("{\"events\":[\"alert\"]" FILTER, "alert"));
    assert_false(wants("{\"events\":[\"alert\"]" FILTER, "error"));
    assert_false(wants("{\"events\":[\"*\"],\"filter\":[{\"pointer\":\"/data/n\",\"op\":\"gt\","
                       "\"value\":5}]}", "alert"));
}

TEST(an_event_that_nobody_filters_is_not_read)
{
    struct event event = { .type = "alert" };
    json_t      *settings = json("{\"events\":[\"*\"],\"filter\":[]}");
    assert_true(endpoint_wants(settings, &event, NULL));
    assert_null(event.json);
    json_decref(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_endpoint_takes_every_event_and_is_active_unless_it_says_otherwise),
        RUN(a_change_leaves_what_it_does_not_name),
        RUN(an_address_that_cannot_be_posted_to_is_refused),
        RUN(a_pattern_is_a_type_or_its_beginning_and_a_star),
        RUN(a_header_that_moonhook_sets_itself_is_refused),
        RUN(a_header_stays_in_its_line),
        RUN(a_field_that_is_not_known_is_named),
        RUN(a_type_is_matched_whole_or_by_its_beginning),
        RUN(a_filter_is_asked_only_about_types_that_match),
        RUN(an_event_that_nobody_filters_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
