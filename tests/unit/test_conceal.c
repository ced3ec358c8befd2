/* test_conceal.c - concealing in one pass, and in parts, gives what the former algorithm gave, which
 * tried every spelling at every place: for random secrets in random texts, in all writings.
 * test_seals.c has the examples. CONCEAL_SEED repeats a run, CONCEAL_ROUNDS makes it longer. */
#include "unit.h"

#include "conceal_slowly.h"

#include <stdio.h>

enum { ROUNDS = 1000, TEXTS = 6, MOST_TEXT = 1500 };

static uint64_t dice;

static unsigned below(unsigned n)           /* xorshift64* */
{
    dice ^= dice >> 12, dice ^= dice << 25, dice ^= dice >> 27;
    return (unsigned)((dice * 2685821657736338717u) >> 33) % n;
}

/* Few characters, so that secrets begin and contain each other, and whatever can be an escape. */
static char any_character(void)
{
    static const char few[] = "aAbB01+-/_ %\\&;#xu\"'<c39\n\xc3\xa9\xf0\x9f\x92\xa1=";
    return few[below(sizeof few - 1)];
}

/* ---- Secrets ---------------------------------------------------------------------------- */

static void any_secret(char *out)
{
    size_t at = 0, len = below(5) == 0 ? below(8) : 4 + below(40);

    if (below(4) == 0)
        at = (size_t)snprintf(out, 100, "https://h/%s?", below(2) ? "abcdefghijklmnopq/r" : "x");
    for (size_t i = 0; i < len; i++)
        out[at++] = below(3) ? any_character() : (char)('a' + below(26));
    out[at] = '\0';
}

/* ---- Texts -------------------------------------------------------------------------------- */

static size_t plainly(unsigned char c, char *out) { return (size_t)snprintf(out, 16, "%c", c); }
static size_t in_percent(unsigned char c, char *out)
{
    if (c == ' ' && below(2))
        return plainly('+', out);
    return (size_t)snprintf(out, 16, below(2) ? "%%%02x" : "%%%02X", c);
}
static size_t in_x(unsigned char c, char *out) { return (size_t)snprintf(out, 16, "\\x%02x", c); }
static size_t in_u(unsigned char c, char *out) { return (size_t)snprintf(out, 16, "\\u%04x", c); }
static size_t escaped(unsigned char c, char *out) { return (size_t)snprintf(out, 16, "\\%c", c); }
static size_t in_html(unsigned char c, char *out)
{
    return (size_t)snprintf(out, 16, below(2) ? "&#%u;" : "&#x%X;", c);
}
static size_t other_case(unsigned char c, char *out)
{
    return plainly((unsigned char)(islower(c) ? toupper(c) : tolower(c)), out);
}

static size_t (*const writers[])(unsigned char, char *) = { plainly, in_percent, in_x, in_u, escaped,
                                                            in_html, other_case };

/* Mostly whole and in one writing, sometimes cut or mixed. */
static size_t write_text(const char *value, size_t len, char *out)
{
    size_t   at = 0, from = below(8) ? 0 : below((unsigned)len + 1);
    size_t   to = below(8) ? len : from + below((unsigned)(len - from) + 1);
    unsigned writer = below(ARRAY_LEN(writers)), often = below(4);

    for (size_t i = from; i < to; i++) {
        if (below(40) == 0)
            writer = below(ARRAY_LEN(writers));
        at += (often && below(often + 1) == 0 ? plainly : writers[writer])((unsigned char)value[i], out + at);
    }
    return at;
}

static size_t write_derived(const char *value, size_t len, char *out)
{
    char around[300], derived[700];

    if (below(2)) {
        crypto_hex(value, len, derived);
        return write_text(derived, 2 * len, out);
    }
    int n = snprintf(around, sizeof around, "%.*s%s%s", (int)below(4), "u:p", value, below(2) ? "" : "z");
    crypto_base64(around, (size_t)n, derived);
    for (char *c = derived; *c != '\0' && n % 2; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return write_text(derived, strlen(derived), out);
}

static size_t any_text(const struct seals *s, char *out)
{
    size_t at = 0;

    while (at < MOST_TEXT && below(25) > 0) {
        const char *value = s->item[below((unsigned)s->count)].value;
        size_t      len = strlen(value);
        for (unsigned junk = below(9); junk > 0; junk--)
            out[at++] = any_character();
        at += below(3) ? write_text(value, len, out + at) : write_derived(value, len, out + at);
    }
    return at;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static void assert_same(const struct buf *got, const struct buf *wanted, const char *text, size_t bytes)
{
    if (got->len != wanted->len || memcmp(got->data ? got->data : "", wanted->data ? wanted->data : "",
                                          got->len) != 0)
        fail_msg("of \"%.*s\"\nbecame \"%s\"\nnot    \"%s\"", (int)bytes, text, got->data, wanted->data);
}

/* So little at a time that there is an end of a part at every place. */
static void conceal_in_parts(const struct seals *s, const char *text, size_t bytes, struct buf *out)
{
    struct concealing c = { .seals = s, .text = text, .bytes = bytes };

    for (unsigned parts = 0; !c.done; parts++) {
        assert_true(parts <= 100 * (bytes + 1));
        assert_int_equal(conceal_some(&c, 1 + below(12), out), MH_OK);
    }
    if (c.copied == 0) {
        assert_int_equal(out->len, 0);
        assert_int_equal(buf_append(out, text, bytes), MH_OK);
    }
}

static void compare(const struct seals *s, const struct slow_spellings *slow, const char *text, size_t bytes)
{
    struct buf wanted, whole, parts;
    char      *exact = malloc(bytes + 1);   /* a read behind its end is found */

    memcpy(exact, text, bytes);
    exact = realloc(exact, bytes ? bytes : 1);
    buf_init(&wanted, MH_MIB);
    buf_init(&whole, MH_MIB);
    buf_init(&parts, MH_MIB);
    assert_int_equal(conceal_slowly(s, slow, exact, bytes, &wanted), MH_OK);
    assert_int_equal(seals_conceal(s, exact, bytes, &whole), MH_OK);
    assert_same(&whole, &wanted, text, bytes);
    conceal_in_parts(s, exact, bytes, &parts);
    assert_same(&parts, &wanted, text, bytes);
    buf_deinit(&wanted);
    buf_deinit(&whole);
    buf_deinit(&parts);
    free(exact);
}

static void one_round(void)
{
    struct seals s = { .count = 0 };
    char         secret[200], text[MOST_TEXT + 8000];

    for (unsigned left = 1 + below(below(10) ? 4 : VAULT_MAX_SECRETS); left > 0; left--) {
        any_secret(secret);
        assert_non_null(seals_add(&s, secret));
    }
    struct slow_spellings *slow = slow_spellings(&s);
    for (unsigned i = 0; i < TEXTS; i++)
        compare(&s, slow, text, any_text(&s, text));
    slow_free(slow);
    seals_deinit(&s);
}

static unsigned long long from_environment(const char *name, unsigned long long otherwise)
{
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 10) : otherwise;
}

TEST(random_secrets_in_random_texts_are_concealed_as_by_trying_all_at_every_place)
{
    for (unsigned long long left = from_environment("CONCEAL_ROUNDS", ROUNDS); left > 0; left--)
        one_round();
}

/* A text of each length, with the value at each place in it. */
TEST(a_value_is_found_at_every_place_and_in_every_writing)
{
    static const char value[] = "s3cr&t %\\\xc3\xa9/+Zz0";
    struct seals      s = { .count = 0 };
    char              text[1000];

    seals_add(&s, value);
    struct slow_spellings *slow = slow_spellings(&s);
    for (size_t before = 0; before < 20; before++)
        for (size_t writer = 0; writer < ARRAY_LEN(writers); writer++)
            for (size_t behind = 0; behind < 5; behind++) {
                size_t at = before;
                memset(text, "xs%\\&"[writer % 5], before);
                for (const char *c = value; *c != '\0'; c++)
                    at += writers[writer]((unsigned char)*c, text + at);
                memset(text + at, 'x', behind);
                compare(&s, slow, text, at + behind);
            }
    slow_free(slow);
    seals_deinit(&s);
}

/* The work that a part may do bounds it, whatever the text is made of. */
TEST(a_part_does_no_more_than_its_work_and_one_place)
{
    static const char *const kinds[] = { "plain text ", "%%%%", "\\\\\\", "&&&&", "aaaaaaaaaaaaaaaab" };
    struct seals             s = { .count = 0 };
    char                     text[20000];

    seals_add(&s, "aaaaaaaaaaaaaaaac");
    for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        struct buf out;
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = kinds[kind][i % strlen(kinds[kind])];
        struct concealing c = { .seals = &s, .text = text, .bytes = sizeof text };
        buf_init(&out, MH_MIB);
        for (size_t before = 0; !c.done; before = c.at) {
            assert_int_equal(conceal_some(&c, 100, &out), MH_OK);
            assert_true(c.done || (c.at > before && c.at - before <= 100));
        }
        buf_deinit(&out);
    }
    seals_deinit(&s);
}

int main(void)
{
    unsigned long long seed = from_environment("CONCEAL_SEED", 0x9e3779b97f4a7c15u);
    const struct CMUnitTest tests[] = {
        RUN(random_secrets_in_random_texts_are_concealed_as_by_trying_all_at_every_place),
        RUN(a_value_is_found_at_every_place_and_in_every_writing),
        RUN(a_part_does_no_more_than_its_work_and_one_place),
    };

    dice = seed ? seed : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
