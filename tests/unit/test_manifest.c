/* test_manifest.c - what a plugin may say it is, reach, and be configured with. */
#include "unit.h"

#include "core/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *json(const char *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value, &fault), MH_OK);
    return value;
}

static struct manifest manifest(const char *text)
{
    struct manifest   m;
    struct json_fault fault;
    json_t           *value = json(text);

    assert_int_equal(manifest_read(value, &m, &fault), MH_OK);
    json_decref(value);
    return m;
}

static void assert_refused(const char *text, const char *pointer)
{
    struct manifest   m;
    struct json_fault fault;
    json_t           *value = json(text);

    assert_int_equal(manifest_read(value, &m, &fault), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, pointer);
    json_decref(value);
}

#define HEAD "\"name\":\"p\",\"version\":\"1\""

TEST(a_manifest_needs_a_name_and_a_version)
{
    assert_refused("{\"version\":\"1\"}", "/name");
    assert_refused("{\"name\":\"p\"}", "/version");
}

TEST(a_name_is_letters_digits_and_hyphens_and_begins_with_a_letter)
{
    assert_true(manifest_name_valid("pager-duty2"));
    assert_false(manifest_name_valid(""));
    assert_false(manifest_name_valid("2slack"));
    assert_false(manifest_name_valid("../slack"));
    assert_false(manifest_name_valid("Slack"));
    assert_false(manifest_name_valid("wh_1"));
    assert_false(manifest_name_valid("a0123456789012345678901234567890123456789"));
}

TEST(a_permission_that_is_not_known_is_refused)
{
    assert_refused("{" HEAD ",\"permissions\":[\"alerts:write\"]}", "/permissions");
    assert_refused("{" HEAD ",\"permissions\":[\"http:\"]}", "/permissions");
    assert_refused("{" HEAD ",\"permissions\":[\"http:user@host\"]}", "/permissions");
    assert_refused("{" HEAD ",\"permissions\":[1]}", "/permissions");
}

TEST(a_field_of_a_type_that_is_not_known_is_refused)
{
    assert_refused("{" HEAD ",\"config\":{\"a\":{\"type\":\"date\"}}}", "/config");
    assert_refused("{" HEAD ",\"config\":{\"a\":1}}", "/config");
}

TEST(a_secret_that_is_no_string_is_refused)
{
    assert_refused("{" HEAD ",\"config\":{\"a\":{\"type\":\"array\",\"secret\":true}}}", "/config");
}

/* So many letters between `before` and `behind` are taken, and not one more. */
static void assert_most(const char *before, size_t most, const char *behind, const char *pointer)
{
    char *letters = mem_alloc(most + 2);

    memset(letters, 'x', most);
    char           *longest = mem_printf("{" HEAD ",%s%s%s}", before, letters, behind);
    char           *longer = mem_printf("{" HEAD ",%sx%s%s}", before, letters, behind);
    struct manifest m = manifest(longest);

    manifest_deinit(&m);
    assert_refused(longer, pointer);
    free(letters);
    free(longest);
    free(longer);
}

TEST(each_text_of_a_manifest_is_bounded_and_named)
{
    assert_most("\"author\":\"", 100, "\"", "/author");
    assert_most("\"description\":\"", 1000, "\"", "/description");
    assert_most("\"categories\":[\"a\",\"", 40, "\"]", "/categories/1");
    assert_most("\"permissions\":[\"storage\",\"http:", 295, "\"]", "/permissions/1");
    assert_most("\"config\":{\"a\":{},\"b\":{\"description\":\"", 1000, "\"}}", "/config/b/description");
    assert_most("\"config\":{\"", 64, "\":{}}", "/config");
    assert_refused("{\"name\":\"p\",\"version\":\"01234567890123456789012345678901234567890\"}",
                   "/version");
}

TEST(a_manifest_is_bounded_as_a_whole)
{
    assert_most("\"config\":{\"a\":{\"default\":\"", 65536 - 56, "\"}}", "");
}

TEST(a_category_that_is_no_text_is_refused)
{
    assert_refused("{" HEAD ",\"categories\":[7]}", "/categories/0");
}

TEST(a_limit_that_would_overflow_is_refused)
{
    assert_refused("{" HEAD ",\"limits\":{\"memory_mb\":9223372036854775807}}", "/limits/memory_mb");
    assert_refused("{" HEAD ",\"limits\":{\"timeout_ms\":0}}", "/limits/timeout_ms");
    assert_refused("{" HEAD ",\"limits\":{\"timeout_ms\":\"5s\"}}", "/limits/timeout_ms");
}

TEST(limits_are_read_in_their_units)
{
    struct manifest m = manifest("{" HEAD ",\"limits\":{\"memory_mb\":32,\"timeout_ms\":5000}}");

    static const struct limits wide = { .timeout_ms = INT64_MAX, .memory_bytes = INT64_MAX };
    struct limits              l = limits_of(m.limits, &wide);

    assert_int_equal(l.memory_bytes, 32 * 1024 * 1024);
    assert_int_equal(l.timeout_ms, 5000);
    manifest_deinit(&m);
}

TEST(a_plugin_gets_an_event_by_hook_and_permission_both)
{
    struct manifest both = manifest("{" HEAD ",\"hooks\":[\"on_alert\"],"
                                    "\"permissions\":[\"alerts:read\"]}");
    struct manifest hook = manifest("{" HEAD ",\"hooks\":[\"on_alert\"]}");
    struct manifest permission = manifest("{" HEAD ",\"permissions\":[\"alerts:read\"]}");

    assert_true(manifest_wants(&both, "alert"));
    assert_false(manifest_wants(&both, "error"));
    assert_false(manifest_wants(&hook, "alert"));
    assert_false(manifest_wants(&permission, "alert"));
    manifest_deinit(&both);
    manifest_deinit(&hook);
    manifest_deinit(&permission);
}

TEST(an_anomaly_goes_by_two_names_and_other_types_to_on_event)
{
    assert_string_equal(manifest_hook_of("anomaly")->hook, "on_anomaly_detected");
    assert_string_equal(manifest_hook_of("anomaly_detected")->hook, "on_anomaly_detected");
    assert_string_equal(manifest_hook_of("anything.else")->hook, "on_event");
}

static bool reaches(const char *permissions, const char *config_text, const char *address)
{
    char              text[512];
    const char       *why;
    struct policy_url url;

    snprintf(text, sizeof text, "{" HEAD ",\"permissions\":[%s]}", permissions);
    struct manifest m = manifest(text);
    json_t         *config = json(config_text);
    assert_int_equal(policy_url_parse(address, &url, &why), MH_OK);
    bool may = manifest_may_reach(&m, config, &url);
    json_decref(config);
    manifest_deinit(&m);
    return may;
}

TEST(a_host_is_reached_that_is_permitted_and_no_other)
{
    assert_true(reaches("\"http:hooks.slack.com\"", "{}", "https://hooks.slack.com/x"));
    assert_false(reaches("\"http:hooks.slack.com\"", "{}", "https://slack.com/x"));
    assert_false(reaches("\"http:hooks.slack.com\"", "{}", "https://hooks.slack.com:8443/x"));
    assert_false(reaches("", "{}", "https://hooks.slack.com/x"));
    assert_false(reaches("\"smtp:hooks.slack.com\"", "{}", "https://hooks.slack.com/x"));
}

TEST(a_host_of_the_configuration_is_reached_by_its_scheme_and_port)
{
    static const char config[] = "{\"base\":\"https://api.example.com:8443/v1\"}";

    assert_true(reaches("\"http:${config.base}\"", config, "https://api.example.com:8443/other"));
    assert_false(reaches("\"http:${config.base}\"", config, "https://api.example.com/v1"));
    assert_false(reaches("\"http:${config.base}\"", config, "http://api.example.com:8443/v1"));
    assert_false(reaches("\"http:${config.base}\"", config, "https://evil.example.com:8443/v1"));
    assert_false(reaches("\"http:${config.base}x\"", config, "https://api.example.com:8443/v1"));
}

TEST(a_host_of_a_field_that_is_missing_or_no_url_allows_nothing)
{
    assert_false(reaches("\"http:${config.base}\"", "{}", "https://a.example.com/"));
    assert_false(reaches("\"http:${config.base}\"", "{\"base\":\"*\"}", "https://a.example.com/"));
    assert_false(reaches("\"http:${config.base\"", "{\"base\":\"https://a.example.com\"}",
                         "https://a.example.com/"));
}

/* ---- Configuration ---------------------------------------------------------------- */

#define FIELDS "{" HEAD ",\"config\":{"                                                            \
    "\"key\":{\"type\":\"string\",\"secret\":true,\"required\":true},"                             \
    "\"url\":{\"type\":\"string\",\"format\":\"uri\"},"                                            \
    "\"level\":{\"enum\":[\"low\",\"high\"],\"default\":\"low\"},"                                 \
    "\"tags\":{\"type\":\"array\",\"enum\":[\"a\",\"b\"]},"                                        \
    "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}}}"

/* The configuration that comes of it, or the pointers at fault, as JSON text. */
static void assert_config(const char *given_text, const char *before_text, const char *wanted_text)
{
    struct manifest m = manifest(FIELDS);
    json_t *given = json(given_text), *before = before_text ? json(before_text) : NULL;
    json_t *wanted = json(wanted_text), *out = NULL, *faults = NULL, *got = json_array();

    if (manifest_config(&m, given, before, &out, &faults) == MH_OK) {
        json_decref(got);
        got = out;
    }
    for (size_t i = 0; i < json_array_size(faults); i++)
        json_array_append(got, json_object_get(json_array_get(faults, i), "pointer"));
    assert_true(json_equal(got, wanted));
    json_decref(faults);
    json_decref(got);
    json_decref(wanted);
    json_decref(before);
    json_decref(given);
    manifest_deinit(&m);
}

TEST(defaults_fill_what_is_not_given)
{
    assert_config("{\"key\":\"k\"}", NULL, "{\"key\":\"k\",\"level\":\"low\"}");
    assert_config("{\"key\":\"k\",\"level\":null}", NULL, "{\"key\":\"k\",\"level\":\"low\"}");
}

TEST(every_field_at_fault_is_named_at_once)
{
    assert_config("{\"url\":\"ftp://x\",\"level\":\"mid\",\"count\":10,\"other\":1}", NULL,
                  "[\"/key\",\"/url\",\"/level\",\"/count\",\"/other\"]");
}

TEST(a_value_of_the_wrong_type_is_at_fault)
{
    assert_config("{\"key\":1,\"count\":1.5,\"tags\":\"a\"}", NULL, "[\"/key\",\"/tags\",\"/count\"]");
}

TEST(each_item_of_an_array_is_held_against_the_choices)
{
    assert_config("{\"key\":\"k\",\"tags\":[\"b\",\"a\"]}", NULL,
                  "{\"key\":\"k\",\"level\":\"low\",\"tags\":[\"b\",\"a\"]}");
    assert_config("{\"key\":\"k\",\"tags\":[\"a\",\"c\"]}", NULL, "[\"/tags\"]");
}

TEST(a_secret_given_as_its_mask_stays_as_it_was)
{
    assert_config("{\"key\":\"***\"}", "{\"key\":\"old\"}", "{\"key\":\"old\",\"level\":\"low\"}");
}

TEST(a_mask_is_no_secret_where_there_was_none)
{
    assert_config("{\"key\":\"***\"}", NULL, "[\"/key\"]");
}

TEST(a_mask_is_a_plain_value_where_nothing_is_secret)
{
    assert_config("{\"key\":\"k\",\"level\":\"***\"}", "{\"key\":\"k\",\"level\":\"high\"}",
                  "[\"/level\"]");
}

TEST(a_secret_too_long_to_open_again_is_at_fault)
{
    char *given = malloc(VAULT_SECRET_BYTES + 32);

    assert_non_null(given);
    int head = snprintf(given, 16, "{\"key\":\"");
    memset(given + head, 'k', VAULT_SECRET_BYTES + 1);
    snprintf(given + head + VAULT_SECRET_BYTES + 1, 3, "\"}");
    assert_config(given, NULL, "[\"/key\"]");
    free(given);
}

TEST(people_see_a_mask_and_lua_a_token_in_place_of_a_secret)
{
    struct manifest m = manifest(FIELDS);
    struct seals    seals = { .count = 0 };
    json_t *config = json("{\"key\":\"hidden\",\"level\":\"low\"}");
    json_t *masked = manifest_mask(&m, config), *shown = manifest_tokens(&m, config, &seals);

    assert_string_equal(json_text_of(masked, "key", ""), "***");
    assert_string_equal(json_text_of(masked, "level", ""), "low");
    assert_string_equal(json_text_of(shown, "key", ""), seals.item[0].token);
    assert_string_equal(json_text_of(shown, "level", ""), "low");
    seals_deinit(&seals);
    json_decref(config);
    json_decref(masked);
    json_decref(shown);
    manifest_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_manifest_needs_a_name_and_a_version),
        RUN(a_name_is_letters_digits_and_hyphens_and_begins_with_a_letter),
        RUN(a_permission_that_is_not_known_is_refused),
        RUN(a_field_of_a_type_that_is_not_known_is_refused),
        RUN(a_secret_that_is_no_string_is_refused),
        RUN(each_text_of_a_manifest_is_bounded_and_named),
        RUN(a_manifest_is_bounded_as_a_whole),
        RUN(a_category_that_is_no_text_is_refused),
        RUN(a_limit_that_would_overflow_is_refused),
        RUN(limits_are_read_in_their_units),
        RUN(a_plugin_gets_an_event_by_hook_and_permission_both),
        RUN(an_anomaly_goes_by_two_names_and_other_types_to_on_event),
        RUN(a_host_is_reached_that_is_permitted_and_no_other),
        RUN(a_host_of_the_configuration_is_reached_by_its_scheme_and_port),
        RUN(a_host_of_a_field_that_is_missing_or_no_url_allows_nothing),
        RUN(defaults_fill_what_is_not_given),
        RUN(every_field_at_fault_is_named_at_once),
        RUN(a_value_of_the_wrong_type_is_at_fault),
        RUN(each_item_of_an_array_is_held_against_the_choices),
        RUN(a_secret_given_as_its_mask_stays_as_it_was),
        RUN(a_mask_is_no_secret_where_there_was_none),
        RUN(a_mask_is_a_plain_value_where_nothing_is_secret),
        RUN(a_secret_too_long_to_open_again_is_at_fault),
        RUN(people_see_a_mask_and_lua_a_token_in_place_of_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
