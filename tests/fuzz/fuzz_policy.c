/* fuzz_policy.c - policy_url_parse() over foreign bytes.
 *
 * Invariants: a host that was read has no character outside the allowed set;
 * scheme://host:port/ reads back as the same parts; libcurl, which will dial the
 * URL, sees the same host and port; a permission for exactly that host and port
 * covers it. The same bytes are tried as a permission and as a range. */
#include "core/policy.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

static const char name_set[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
static const char address_set[] = "0123456789abcdef:.";

static void check_host(const char *host)
{
    const char *set = strchr(host, ':') ? address_set : name_set;
    size_t      chars = strlen(host);

    INVARIANT(chars >= 1 && chars <= 253 && strspn(host, set) == chars);
    INVARIANT(host[chars - 1] != '.');
}

/* "example.com:443", as in a permission. */
static void authority_of(const struct policy_url *url, char out[300])
{
    const char *form = strchr(url->host, ':') ? "[%s]:%u" : "%s:%u";
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, 300, form, url->host, (unsigned)url->port);
}

static void check_again(const struct policy_url *url)
{
    struct policy_url again;
    const char       *why = NULL;
    char              authority[300], text[320];

    authority_of(url, authority);
    snprintf(text, sizeof text, "%s://%s/", url->scheme, authority);
    INVARIANT(policy_url_parse(text, &again, &why) == MH_OK);
    INVARIANT(strcmp(again.scheme, url->scheme) == 0 && strcmp(again.host, url->host) == 0);
    INVARIANT(again.port == url->port);
    INVARIANT(policy_pattern_valid(authority) && policy_host_allowed(authority, url));
}

/* libcurl keeps capitals, a final dot and brackets, and rewrites the text of an
 * IPv6 address only where that makes it shorter. */
static void check_curl_host(char *host, const struct policy_url *url)
{
    size_t          chars = strlen(host);
    struct in6_addr dialled, ours;

    if (chars > 1 && (host[chars - 1] == '.' || host[chars - 1] == ']'))
        host[chars - 1] = '\0';
    if (*host != '[') {
        INVARIANT(strcasecmp(host, url->host) == 0);
        return;
    }
    INVARIANT(inet_pton(AF_INET6, host + 1, &dialled) == 1);
    INVARIANT(inet_pton(AF_INET6, url->host, &ours) == 1);
    INVARIANT(memcmp(&dialled, &ours, sizeof ours) == 0);
}

static void check_curl(const char *text, const struct policy_url *url)
{
    CURLU *parsed = curl_url();
    char  *host = NULL, *port = NULL;

    INVARIANT(parsed != NULL);
    if (curl_url_set(parsed, CURLUPART_URL, text, 0) == CURLUE_OK) {
        INVARIANT(curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK);
        INVARIANT(curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
        check_curl_host(host, url);
        INVARIANT(atoi(port) == url->port);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
}

static void try_range(const char *text)
{
    struct policy_ranges ranges = { .count = 0 };
    enum mh_err          err = policy_ranges_add(&ranges, text);

    INVARIANT(err == (ranges.count == 1 ? MH_OK : MH_INVALID));
    INVARIANT(err != MH_OK || ranges.item[0].prefix_bits <= 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_url url = { .host = "untouched" };
    const char       *why = NULL;
    char             *text = malloc(size + 1);

    INVARIANT(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (policy_url_parse(text, &url, &why) == MH_OK) {
        check_host(url.host);
        check_again(&url);
        check_curl(text, &url);
        policy_host_allowed(text, &url);
    } else {
        INVARIANT(why != NULL && strcmp(url.host, "untouched") == 0);
    }
    policy_pattern_valid(text);
    try_range(text);
    free(text);
    return 0;
}
