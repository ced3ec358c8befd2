/* test_ssrf.c - the corpus of hostile spellings (tests/integration/data/ssrf.json) against the
 * pure parts: each is refused as a URL, or leads to an address that may not be dialled. */
#include "base/util.h"
#include "core/policy.h"
#include "io/json.h"

#include "unit.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *corpus;

static int read_corpus(void **state)
{
    static char text[64 * 1024];
    FILE       *file = fopen("tests/integration/data/ssrf.json", "r");

    (void)state;
    assert_non_null(file);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_true(bytes < sizeof text);
    struct json_fault fault;
    assert_int_equal(json_parse(text, bytes, &corpus, &fault), MH_OK);
    return 0;
}

static int free_corpus(void **state)
{
    (void)state;
    json_decref(corpus);
    return 0;
}

/* With port 8080 and the name "host" where the corpus leaves them open; to be freed. */
static char *filled_in(const char *url)
{
    static const struct { const char *open, *value; } words[] = { { "PORT", "8080" },
                                                                  { "HOSTNAME", "host" } };
    char *out = mem_strdup(url), *at;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        while ((at = strstr(out, words[i].open)) != NULL) {
            char *next = mem_printf("%.*s%s%s", (int)(at - out), out, words[i].value,
                                    at + strlen(words[i].open));
            free(out);
            out = next;
        }
    return out;
}

/* Every URL with this outcome; their number. */
static unsigned each(const char *outcome, void (*check)(const char *url))
{
    const char *kind;
    json_t     *outcomes, *url;
    size_t      i;
    unsigned    count = 0;

    json_object_foreach(corpus, kind, outcomes)
        json_array_foreach(json_object_get(outcomes, outcome), i, url) {
            char *text = filled_in(json_string_value(url));
            check(text);
            free(text);
            count++;
        }
    return count;
}

static void is_refused(const char *url)
{
    struct policy_url out;
    const char       *why = "";

    if (policy_url_parse(url, &out, &why) != MH_INVALID)
        fail_msg("\"%s\" was taken as %s", url, out.host);
}

static struct policy_url parsed(const char *url)
{
    struct policy_url out = { .port = 0 };
    const char       *why = "";

    if (policy_url_parse(url, &out, &why) != MH_OK)
        fail_msg("\"%s\" was refused: %s", url, why);
    return out;
}

static void is_a_name(const char *url) { parsed(url); }

/* What names of the machine lead to is seen by the tests that dial. */
static void is_blocked(const char *url)
{
    static const struct policy_ranges none;
    struct policy_url                 out = parsed(url);
    struct addrinfo                   hints = { .ai_flags = AI_NUMERICHOST }, *found = NULL;

    if (getaddrinfo(out.host, NULL, &hints, &found) != 0)
        return;
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
        if (policy_address_allowed(&none, a->ai_addr))
            fail_msg("\"%s\" may be dialled", url);
    freeaddrinfo(found);
}

TEST(spellings_that_readers_take_differently_are_no_urls) { assert_true(each("refused", is_refused) >= 200); }
TEST(addresses_that_are_not_public_are_not_dialled) { assert_true(each("blocked", is_blocked) >= 100); }
TEST(names_are_left_to_the_address_they_lead_to) { assert_true(each("name", is_a_name) >= 20); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(spellings_that_readers_take_differently_are_no_urls),
        RUN(addresses_that_are_not_public_are_not_dialled),
        RUN(names_are_left_to_the_address_they_lead_to),
    };
    return cmocka_run_group_tests(tests, read_corpus, free_corpus);
}
