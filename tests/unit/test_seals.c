/* test_seals.c - secrets go out where their tokens stand, and do not come back. */
#include "unit.h"

#include "core/vault.h"

#include <stdlib.h>
#include <string.h>

static void assert_revealed(const char *value, enum seal_place place, const char *before,
                            const char *after, const char *wanted)
{
    struct seals s = { .count = 0 };
    struct buf   text, out;

    buf_init(&text, 1024);
    buf_init(&out, 1024);
    const char *token = seals_add(&s, value);
    assert_int_equal(buf_printf(&text, "%s%s%s", before, token, after), MH_OK);
    assert_int_equal(seals_reveal(&s, place, text.data, text.len, &out), MH_OK);
    assert_string_equal(out.data, wanted);
    buf_deinit(&text);
    buf_deinit(&out);
    seals_deinit(&s);
}

TEST(a_raw_place_takes_the_value_as_it_is)
{
    assert_revealed("a\"b/c d", SEAL_RAW, "Bearer ", "", "Bearer a\"b/c d");
}

TEST(a_url_that_begins_with_a_token_is_that_value)
{
    assert_revealed("https://h/a?b=c", SEAL_URL, "", "&d=1", "https://h/a?b=c&d=1");
}

TEST(elsewhere_in_a_url_the_value_is_percent_encoded)
{
    assert_revealed("a/b?c=d&e #", SEAL_URL, "https://h/", "/x", "https://h/a%2Fb%3Fc%3Dd%26e%20%23/x");
}

TEST(a_value_cannot_end_the_json_string_it_stands_in)
{
    assert_revealed("a\",\"admin\":true,\"x\":\"\\\n", SEAL_JSON, "{\"k\":\"", "\"}",
                    "{\"k\":\"a\\\",\\\"admin\\\":true,\\\"x\\\":\\\"\\\\\\n\"}");
}

TEST(a_value_in_a_form_adds_no_field)
{
    assert_revealed("a&b=c+d", SEAL_FORM, "k=", "&z=1", "k=a%26b%3Dc%2Bd&z=1");
}

TEST(a_token_of_another_plugin_stays_a_token)
{
    static const char foreign[] = "mhs_00112233445566778899aabbccddeeff";
    struct seals      s = { .count = 0 };
    struct buf        out;

    buf_init(&out, 1024);
    seals_add(&s, "secret");
    assert_int_equal(seals_reveal(&s, SEAL_RAW, foreign, strlen(foreign), &out), MH_OK);
    assert_string_equal(out.data, foreign);
    buf_deinit(&out);
    seals_deinit(&s);
}

TEST(a_token_that_is_cut_short_is_text)
{
    struct seals s = { .count = 0 };
    struct buf   out;
    char         cut[VAULT_TOKEN_CHARS];

    buf_init(&out, 1024);
    memcpy(cut, seals_add(&s, "secret"), sizeof cut);
    assert_int_equal(seals_reveal(&s, SEAL_RAW, cut, sizeof cut - 1, &out), MH_OK);
    assert_int_equal(out.len, sizeof cut - 1);
    buf_deinit(&out);
    seals_deinit(&s);
}

TEST(a_value_longer_than_the_place_allows_is_too_large)
{
    struct seals s = { .count = 0 };
    struct buf   out;

    buf_init(&out, 4);
    const char *token = seals_add(&s, "secret");
    assert_int_equal(seals_reveal(&s, SEAL_RAW, token, strlen(token), &out), MH_TOO_LARGE);
    buf_deinit(&out);
    seals_deinit(&s);
}

TEST(there_is_a_most_of_secrets)
{
    struct seals s = { .count = 0 };

    for (int i = 0; i < VAULT_MAX_SECRETS; i++)
        assert_non_null(seals_add(&s, "x"));
    assert_null(seals_add(&s, "x"));
    seals_deinit(&s);
}

/* Conceals `text` with the secrets `values`; in what comes out, the token of secret N is
 * shown as <N>. */
static void assert_concealed(const char *const *values, const char *text, const char *wanted)
{
    struct seals s = { .count = 0 };
    struct buf   out, shown;

    buf_init(&out, 4096);
    buf_init(&shown, 4096);
    for (size_t i = 0; values[i] != NULL; i++)
        assert_non_null(seals_add(&s, values[i]));
    assert_int_equal(seals_conceal(&s, text, strlen(text), &out), MH_OK);
    for (size_t at = 0; at < out.len;) {
        size_t found = 0;
        while (found < s.count && strncmp(out.data + at, s.item[found].token, VAULT_TOKEN_CHARS) != 0)
            found++;
        bool token = found < s.count;
        assert_int_equal(token ? buf_printf(&shown, "<%zu>", found)
                               : buf_append(&shown, out.data + at, 1), MH_OK);
        at += token ? VAULT_TOKEN_CHARS : 1;
    }
    assert_string_equal(shown.data, wanted);
    buf_deinit(&out);
    buf_deinit(&shown);
    seals_deinit(&s);
}

TEST(a_value_that_comes_back_is_its_token_again)
{
    const char *const values[] = { "hunter2!", NULL };

    assert_concealed(values, "you sent hunter2!, hunter2!", "you sent <0>, <0>");
}

TEST(a_value_comes_back_as_it_was_written_in_each_place)
{
    const char *const values[] = { "a\"b/c", NULL };

    assert_concealed(values, "a\"b/c a\\\"b/c a%22b%2Fc", "<0> <0> <0>");
}

TEST(a_value_that_begins_another_leaves_nothing_of_it)
{
    const char *const values[] = { "abcd", "abcdefgh", NULL };

    assert_concealed(values, "abcdefgh abcd", "<1> <0>");
}

TEST(a_value_that_looks_like_a_token_breaks_none)
{
    const char *const values[] = { "first-secret", "mhs_", NULL };

    assert_concealed(values, "first-secret", "<0>");
}

TEST(a_value_shorter_than_four_bytes_is_left_as_it_is)
{
    const char *const values[] = { "abc", NULL };

    assert_concealed(values, "abcabc", "abcabc");
}

TEST(without_secrets_text_passes_unchanged)
{
    const char *const values[] = { NULL };

    assert_concealed(values, "mhs_ text", "mhs_ text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_raw_place_takes_the_value_as_it_is),
        RUN(a_url_that_begins_with_a_token_is_that_value),
        RUN(elsewhere_in_a_url_the_value_is_percent_encoded),
        RUN(a_value_cannot_end_the_json_string_it_stands_in),
        RUN(a_value_in_a_form_adds_no_field),
        RUN(a_token_of_another_plugin_stays_a_token),
        RUN(a_token_that_is_cut_short_is_text),
        RUN(a_value_longer_than_the_place_allows_is_too_large),
        RUN(there_is_a_most_of_secrets),
        RUN(a_value_that_comes_back_is_its_token_again),
        RUN(a_value_comes_back_as_it_was_written_in_each_place),
        RUN(a_value_that_begins_another_leaves_nothing_of_it),
        RUN(a_value_that_looks_like_a_token_breaks_none),
        RUN(a_value_shorter_than_four_bytes_is_left_as_it_is),
        RUN(without_secrets_text_passes_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
