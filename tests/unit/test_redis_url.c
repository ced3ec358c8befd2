/* test_redis_url.c - where a Redis is, read from a URL. */
#include "unit.h"

#include "base/util.h"
#include "io/redis_url.h"

#include <string.h>

static struct redis_url url;
static char             why[REDIS_URL_WHY_BYTES];

static void good(const char *text) { assert_int_equal(redis_url_parse(text, &url, why), MH_OK); }

TEST(a_host_alone_gets_the_usual_port_and_database)
{
    good("redis://redis.example");
    assert_string_equal(url.host, "redis.example");
    assert_string_equal(url.port, "6379");
    assert_int_equal(url.db, 0);
    assert_null(url.password);
    assert_false(url.tls);
    redis_url_deinit(&url);
}

TEST(every_part_is_read)
{
    good("rediss://mh:p%40ss%2Fword@10.0.0.7:7000/3");
    assert_true(url.tls);
    assert_string_equal(url.user, "mh");
    assert_string_equal(url.password, "p@ss/word");
    assert_string_equal(url.host, "10.0.0.7");
    assert_string_equal(url.port, "7000");
    assert_int_equal(url.db, 3);
    redis_url_deinit(&url);
}

TEST(a_password_needs_no_user)
{
    good("redis://:secret@host");
    assert_null(url.user);
    assert_string_equal(url.password, "secret");
    redis_url_deinit(&url);
}

TEST(an_ipv6_address_stands_in_brackets)
{
    good("redis://[::1]:6380/");
    assert_string_equal(url.host, "::1");
    assert_string_equal(url.port, "6380");
    redis_url_deinit(&url);
}

TEST(a_unix_socket_is_a_path)
{
    good("unix:/run/redis/redis.sock");
    assert_string_equal(url.path, "/run/redis/redis.sock");
    assert_string_equal(url.shown, "unix:/run/redis/redis.sock");
    redis_url_deinit(&url);
}

TEST(what_is_shown_hides_the_password)
{
    good("rediss://mh:hunter2@[fe80::1]/2");
    assert_string_equal(url.shown, "rediss://mh:***@[fe80::1]:6379/2");
    redis_url_deinit(&url);
}

TEST(what_cannot_be_read_is_refused_with_a_reason_without_the_password)
{
    static const char *const bad[] = {
        "", "redis", "http://host", "REDIS://host", "redis://", "redis://:6379", "redis://host:",
        "redis://host:0", "redis://host:65536", "redis://host:6379x", "redis://host:-1",
        "redis://host/x", "redis://host/1/2", "redis://host/99999999999999999999",
        "redis://hunter2@host", "redis://user:@host", "redis://:hunter2%@host",
        "redis://:hunter2%4@host", "redis://:hunter2%zz@host", "redis://:hunter2%00@host",
        "redis://[::1", "redis://[::1]x", "redis://[]", "redis://host?timeout=1",
        "redis://:hunter2@host#x", "unix:",
        "unix:/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
        "/123456789/123456789/12345678",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why[0] = '\0';
        if (redis_url_parse(bad[i], &url, why) != MH_INVALID)
            fail_msg("%s was taken", bad[i]);
        assert_null(strstr(why, "hunter2"));
        assert_true(strlen(why) > 0);
        assert_null(url.host);
        assert_null(url.shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_host_alone_gets_the_usual_port_and_database),
        RUN(every_part_is_read),
        RUN(a_password_needs_no_user),
        RUN(an_ipv6_address_stands_in_brackets),
        RUN(a_unix_socket_is_a_path),
        RUN(what_is_shown_hides_the_password),
        RUN(what_cannot_be_read_is_refused_with_a_reason_without_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
