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
    assert_string_equal(url.hosts[0].name, "redis.example");
    assert_string_equal(url.hosts[0].port, "6379");
    assert_int_equal(url.login.db, 0);
    assert_null(url.login.password);
    assert_false(url.tls);
    redis_url_deinit(&url);
}

TEST(every_part_is_read)
{
    good("rediss://mh:p%40ss%2Fword@10.0.0.7:7000/3");
    assert_true(url.tls);
    assert_string_equal(url.login.user, "mh");
    assert_string_equal(url.login.password, "p@ss/word");
    assert_string_equal(url.hosts[0].name, "10.0.0.7");
    assert_string_equal(url.hosts[0].port, "7000");
    assert_int_equal(url.login.db, 3);
    redis_url_deinit(&url);
}

TEST(a_password_needs_no_user)
{
    good("redis://:secret@host");
    assert_null(url.login.user);
    assert_string_equal(url.login.password, "secret");
    redis_url_deinit(&url);
}

TEST(an_ipv6_address_stands_in_brackets)
{
    good("redis://[::1]:6380/");
    assert_string_equal(url.hosts[0].name, "::1");
    assert_string_equal(url.hosts[0].port, "6380");
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

TEST(sentinels_are_a_list_in_front_of_their_masters_name)
{
    good("redis+sentinel://mh:p%40ss@s1:5000,[::1],s3/mymaster/2");
    assert_int_equal(url.kind, REDIS_SENTINEL);
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[0].port, "5000");
    assert_string_equal(url.hosts[1].name, "::1");
    assert_string_equal(url.hosts[2].port, "26379");
    assert_string_equal(url.master, "mymaster");
    assert_string_equal(url.login.password, "p@ss");
    assert_int_equal(url.login.db, 2);
    assert_null(url.sentinel_login.password);
    assert_string_equal(url.shown, "redis+sentinel://mh:***@s1:5000,[::1]:26379,s3:26379/mymaster/2");
    redis_url_deinit(&url);
}

TEST(sentinels_may_want_a_password_of_their_own)
{
    good("rediss+sentinel://:one@s1/m?sentinel_user=u&sentinel_password=t%2Fw@o");
    assert_true(url.tls);
    assert_string_equal(url.login.password, "one");
    assert_string_equal(url.sentinel_login.user, "u");
    assert_string_equal(url.sentinel_login.password, "t/w@o");
    assert_null(strstr(url.shown, "w@o"));
    redis_url_deinit(&url);
}

TEST(a_cluster_is_known_by_some_of_its_nodes)
{
    good("redis+cluster://:secret@a:7000,b");
    assert_int_equal(url.kind, REDIS_CLUSTER);
    assert_int_equal(url.host_count, 2);
    assert_string_equal(url.hosts[1].port, "6379");
    assert_string_equal(url.shown, "redis+cluster://:***@a:7000,b:6379");
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
        "redis://:hunter2@host#x", "redis://a,b", "unix:",
        "redis+sentinel://a,b", "redis+sentinel://a,b/", "redis+sentinel://a,,b/m",
        "redis+sentinel://a/m/x", "redis+sentinel://a/m?db=1", "redis+sentinel://a/m?",
        "redis+sentinel://a/m?sentinel_user=hunter2", "redis+sentinel://a/m?sentinel_password=",
        "redis+sentinel://a/m?sentinel_password=hunter2&sentinel_password=hunter2",
        "redis+cluster://a/1", "redis+cluster://", "redis+cluster://a?x",
        "redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
        "unix:/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
        "/123456789/123456789/12345678",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why[0] = '\0';
        if (redis_url_parse(bad[i], &url, why) != MH_INVALID)
            fail_msg("%s was taken", bad[i]);
        assert_null(strstr(why, "hunter2"));
        assert_true(strlen(why) > 0);
        assert_null(url.hosts[0].name);
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
        RUN(sentinels_are_a_list_in_front_of_their_masters_name),
        RUN(sentinels_may_want_a_password_of_their_own),
        RUN(a_cluster_is_known_by_some_of_its_nodes),
        RUN(what_cannot_be_read_is_refused_with_a_reason_without_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
