/* test_echo.c - what a receiver shows of an endpoint's secrets is masked before it is recorded. */
#include "unit.h"

#include "core/delivery.h"
#include "webhook/echo.h"
#include "webhook/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct keyring keys;
static const char    *secret;               /* the newest, without "whsec_" and padding */

static int new_keys(void **group)
{
    static char text[SECRET_TEXT_BYTES];

    (void)group;
    keyring_init(&keys);
    snprintf(text, sizeof text, "%.80s", keys.secret[0].text + strlen("whsec_"));
    text[strcspn(text, "=")] = '\0';
    secret = text;
    return 0;
}

/* `headers`: name, value, name, value, ..., NULL. */
static void assert_recorded(const char *const *headers, const char *text, const char *wanted)
{
    json_t            *own = json_object(), *record = NULL;
    struct echo        x;
    struct json_writer w;
    struct json_fault  fault;

    for (; *headers != NULL; headers += 2)
        json_put(own, headers[0], json_string(headers[1]));
    echo_init(&x, &keys, own);
    json_writer_init(&w, MH_MIB);
    json_write_open(&w, NULL, '{');
    echo_write(&x, &w, "body", text, strlen(text));
    json_write_close(&w, '}');
    char *written = json_writer_take(&w);
    assert_int_equal(json_parse(written, strlen(written), &record, &fault), MH_OK);
    assert_string_equal(json_text_of(record, "body", ""), wanted);
    json_decref(record);
    free(written);
    echo_deinit(&x);
    json_decref(own);
}

static const char *const none[] = { NULL };

TEST(an_answer_without_secrets_is_recorded_as_it_is)
{
    const char *const headers[] = { "X-Team", "operations", NULL };

    assert_recorded(none, "ok, thanks", "ok, thanks");
    assert_recorded(headers, "ok, thanks", "ok, thanks");
    assert_recorded(none, "", "");
    assert_recorded(headers, "", "");
}

TEST(a_signing_secret_is_masked_with_and_without_its_prefix)
{
    char text[300];

    snprintf(text, sizeof text, "expected whsec_%s= or %s", secret, secret);
    assert_recorded(none, text, "expected whsec_***= or ***");
}

TEST(a_former_secret_that_lives_is_masked_as_well)
{
    char           text[300];
    struct keyring before = keys;

    snprintf(text, sizeof text, "had %s", secret);
    assert_int_equal(keyring_rotate(&keys, 1000, 0), MH_OK);
    assert_recorded(none, text, "had ***");
    keys = before;
}

TEST(the_value_of_an_own_header_is_masked_in_every_writing)
{
    const char *const headers[] = { "X-Key", "p@ss/word\"1", NULL };

    assert_recorded(headers, "x-key: p@ss/word\"1\n", "x-key: ***\n");
    assert_recorded(headers, "{\"x-key\":\"p@ss\\/word\\\"1\"} p%40ss%2Fword%221", "{\"x-key\":\"***\"} ***");
}

TEST(what_stands_behind_a_scheme_is_masked_alone_too)
{
    const char *const headers[] = { "Authorization", "Bearer tok-0123456789", NULL };

    assert_recorded(headers, "Bearer tok-0123456789; tok-0123456789 is unknown",
                    "Bearer ***; *** is unknown");
}

TEST(basic_credentials_are_masked_encoded_and_decoded)
{
    const char *const headers[] = { "Authorization", "Basic dXNlcjpjb3JyZWN0LWhvcnNl", NULL };

    assert_recorded(headers, "Basic dXNlcjpjb3JyZWN0LWhvcnNl", "Basic ***");
    assert_recorded(headers, "user:correct-horse has no account, wrong password correct-horse",
                    "*** has no account, wrong password ***");
}

TEST(a_secret_on_the_border_of_what_is_recorded_is_not_cut_but_masked)
{
    const char *const headers[] = { "X-Key", "0123456789abcdef", NULL };
    char              text[4096], wanted[DELIVERY_TEXT_MAX + 1];

    for (size_t before = DELIVERY_TEXT_MAX - 18; before <= DELIVERY_TEXT_MAX; before++) {
        snprintf(text, sizeof text, "%0*d%s tail", (int)before, 0, headers[1]);
        snprintf(wanted, sizeof wanted, "%0*d*** tail", (int)before, 0);
        assert_recorded(headers, text, wanted);
    }
}

TEST(as_many_headers_as_there_may_be_are_all_masked)
{
    static char names[ENDPOINT_MAX_HEADERS][24], values[ENDPOINT_MAX_HEADERS][40];
    const char *headers[2 * ENDPOINT_MAX_HEADERS + 1] = { NULL };
    char        text[2000] = "", wanted[2000] = "";

    for (size_t i = 0; i < ENDPOINT_MAX_HEADERS; i++) {
        snprintf(names[i], sizeof names[i], "X-%zu", i);
        snprintf(values[i], sizeof values[i], "Basic dXNlcjpwYXNzd29yZC0%c", (char)('w' + i % 4));
        headers[2 * i] = names[i];
        headers[2 * i + 1] = values[i];
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", values[i]);
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "Basic *** ");
    }
    for (int i = 0; i < KEYRING_SECRETS - 1; i++)
        assert_int_equal(keyring_rotate(&keys, 1000, 0), MH_OK);
    assert_recorded(headers, text, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_answer_without_secrets_is_recorded_as_it_is),
        RUN(a_signing_secret_is_masked_with_and_without_its_prefix),
        RUN(a_former_secret_that_lives_is_masked_as_well),
        RUN(the_value_of_an_own_header_is_masked_in_every_writing),
        RUN(what_stands_behind_a_scheme_is_masked_alone_too),
        RUN(basic_credentials_are_masked_encoded_and_decoded),
        RUN(a_secret_on_the_border_of_what_is_recorded_is_not_cut_but_masked),
        RUN(as_many_headers_as_there_may_be_are_all_masked),
    };
    return cmocka_run_group_tests(tests, new_keys, NULL);
}
