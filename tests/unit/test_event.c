/* test_event.c - what POST /api/events takes, and the envelope that comes of it. */
#include "unit.h"

#include "core/event.h"

#include <stdio.h>
#include <string.h>

enum { NOW_MS = 1000 };

static enum mh_err parse(enum event_form form, const char *text, struct event **out,
                         struct json_fault *fault)
{
    *fault = (struct json_fault){ .pointer = "" };
    return event_parse(form, (struct json_span){ text, strlen(text) }, "acme", NOW_MS, out, fault);
}

static void assert_envelope(const char *text, const char *wanted)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, text, &e, &fault), MH_OK);
    assert_string_equal(e->envelope, wanted);
    assert_int_equal(e->envelope_bytes, strlen(wanted));
    event_unref(e);
}

static void assert_refused(const char *text, const char *pointer)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, text, &e, &fault), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, pointer);
    assert_null(e);
}

TEST(an_envelope_has_the_fields_in_their_order_and_the_data_as_sent)
{
    assert_envelope("{\"data\":{\"n\": 1.10},\"event\":\"alert\",\"id\":\"a-1\"}",
                    "{\"id\":\"a-1\",\"event\":\"alert\",\"timestamp\":\"1970-01-01T00:00:01.000Z\","
                    "\"org_id\":\"acme\",\"data\":{\"n\": 1.10}}");
}

TEST(data_under_an_escaped_name_is_written_anew)
{
    assert_envelope("{\"d\\u0061ta\":{\"n\": 1},\"event\":\"alert\",\"id\":\"a-1\"}",
                    "{\"id\":\"a-1\",\"event\":\"alert\",\"timestamp\":\"1970-01-01T00:00:01.000Z\","
                    "\"org_id\":\"acme\",\"data\":{\"n\":1}}");
}

TEST(the_org_of_the_text_comes_before_the_one_of_the_key)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, "{\"event\":\"a\",\"data\":{},\"org_id\":\"b\"}", &e, &fault),
                     MH_OK);
    assert_string_equal(e->org, "b");
    event_unref(e);
}

TEST(an_event_without_an_id_gets_one)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, "{\"event\":\"a\",\"data\":{}}", &e, &fault), MH_OK);
    assert_false(e->own_id);
    assert_memory_equal(e->id, "evt_", 4);
    event_unref(e);
}

TEST(a_field_that_is_not_known_is_named)
{
    assert_refused("{\"event\":\"a\",\"data\":{},\"dta\":1}", "/dta");
}

TEST(a_field_of_the_wrong_kind_is_named)
{
    assert_refused("{\"event\":\"a\",\"data\":[]}", "/data");
    assert_refused("{\"event\":1,\"data\":{}}", "/event");
}

TEST(an_event_needs_a_type_and_data)
{
    assert_refused("{\"data\":{}}", "/event");
    assert_refused("{\"event\":\"a\"}", "/data");
}

TEST(an_id_that_a_key_or_a_signature_could_misread_is_refused)
{
    assert_refused("{\"event\":\"a\",\"data\":{},\"id\":\"a.b\"}", "/id");
    assert_refused("{\"event\":\"a\",\"data\":{},\"id\":\"a/b\"}", "/id");
    assert_refused("{\"event\":\"a\",\"data\":{},\"id\":\"a~b\"}", "/id");
    assert_refused("{\"event\":\"a\",\"data\":{},\"id\":\"\"}", "/id");
}

TEST(an_org_that_a_key_could_misread_is_refused)
{
    assert_refused("{\"event\":\"a\",\"data\":{},\"org_id\":\"a/b\"}", "/org_id");
    assert_refused("{\"event\":\"a\",\"data\":{},\"org_id\":\"{q}\"}", "/org_id");
}

TEST(a_text_that_is_no_json_is_refused_with_its_place)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, "{\"event\":\"a\",}", &e, &fault), MH_INVALID);
    assert_non_null(strstr(fault.text, "line 1"));
}

TEST(a_nul_in_a_string_is_refused)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_PLAIN, "{\"event\":\"a\",\"data\":{\"x\":\"\\u0000\"}}", &e, &fault),
                     MH_INVALID);
}

TEST(a_type_begins_with_a_letter_and_has_no_blanks)
{
    char longest[EVENT_TYPE_BYTES + 1];

    memset(longest, 'a', sizeof longest);
    longest[EVENT_TYPE_BYTES] = '\0';
    assert_true(event_type_valid("sla_breach.v2-x"));
    assert_false(event_type_valid(""));
    assert_false(event_type_valid("1a"));
    assert_false(event_type_valid("a b"));
    assert_false(event_type_valid("Alert"));
    assert_false(event_type_valid(longest));
    longest[EVENT_TYPE_BYTES - 1] = '\0';
    assert_true(event_type_valid(longest));
}

TEST(a_cloudevent_of_the_same_source_and_id_is_the_same_event)
{
    static const char text[] = "{\"specversion\":\"1.0\",\"type\":\"alert\",\"source\":\"s\","
                               "\"id\":\"1\",\"data\":{}}";
    struct json_fault fault;
    struct event     *a = NULL, *b = NULL;

    assert_int_equal(parse(EVENT_CLOUDEVENT, text, &a, &fault), MH_OK);
    assert_int_equal(parse(EVENT_CLOUDEVENT, text, &b, &fault), MH_OK);
    assert_string_equal(a->id, b->id);
    assert_true(id_valid(a->id));
    event_unref(a);
    event_unref(b);
}

TEST(source_and_id_of_cloudevents_do_not_run_together)
{
    struct json_fault fault;
    struct event     *a = NULL, *b = NULL;

    assert_int_equal(parse(EVENT_CLOUDEVENT, "{\"specversion\":\"1.0\",\"type\":\"a\",\"source\":\"s1\","
                           "\"id\":\"2\",\"data\":{}}", &a, &fault), MH_OK);
    assert_int_equal(parse(EVENT_CLOUDEVENT, "{\"specversion\":\"1.0\",\"type\":\"a\",\"source\":\"s\","
                           "\"id\":\"12\",\"data\":{}}", &b, &fault), MH_OK);
    assert_string_not_equal(a->id, b->id);
    event_unref(a);
    event_unref(b);
}

TEST(a_cloudevent_of_another_version_is_refused)
{
    struct json_fault fault;
    struct event     *e = NULL;

    assert_int_equal(parse(EVENT_CLOUDEVENT, "{\"specversion\":\"0.3\",\"type\":\"a\",\"source\":\"s\","
                           "\"id\":\"1\",\"data\":{}}", &e, &fault), MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, "/specversion");
}

TEST(a_stored_envelope_comes_back_as_the_same_event)
{
    struct json_fault fault;
    struct event     *e = NULL, *back = NULL;

    assert_int_equal(parse(EVENT_PLAIN, "{\"event\":\"alert\",\"data\":{\"n\":[1, 2]}}", &e, &fault),
                     MH_OK);
    assert_int_equal(event_from_envelope(e->envelope, e->envelope_bytes, &back), MH_OK);
    assert_string_equal(back->id, e->id);
    assert_string_equal(back->type, e->type);
    assert_string_equal(back->org, e->org);
    assert_int_equal(back->accepted_ms, e->accepted_ms);
    assert_string_equal(back->envelope, e->envelope);
    event_unref(e);
    event_unref(back);
}

TEST(what_is_no_envelope_is_refused)
{
    static const char *const texts[] = {
        "", "{}", "[]", "{\"id\":\"a\",\"event\":\"a\",\"org_id\":\"o\",\"timestamp\":\"x\"}",
        "{\"id\":\"a/b\",\"event\":\"a\",\"org_id\":\"o\",\"timestamp\":\"1970-01-01T00:00:01Z\"}",
    };
    struct event *e = NULL;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(event_from_envelope(texts[i], strlen(texts[i]), &e), MH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_envelope_has_the_fields_in_their_order_and_the_data_as_sent),
        RUN(data_under_an_escaped_name_is_written_anew),
        RUN(the_org_of_the_text_comes_before_the_one_of_the_key),
        RUN(an_event_without_an_id_gets_one),
        RUN(a_field_that_is_not_known_is_named),
        RUN(a_field_of_the_wrong_kind_is_named),
        RUN(an_event_needs_a_type_and_data),
        RUN(an_id_that_a_key_or_a_signature_could_misread_is_refused),
        RUN(an_org_that_a_key_could_misread_is_refused),
        RUN(a_text_that_is_no_json_is_refused_with_its_place),
        RUN(a_nul_in_a_string_is_refused),
        RUN(a_type_begins_with_a_letter_and_has_no_blanks),
        RUN(a_cloudevent_of_the_same_source_and_id_is_the_same_event),
        RUN(source_and_id_of_cloudevents_do_not_run_together),
        RUN(a_cloudevent_of_another_version_is_refused),
        RUN(a_stored_envelope_comes_back_as_the_same_event),
        RUN(what_is_no_envelope_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
