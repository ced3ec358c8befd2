/* test_seals.c - secrets go out where their tokens stand, and do not come back. */
#include "unit.h"

#include "core/vault.h"

#include <stdio.h>
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

/* Every writing of one value, in which a service might show what it got. */
TEST(a_value_is_found_however_its_characters_are_escaped)
{
    static const char *const values[] = { "c@n\"ary/\xc3\xa9&x \\'<+\xf0\x9f\x92\xa1>", NULL };
    static const char *const writings[] = {
        "c@n\"ary/\xc3\xa9&x \\'<+\xf0\x9f\x92\xa1>",
        "c%40n%22ary%2F%C3%A9%26x%20%5C%27%3C%2B%F0%9F%92%A1%3E",
        "c%40n%22ary%2f%c3%a9%26x+%5c%27%3c%2b%f0%9f%92%a1%3e",
        "c@n%22ary/%C3%A9&x%20%5C'%3C+%F0%9F%92%A1%3E",
        "c@n\\\"ary/\xc3\xa9&x \\\\'<+\xf0\x9f\x92\xa1>",
        "c@n\\\"ary\\/\\u00e9&x \\\\'<+\\uD83D\\uDCA1>",
        "c@n\\u0022ary\\u002f\\u00E9\\u0026x\\u0020\\u005c\\u0027\\u003c\\u002b\\ud83d\\udca1\\u003e",
        "c@n\"ary/\\xc3\\xa9&x \\\\\\'<+\\xf0\\x9f\\x92\\xa1>",
        "c@n&quot;ary/\xc3\xa9&amp;x \\&#39;&lt;+\xf0\x9f\x92\xa1&gt;",
        "c@n&#34;ary&#x2F;&#233;&amp;x \\&apos;&lt;+&#x1F4a1;&gt;",
        "C@N\"ARY/\xc3\xa9&X \\'<+\xf0\x9f\x92\xa1>",
    };
    for (size_t i = 0; i < sizeof writings / sizeof writings[0]; i++) {
        char text[400], wanted[40];
        snprintf(text, sizeof text, "you sent \"%s\".", writings[i]);
        snprintf(wanted, sizeof wanted, "you sent \"<0>\".");
        assert_concealed(values, text, wanted);
    }
}

TEST(a_value_that_a_service_took_for_latin_1_is_found)
{
    const char *const values[] = { "p\xc3\xa9ss", NULL };

    assert_concealed(values, "p\xc3\x83\xc2\xa9ss p\\u00c3\\u00a9ss", "<0> <0>");
}

TEST(hex_of_a_value_is_masked)
{
    const char *const values[] = { "J\xc3\xb6rg's key", NULL };

    assert_concealed(values, "4ac3b672672773206b6579 4AC3B672672773206B6579", "*** ***");
}

/* "user:" moves the value to each place in a group of three. */
TEST(base64_of_what_holds_a_value_is_masked)
{
    const char *const values[] = { "correct-horse", NULL };

    assert_concealed(values, "Basic OmNvcnJlY3QtaG9yc2U=", "Basic Om***U=");
    assert_concealed(values, "Basic dTpjb3JyZWN0LWhvcnNl", "Basic dTp***");
    assert_concealed(values, "Basic dXNlcjpjb3JyZWN0LWhvcnNl", "Basic dXNlcjp***");
    assert_concealed(values, "Basic dXM6Y29ycmVjdC1ob3JzZTo", "Basic dXM6***To");
    assert_concealed(values, "Y29ycmVjdC1ob3JzZQ==", "***Q==");
}

TEST(base64_is_masked_in_both_alphabets_and_escaped)
{
    const char *const values[] = { "\?\?\?>>>\?\?\?>>>", NULL };

    assert_concealed(values, "Pz8/Pj4+Pz8/Pj4+", "***");
    assert_concealed(values, "Pz8_Pj4-Pz8_Pj4-", "***");
    assert_concealed(values, "Pz8%2FPj4%2BPz8%2fPj4%2b", "***");
    assert_concealed(values, "Pz8\\/Pj4+Pz8\\/Pj4+", "***");
}

TEST(the_path_and_the_query_of_a_url_are_masked_and_its_host_is_not)
{
    const char *const values[] = {
        "https://h.example/services/T0/B0?key=a%2Fsecret%20key&v=2#part", NULL };

    assert_concealed(values, "https://h.example/services/T0/B0?key=a%2Fsecret%20key&v=2#part", "<0>");
    assert_concealed(values, "Cannot POST /services/T0/B0?key=a%2Fsecret%20key&v=2 at h.example",
                     "Cannot POST *** at h.example");
    assert_concealed(values, "no /services/T0/B0 here", "no *** here");
    assert_concealed(values, "bad key a/secret key, a%2Fsecret+key", "bad key ***, ***");
    assert_concealed(values, "{\"key\":1,\"v\":2,\"services\":3}", "{\"key\":1,\"v\":2,\"services\":3}");
}

TEST(a_long_segment_of_the_path_of_a_url_is_masked)
{
    const char *const values[] = { "https://h.example/api/hooks/0123456789abcdefXYZ", NULL };

    assert_concealed(values, "hooks api 0123456789abcdefXYZ", "hooks api ***");
}

TEST(a_text_that_ends_within_a_value_or_an_escape_is_left_as_it_is)
{
    static const char *const values[] = { "c@n\"ary/x\xf0\x9f\x92\xa1", NULL };
    static const char *const cut[] = { "c@n\"ary", "c%40n%22ary%2", "c%40n%22ary%", "c@n\\",
        "c@n\\u002", "c@n\\\"ary/x\\ud83d", "c@n\\\"ary/x\\ud83d\\u", "c@n&quot", "c@n&#3", "c@n&",
        "c@n\\\"ary/x\\ud83d\\ud83d" };

    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        assert_concealed(values, cut[i], cut[i]);
}

TEST(nothing_is_derived_from_a_value_of_less_than_eight_bytes)
{
    const char *const values[] = { "guest", NULL };

    assert_concealed(values, "guest Z3Vlc3Q= 6775657374 GUEST", "<0> Z3Vlc3Q= 6775657374 GUEST");
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
        RUN(a_value_is_found_however_its_characters_are_escaped),
        RUN(a_value_that_a_service_took_for_latin_1_is_found),
        RUN(hex_of_a_value_is_masked),
        RUN(base64_of_what_holds_a_value_is_masked),
        RUN(base64_is_masked_in_both_alphabets_and_escaped),
        RUN(the_path_and_the_query_of_a_url_are_masked_and_its_host_is_not),
        RUN(a_long_segment_of_the_path_of_a_url_is_masked),
        RUN(a_text_that_ends_within_a_value_or_an_escape_is_left_as_it_is),
        RUN(nothing_is_derived_from_a_value_of_less_than_eight_bytes),
        RUN(without_secrets_text_passes_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
