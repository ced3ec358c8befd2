/* test_listen.c - the address of --listen. */
#include "unit.h"

#include "base/util.h"
#include "core/listen.h"

static struct listen_address address;
static char                  text[LISTEN_TEXT_BYTES];

static const char *read_as(const char *given)
{
    assert_int_equal(listen_parse(given, &address), MH_OK);
    return listen_format(&address, text);
}

TEST(an_address_is_shown_as_it_was_given)
{
    assert_string_equal(read_as("127.0.0.1:8420"), "127.0.0.1:8420");
    assert_string_equal(read_as("[::1]:0"), "[::1]:0");
    assert_string_equal(address.host, "::1");
}

TEST(a_port_alone_means_every_address)
{
    assert_string_equal(read_as(":80"), "0.0.0.0:80");
}

TEST(what_is_no_address_with_a_port_is_refused)
{
    static const char *const bad[] = { "", "localhost", "localhost:", "localhost:x", "h:65536", "h:1x" };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (listen_parse(bad[i], &address) != MH_INVALID)
            fail_msg("%s was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_address_is_shown_as_it_was_given),
        RUN(a_port_alone_means_every_address),
        RUN(what_is_no_address_with_a_port_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
