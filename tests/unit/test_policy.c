/* test_policy.c - spellings of URLs, permissions and addresses, each with its outcome. */
#include "base/util.h"
#include "core/policy.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

/* ---- URLs --------------------------------------------------------------------------- */

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define N253 L63 "." L63 "." L63 "." "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

TEST(plain_urls_are_read_into_their_parts)
{
    static const struct { const char *url, *scheme, *host; uint16_t port; } cases[] = {
        { "http://example.com", "http", "example.com", 80 },
        { "https://example.com", "https", "example.com", 443 },
        { "https://example.com/", "https", "example.com", 443 },
        { "HTTPS://Example.COM/Path", "https", "example.com", 443 },
        { "https://example.com:8443/x", "https", "example.com", 8443 },
        { "https://example.com:/x", "https", "example.com", 443 },
        { "http://example.com:1", "http", "example.com", 1 },
        { "http://example.com:65535", "http", "example.com", 65535 },
        { "https://example.com?x=1", "https", "example.com", 443 },
        { "https://example.com#top", "https", "example.com", 443 },
        { "https://example.com/a@b:c?d=[e]&f=%20%00", "https", "example.com", 443 },
        { "https://example.com?@evil.com/", "https", "example.com", 443 },
        { "https://example.com#@evil.com/", "https", "example.com", 443 },
        { "https://example.com/http://evil.com/", "https", "example.com", 443 },
        { "https://example.com./x", "https", "example.com", 443 },
        { "https://localhost", "https", "localhost", 443 },
        { "https://a", "https", "a", 443 },
        { "https://my_host.example.com", "https", "my_host.example.com", 443 },
        { "https://xn--bcher-kva.example", "https", "xn--bcher-kva.example", 443 },
        { "https://-a-.example", "https", "-a-.example", 443 },
        { "https://1.example", "https", "1.example", 443 },
        { "https://0x7f.example", "https", "0x7f.example", 443 },
        { "https://1.2.3.4.example", "https", "1.2.3.4.example", 443 },
        { "https://0xg", "https", "0xg", 443 },
        { "https://1e3", "https", "1e3", 443 },
        { "https://192.0.2.1", "https", "192.0.2.1", 443 },
        { "http://127.0.0.1:8080/x", "http", "127.0.0.1", 8080 },
        { "http://0.0.0.0", "http", "0.0.0.0", 80 },
        { "https://[::1]", "https", "::1", 443 },
        { "https://[::1]:8443/", "https", "::1", 8443 },
        { "https://[0:0:0:0:0:0:0:1]/", "https", "::1", 443 },
        { "https://[2001:DB8::00FF]/", "https", "2001:db8::ff", 443 },
        { "https://[::ffff:127.0.0.1]/", "https", "::ffff:127.0.0.1", 443 },
        { "https://[::ffff:7f00:1]/", "https", "::ffff:127.0.0.1", 443 },
        { "https://example.com/\xc3\xbc", "https", "example.com", 443 },
        { "https://" L63 ".example", "https", L63 ".example", 443 },
        { "https://" N253, "https", N253, 443 },
        { "https://" N253 ".", "https", N253, 443 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_url url = { .port = 7 };
        const char       *why = "";
        if (policy_url_parse(cases[i].url, &url, &why) != MH_OK)
            fail_msg("%s was refused: %s", cases[i].url, why);
        assert_string_equal(url.scheme, cases[i].scheme);
        assert_string_equal(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
    }
}

/* What is expected is a part of the sentence, so that each fails for its own reason. */
struct refusal { const char *url, *why; };

static void check_refused(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct policy_url url = { .host = "untouched" };
        const char       *why = "";
        if (policy_url_parse(cases[i].url, &url, &why) != MH_INVALID)
            fail_msg("%s was taken as %s", cases[i].url, url.host);
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("%s was refused because: %s", cases[i].url, why);
        assert_string_equal(url.host, "untouched");
    }
}

TEST(urls_that_are_not_http_are_refused)
{
    static const struct refusal cases[] = {
        { "", "must start with" }, { "example.com", "must start with" },
        { "//example.com/", "must start with" }, { "/path", "must start with" },
        { "ftp://example.com", "must start with" }, { "file:///etc/passwd", "must start with" },
        { "gopher://example.com", "must start with" }, { "ws://example.com", "must start with" },
        { "httpx://example.com", "must start with" }, { "http:example.com", "must start with" },
        { "http:/example.com", "must start with" }, { "http", "must start with" },
        { "https:", "must start with" }, { "javascript:alert(1)//http://", "must start with" },
        { "http://", "missing" }, { "http:///example.com", "missing" },
        { "http://?x", "missing" }, { "http://#x", "missing" }, { "http://:80/", "missing" },
        { "http://./", "empty label" },
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(characters_that_readers_treat_differently_are_refused)
{
    static const struct refusal cases[] = {
        { " http://example.com", "blanks or control" },
        { "http://example.com ", "blanks or control" },
        { "http://exam ple.com", "blanks or control" },
        { "http://example.com/a b", "blanks or control" },
        { "http://example.com/\tx", "blanks or control" },
        { "http://example.com\r\nHost: evil.com", "blanks or control" },
        { "http://example.com/\x01", "blanks or control" },
        { "http://example.com/\x7f", "blanks or control" },
        { "ht\ntp://example.com/", "blanks or control" },
        { "http:\\\\example.com", "backslash" },
        { "http://example.com\\@evil.com", "backslash" },
        { "http://example.com/\\evil", "backslash" },
        { "http://user@example.com", "user name" },
        { "http://user:pass@example.com", "user name" },
        { "http://example.com:80@evil.com", "user name" },
        { "http://@example.com", "user name" },
        { "http://example.com@", "user name" },
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(hosts_that_are_not_host_names_are_refused)
{
    static const struct refusal cases[] = {
        { "http://exa%6dple.com", "percent" }, { "http://%31%32%37.0.0.1", "percent" },
        { "http://b\xc3\xbc" "cher.example", "punycode" },
        { "http://\xe2\x91\xa0.com", "punycode" },                       /* circled 1 */
        { "http://example\xe3\x80\x82" "com", "punycode" },              /* ideographic dot */
        { "http://\xff", "punycode" },
        { "http://a..b", "empty label" }, { "http://.a", "empty label" },
        { "http://a..", "empty label" }, { "http://..", "empty label" },
        { "http://a,b", "no host name" }, { "http://a;b", "no host name" },
        { "http://a+b", "no host name" }, { "http://a*b", "no host name" },
        { "http://*.example.com", "no host name" }, { "http://a!b", "no host name" },
        { "http://a\"b", "no host name" }, { "http://<a>", "no host name" },
        { "http://{a}", "no host name" }, { "http://a|b", "no host name" },
        { "http://a^b", "no host name" }, { "http://a`b", "no host name" },
        { "http://a[b]", "no host name" }, { "http://a]b", "no host name" },
        { "http://$a", "no host name" },
        { "http://" L63 "a.example", "63 characters" },
        { "http://" N253 "b", "253 characters" }, { "http://" N253 "b.", "253 characters" },
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(numeric_hosts_other_than_dotted_quads_are_refused)
{
    static const struct refusal cases[] = {
        { "http://2130706433", "dotted quad" }, { "http://0", "dotted quad" },
        { "http://127.1", "dotted quad" }, { "http://127.0.1", "dotted quad" },
        { "http://0x7f.1", "dotted quad" }, { "http://0x7f000001", "dotted quad" },
        { "http://0X7F000001", "dotted quad" }, { "http://0x", "dotted quad" },
        { "http://0x7f.0x0.0x0.0x1", "dotted quad" }, { "http://127.0.0.0x1", "dotted quad" },
        { "http://0177.0.0.1", "dotted quad" }, { "http://017700000001", "dotted quad" },
        { "http://127.0.0.01", "dotted quad" }, { "http://127.0.0.001", "dotted quad" },
        { "http://127.000.000.001", "dotted quad" }, { "http://256.0.0.1", "dotted quad" },
        { "http://127.0.0.256", "dotted quad" }, { "http://1.2.3.4.5", "dotted quad" },
        { "http://1.2.3", "dotted quad" }, { "http://4294967296", "dotted quad" },
        { "http://127.0.0.1.", "dotted quad" }, { "http://127.1.", "dotted quad" },
        { "http://0x7f.1.", "dotted quad" }, { "http://a.1", "dotted quad" },
        { "http://example.0x1", "dotted quad" }, { "http://1.2.3.08", "dotted quad" },
        { "http://99999999999999999999", "dotted quad" },
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(what_stands_in_brackets_must_be_an_ipv6_address)
{
    static const struct refusal cases[] = {
        { "http://[", "closing bracket" }, { "http://[::1", "closing bracket" },
        { "http://[::1/x]", "closing bracket" },
        { "http://[]", "not an IPv6" }, { "http://[127.0.0.1]", "not an IPv6" },
        { "http://[example.com]", "not an IPv6" }, { "http://[::1%eth0]", "not an IPv6" },
        { "http://[::1%25eth0]", "not an IPv6" }, { "http://[fe80::1%251]", "not an IPv6" },
        { "http://[v1.x]", "not an IPv6" }, { "http://[1:2:3:4:5:6:7]", "not an IPv6" },
        { "http://[1:2:3:4:5:6:7:8:9]", "not an IPv6" }, { "http://[:::]", "not an IPv6" },
        { "http://[1::2::3]", "not an IPv6" }, { "http://[::12345]", "not an IPv6" },
        { "http://[::ffff:127.1]", "not an IPv6" }, { "http://[::ffff:0177.0.0.1]", "not an IPv6" },
        { "http://[[::1]]", "not an IPv6" }, { "http://::1", "missing" },
        { "http://[::1].", "other than a port" }, { "http://[::1]x", "other than a port" },
        { "http://[0000:0000:0000:0000:0000:0000:0000:0000:0001]", "not an IPv6" },
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(ports_that_are_not_ports_are_refused)
{
    static const struct refusal cases[] = {
        { "http://a:0", "port" }, { "http://a:00", "port" }, { "http://a:65536", "port" },
        { "http://a:080", "port" }, { "http://a:100000", "port" }, { "http://a:-1", "port" },
        { "http://a:+80", "port" }, { "http://a:8o", "port" }, { "http://a:0x50", "port" },
        { "http://a:80:80", "port" }, { "http://a::80", "port" }, { "http://[::1]:0", "port" },
        { "http://a:b", "port" }, { "http://db8::1/", "port" },
        { "http://a:18446744073709551696", "port" },                     /* 80 after wrapping */
    };
    check_refused(cases, ARRAY_LEN(cases));
}

TEST(a_url_may_have_8192_bytes_and_not_one_more)
{
    static char       url[8194];
    struct policy_url out;
    const char       *why = "";
    memset(url, 'a', sizeof url - 1);
    memcpy(url, "https://example.com/", 20);
    assert_int_equal(policy_url_parse(url, &out, &why), MH_INVALID);
    assert_non_null(strstr(why, "8192"));
    url[8192] = '\0';
    assert_int_equal(policy_url_parse(url, &out, &why), MH_OK);
}

/* ---- Permissions ---------------------------------------------------------------------- */

TEST(a_permission_covers_its_host_and_nothing_beside_it)
{
    static const struct { const char *pattern, *url; bool allowed; } cases[] = {
        { "hooks.slack.com", "https://hooks.slack.com/services/x", true },
        { "Hooks.Slack.COM", "https://hooks.slack.com", true },
        { "hooks.slack.com", "https://HOOKS.slack.com.", true },
        { "hooks.slack.com.", "https://hooks.slack.com", true },
        { "hooks.slack.com", "http://hooks.slack.com", true },
        { "hooks.slack.com", "https://hooks.slack.com:8443", false },
        { "hooks.slack.com", "https://hooks.slack.com:80", false },
        { "hooks.slack.com", "http://hooks.slack.com:443", false },
        { "hooks.slack.com", "https://slack.com", false },
        { "hooks.slack.com", "https://evil.hooks.slack.com", false },
        { "hooks.slack.com", "https://hooks.slack.com.evil.com", false },
        { "hooks.slack.com", "https://hooksxslack.com", false },
        { "hooks.slack.com", "https://evil.com/hooks.slack.com", false },
        { "hooks.slack.com", "https://evil.com#hooks.slack.com", false },

        { "example.com:8443", "https://example.com:8443", true },
        { "example.com:8443", "http://example.com:8443", true },
        { "example.com:8443", "https://example.com", false },
        { "example.com:443", "https://example.com", true },
        { "example.com:443", "http://example.com", false },

        { "*.example.com", "https://a.example.com", true },
        { "*.example.com", "https://a.b.example.com", true },
        { "*.EXAMPLE.com", "https://A.example.COM", true },
        { "*.example.com", "https://example.com", false },
        { "*.example.com", "https://aexample.com", false },
        { "*.example.com", "https://a.example.com.evil.com", false },
        { "*.example.com", "https://a.example.com:8443", false },
        { "*.example.com:8443", "https://a.example.com:8443", true },

        { "*", "https://anything.example", true },
        { "*", "http://192.0.2.1", true },
        { "*", "https://[::1]", true },
        { "*", "https://anything.example:8443", false },
        { "*:8443", "https://anything.example:8443", true },
        { "*:8443", "https://anything.example", false },

        { "192.0.2.1", "http://192.0.2.1", true },
        { "192.0.2.1:9000", "http://192.0.2.1:9000", true },
        { "*.0.2.1", "http://192.0.2.1", false },
        { "*.1", "http://192.0.2.1", false },
        { "[::1]", "http://[0::1]", true },
        { "[0:0::1]:9000", "http://[::1]:9000", true },
        { "::1", "http://[::1]", false },

        { "", "https://example.com", false },
        { "**", "https://example.com", false },
        { "*.", "https://example.com", false },
        { "*.*", "https://example.com", false },
        { "ex*mple.com", "https://example.com", false },
        { "*example.com", "https://example.com", false },
        { "example.*", "https://example.com", false },
        { "a.*.com", "https://a.example.com", false },
        { "example.com:", "https://example.com", false },
        { "example.com:0", "https://example.com", false },
        { "example.com:*", "https://example.com", false },
        { "example.com:443x", "https://example.com", false },
        { "https://example.com", "https://example.com", false },
        { "example.com/path", "https://example.com/path", false },
        { " example.com", "https://example.com", false },
        { "user@example.com", "https://example.com", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_url url;
        const char       *why;
        assert_int_equal(policy_url_parse(cases[i].url, &url, &why), MH_OK);
        if (policy_host_allowed(cases[i].pattern, &url) != cases[i].allowed)
            fail_msg("%s on %s", cases[i].pattern, cases[i].url);
    }
}

TEST(patterns_that_allow_nothing_are_not_valid)
{
    static const char *const good[] = { "*", "*:1", "a.b", "*.a", "*.a:65535", "[::1]:80",
                                        "10.0.0.1", "localhost" };
    static const char *const bad[] = { "", "*.", "*.*", "a*", "a:0", "a:", "*.10.0.0.1", "*.[::1]",
                                       "[::1", "a/b", "http:a", "127.1", "a..b", "*:", "*x" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!policy_pattern_valid(good[i]))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (policy_pattern_valid(bad[i]))
            fail_msg("%s was taken", bad[i]);
}

/* ---- Addresses ------------------------------------------------------------------------- */

static bool allowed_by(const struct policy_ranges *ranges, const char *text)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in     *v4 = (struct sockaddr_in *)(void *)&storage;
    struct sockaddr_in6    *v6 = (struct sockaddr_in6 *)(void *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    else
        fail_msg("the test itself is wrong: %s", text);
    return policy_address_allowed(ranges, (const struct sockaddr *)&storage);
}

TEST(global_unicast_addresses_may_be_dialled)
{
    static const char *const cases[] = {
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255",
        "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
        "2000::", "2001:200::", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::",
        "2606:4700:4700::1111", "2a00:1450::1", "3ffe:ffff::1", "3fff:1000::",
        "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
    };
    const struct policy_ranges none = { .count = 0 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!allowed_by(&none, cases[i]))
            fail_msg("%s was refused", cases[i]);
}

TEST(special_purpose_addresses_are_refused_at_both_ends_of_their_ranges)
{
    static const char *const cases[] = {
        "0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0",
        "100.100.100.200", "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255",
        "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255",
        "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0",
        "192.88.99.255", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
        "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0",
        "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255",
        "::", "::1", "::2", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "100::",
        "100::ffff:ffff:ffff:ffff", "100:0:0:1::1", "1fff:ffff::", "2001::", "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1::1", "2001:2::", "2001:20::1",
        "2001:1ff:ffff::", "2001:db8::", "2001:db8:ffff::1", "3fff::", "3fff:fff:ffff::",
        "4000::", "5f00::", "5f00:ffff::", "7fff::", "8000::", "fc00::", "fd00:ec2::254",
        "fdff:ffff::", "fe00::", "fe80::", "fe80::1", "febf:ffff::", "fec0::", "feff:ffff::",
        "ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    const struct policy_ranges none = { .count = 0 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (allowed_by(&none, cases[i]))
            fail_msg("%s was allowed", cases[i]);
}

TEST(a_private_address_inside_another_form_is_refused)
{
    static const char *const cases[] = {
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
        "::127.0.0.1", "::10.0.0.1", "::a9fe:a9fe",
        "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:101:ffff::",
        "::ffff:0:127.0.0.1",               /* RFC 2765, outside 2000::/3 */
    };
    const struct policy_ranges none = { .count = 0 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (allowed_by(&none, cases[i]))
            fail_msg("%s was allowed", cases[i]);
}

TEST(an_address_that_is_not_of_the_internet_is_refused)
{
    struct policy_ranges all = { .count = 0 };
    struct sockaddr_un   local = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
    struct sockaddr      none = { .sa_family = AF_UNSPEC };
    assert_int_equal(policy_ranges_add(&all, "0.0.0.0/0"), MH_OK);
    assert_int_equal(policy_ranges_add(&all, "::/0"), MH_OK);
    assert_false(policy_address_allowed(&all, (const struct sockaddr *)&local));
    assert_false(policy_address_allowed(&all, &none));
}

TEST(a_range_of_the_operator_opens_exactly_itself)
{
    static const struct { const char *cidr, *address; bool allowed; } cases[] = {
        { "10.0.0.0/8", "10.0.0.0", true }, { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "127.0.0.1", false }, { "10.0.0.0/8", "172.16.0.1", false },
        { "10.0.0.0/8", "::ffff:10.1.2.3", true }, { "10.0.0.0/8", "64:ff9b::10.1.2.3", true },
        { "10.0.0.0/8", "2002:a01:203::1", true }, { "10.0.0.0/8", "::10.1.2.3", true },
        { "10.0.0.0/8", "::ffff:127.0.0.1", false },
        { "::ffff:10.0.0.0/104", "10.1.2.3", true },
        { "127.0.0.1", "127.0.0.1", true }, { "127.0.0.1", "127.0.0.2", false },
        { "127.0.0.1/32", "127.0.0.1", true }, { "127.0.0.1", "::1", false },
        { "192.168.4.0/22", "192.168.7.255", true }, { "192.168.4.0/22", "192.168.8.0", false },
        { "192.168.1.128/25", "192.168.1.127", false },
        { "192.168.1.128/25", "192.168.1.128", true },
        { "::1", "::1", true }, { "::1/128", "::1", true }, { "::1", "::", false },
        { "::1", "127.0.0.1", false }, { "::1", "0.0.0.1", false },
        { "fd00::/8", "fd12::1", true }, { "fd00::/8", "fc00::1", false },
        { "fe80::/10", "febf::1", true }, { "fe80::/10", "fec0::1", false },
        { "0.0.0.0/0", "10.0.0.1", true }, { "0.0.0.0/0", "0.0.0.0", true },
        { "0.0.0.0/0", "::1", false }, { "0.0.0.0/0", "::", false },
        { "0.0.0.0/0", "fe80::1", false },
        { "::/0", "fe80::1", true }, { "::/0", "::1", true },
        { "::/0", "10.0.0.1", false }, { "::/0", "::ffff:10.0.0.1", false },
        { "64:ff9b::/96", "64:ff9b::10.0.0.1", true }, { "64:ff9b::/96", "10.0.0.1", false },
        { "2001:db8::/32", "2001:db8::1", true },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_ranges ranges = { .count = 0 };
        assert_int_equal(policy_ranges_add(&ranges, cases[i].cidr), MH_OK);
        if (allowed_by(&ranges, cases[i].address) != cases[i].allowed)
            fail_msg("%s on %s", cases[i].cidr, cases[i].address);
    }
}

TEST(what_is_not_a_range_is_refused_and_adds_nothing)
{
    static const char *const cases[] = {
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
        "10.0.0.0/8 ", " 10.0.0.0/8", "10.0.0.0/8/8", "10.0.0.0/0x8", "10/8", "10.0/8",
        "010.0.0.0/8", "10.0.0.1/8", "::1/129", "::1/64", "fe80::1%eth0", "[::1]/128",
        "example.com", "::/999", "::/4294967296", "10.0.0.0-10.255.255.255", "fd00::1/8",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
    };
    struct policy_ranges ranges = { .count = 0 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (policy_ranges_add(&ranges, cases[i]) != MH_INVALID || ranges.count != 0)
            fail_msg("\"%s\" was taken", cases[i]);
}

TEST(one_range_more_than_the_maximum_is_too_large)
{
    struct policy_ranges ranges = { .count = 0 };
    for (int i = 0; i < POLICY_MAX_RANGES; i++)
        assert_int_equal(policy_ranges_add(&ranges, "10.0.0.0/8"), MH_OK);
    assert_int_equal(policy_ranges_add(&ranges, "10.0.0.0/8"), MH_TOO_LARGE);
    assert_int_equal(policy_ranges_add(&ranges, "nonsense"), MH_INVALID);
    assert_int_equal(ranges.count, POLICY_MAX_RANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(plain_urls_are_read_into_their_parts),
        RUN(urls_that_are_not_http_are_refused),
        RUN(characters_that_readers_treat_differently_are_refused),
        RUN(hosts_that_are_not_host_names_are_refused),
        RUN(numeric_hosts_other_than_dotted_quads_are_refused),
        RUN(what_stands_in_brackets_must_be_an_ipv6_address),
        RUN(ports_that_are_not_ports_are_refused),
        RUN(a_url_may_have_8192_bytes_and_not_one_more),
        RUN(a_permission_covers_its_host_and_nothing_beside_it),
        RUN(patterns_that_allow_nothing_are_not_valid),
        RUN(global_unicast_addresses_may_be_dialled),
        RUN(special_purpose_addresses_are_refused_at_both_ends_of_their_ranges),
        RUN(a_private_address_inside_another_form_is_refused),
        RUN(an_address_that_is_not_of_the_internet_is_refused),
        RUN(a_range_of_the_operator_opens_exactly_itself),
        RUN(what_is_not_a_range_is_refused_and_adds_nothing),
        RUN(one_range_more_than_the_maximum_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
