/* test_headers.c - an endpoint's own headers: masked where they are shown, kept where they are sent
 * back masked, sealed where they are stored. */
#include "unit.h"

#include "webhook/endpoint.h"
#include "webhook/endpoints.h"
#include "webhook/headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL "\"url\":\"https://example.com/hook\""

static const struct endpoint_most most = { .timeout_ms = 15000, .concurrency = 64 };
static struct vault *vault;
static char          folder[] = "/tmp/mh-headers-XXXXXX";

static int open_vault(void **group)
{
    (void)group;
    return mkdtemp(folder) != NULL && vault_open(folder, &vault) == MH_OK ? 0 : -1;
}

static int close_vault(void **group)
{
    char path[64];

    (void)group;
    vault_close(vault);
    snprintf(path, sizeof path, "%s/master.key", folder);
    return remove(path) + remove(folder);
}

static json_t *json(const char *text)
{
    struct json_fault fault;
    json_t           *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value, &fault), MH_OK);
    return value;
}

static void assert_is(json_t *value, const char *wanted)
{
    json_t *other = json(wanted);

    assert_true(json_equal(value, other));
    json_decref(value);
    json_decref(other);
}

/* The headers of an endpoint that had `before` (NULL: a new one) and is given `given`. */
static enum mh_err patched(const char *before, const char *given, json_t **out, struct json_fault *fault)
{
    json_t *old = NULL, *merged = NULL, *body = json(given);

    if (before != NULL) {
        json_t *first = json("{" URL "}");
        json_put(first, "headers", json(before));
        assert_int_equal(endpoint_check(first, NULL, &most, &old, fault), MH_OK);
        json_decref(first);
    }
    enum mh_err err = endpoint_check(body, old, &most, &merged, fault);
    if (err == MH_OK)
        *out = json_incref(json_object_get(merged, "headers"));
    json_decref(merged);
    json_decref(old);
    json_decref(body);
    return err;
}

TEST(every_value_is_masked_and_every_name_shown)
{
    json_t *headers = json("{\"Authorization\":\"Bearer x\",\"X-Team\":\"ops\"}");

    assert_is(headers_masked(headers), "{\"Authorization\":\"***\",\"X-Team\":\"***\"}");
    json_decref(headers);
}

TEST(a_masked_value_that_is_sent_back_keeps_the_one_that_there_is)
{
    struct json_fault fault;
    json_t           *headers = NULL;

    assert_int_equal(patched("{\"X-A\":\"one\",\"X-B\":\"two\"}",
                             "{\"headers\":{\"x-a\":\"***\",\"X-C\":\"three\"}}", &headers, &fault), MH_OK);
    assert_is(headers, "{\"x-a\":\"one\",\"X-C\":\"three\"}");
}

TEST(a_change_of_something_else_leaves_the_values)
{
    struct json_fault fault;
    json_t           *headers = NULL;

    assert_int_equal(patched("{\"X-A\":\"one\"}", "{\"active\":false}", &headers, &fault), MH_OK);
    assert_is(headers, "{\"X-A\":\"one\"}");
}

TEST(a_mask_for_a_header_that_is_not_there_is_refused)
{
    struct json_fault fault;
    json_t           *headers = NULL;

    assert_int_equal(patched("{\"X-A\":\"one\"}", "{\"headers\":{\"X-B\":\"***\"}}", &headers, &fault),
                     MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, "/headers/X-B");
    assert_int_equal(patched(NULL, "{" URL ",\"headers\":{\"X-A\":\"***\"}}", &headers, &fault),
                     MH_UNPROCESSABLE);
    assert_string_equal(fault.pointer, "/headers/X-A");
    assert_null(headers);
}

TEST(sealed_headers_open_again_for_their_endpoint_only)
{
    json_t *headers = json("{\"X-A\":\"a \\\"password\\\"\",\"X-B\":\"\xc3\xa9\"}"), *out = NULL;
    json_t *sealed = headers_seal(vault, "wh_1", headers);

    assert_true(vault_looks_sealed(json_string_value(sealed)));
    assert_int_equal(headers_unseal(vault, "wh_2", sealed, &out), MH_DENIED);
    assert_null(out);
    assert_int_equal(headers_unseal(vault, "wh_1", sealed, &out), MH_OK);
    assert_true(json_equal(out, headers));
    json_decref(out);
    json_decref(sealed);
    json_decref(headers);
}

TEST(another_secret_of_the_endpoint_is_not_taken_for_its_headers)
{
    char   *text = vault_seal(vault, "wh_1", "{\"X-A\":\"b\"}");
    json_t *sealed = json_string(text), *out = NULL;

    assert_int_equal(headers_unseal(vault, "wh_1", sealed, &out), MH_DENIED);
    json_decref(sealed);
    free(text);
}

TEST(headers_that_were_stored_plain_are_read)
{
    json_t *plain = json("{\"X-A\":\"enc:is a word\"}"), *out = NULL;

    assert_true(headers_stored_plain(plain));
    assert_int_equal(headers_unseal(vault, "wh_1", plain, &out), MH_OK);
    assert_is(out, "{\"X-A\":\"enc:is a word\"}");
    json_decref(plain);
}

TEST(no_headers_need_no_seal)
{
    json_t *headers = json_object(), *sealed = headers_seal(vault, "wh_1", headers), *out = NULL;

    assert_false(headers_stored_plain(sealed));
    assert_int_equal(headers_unseal(vault, "wh_1", sealed, &out), MH_OK);
    assert_is(out, "{}");
    json_decref(sealed);
    json_decref(headers);
}

TEST(a_change_of_the_master_key_knows_what_headers_are_sealed_about)
{
    char about[VAULT_ABOUT_BYTES], wanted[VAULT_ABOUT_BYTES];

    headers_about("wh_1", wanted);
    endpoints_secret_about("wh_1", "headers", about);
    assert_string_equal(about, wanted);
    endpoints_secret_about("wh_1", "secret", about);
    assert_string_equal(about, "wh_1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(every_value_is_masked_and_every_name_shown),
        RUN(a_masked_value_that_is_sent_back_keeps_the_one_that_there_is),
        RUN(a_change_of_something_else_leaves_the_values),
        RUN(a_mask_for_a_header_that_is_not_there_is_refused),
        RUN(sealed_headers_open_again_for_their_endpoint_only),
        RUN(another_secret_of_the_endpoint_is_not_taken_for_its_headers),
        RUN(headers_that_were_stored_plain_are_read),
        RUN(no_headers_need_no_seal),
        RUN(a_change_of_the_master_key_knows_what_headers_are_sealed_about),
    };
    return cmocka_run_group_tests(tests, open_vault, close_vault);
}
