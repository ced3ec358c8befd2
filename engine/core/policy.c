/* policy.c - see policy.h.
 *
 * Two checks, and both are needed. The name in a URL is held against what a
 * plugin was approved for; the address that is dialled, whatever name led to
 * it, is held against the special-purpose registries. The first is only worth
 * something if every reader of the URL sees the same host, so a spelling that
 * anyone could read differently is refused instead of interpreted.
 *
 * Invariants:
 * - a host that was read is a DNS name of [a-z0-9._-], a dotted quad, or an
 *   IPv6 address as inet_ntop() writes it; nothing else comes out;
 * - an address is judged by the one it stands for (IPv4-mapped, IPv4-compatible,
 *   NAT64 and 6to4 forms are unwrapped first), and one of ISATAP by both;
 * - an address family that is not known is refused. */
#include "core/policy.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    URL_CHARS   = 8192,                     /* what servers commonly take */
    NAME_CHARS  = 253, LABEL_CHARS = 63,    /* RFC 1035 2.3.4, without the final dot */
    MAPPED_BITS = 96,                       /* ::ffff:0:0/96 is IPv4 */
};

static const char digits[] = "0123456789";

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

/* ---- Hosts ------------------------------------------------------------------- */

/* Whether the last label is a number. Then the whole host is an address to the
 * WHATWG's URL standard, to inet_aton() and to libcurl, in some spelling. */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;

    if (last[0] == '0' && last[1] == 'x')
        return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
    return *last != '\0' && last[strspn(last, digits)] == '\0';
}

/* One dot-separated name; NULL, or the sentence that says what is wrong. */
static const char *name_fault(const char *host)
{
    size_t label = 0;

    for (const char *at = host; *at != '\0'; at++) {
        bool allowed = is_digit(*at) || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '_';
        if (*at == '.' && label == 0)
            return "the host has an empty label";
        if (*at == '%')
            return "the host must not be percent-encoded";
        if ((unsigned char)*at >= 0x80)
            return "the host has characters outside ASCII; write it in punycode (xn--...)";
        if (!allowed && *at != '.')
            return "the host has a character that no host name has";
        label = *at == '.' ? 0 : label + 1;
        if (label > LABEL_CHARS)
            return "a label of the host is longer than 63 characters";
    }
    return label == 0 ? "the host has an empty label" : NULL;
}

/* Reads `chars` bytes of a host without brackets, in lower case and without
 * the final dot. Returns NULL, or what is wrong; `out` is then undefined. */
static const char *read_name(const char *text, size_t chars, char out[POLICY_HOST_BYTES])
{
    struct in_addr quad;
    bool           final_dot = chars > 1 && text[chars - 1] == '.';

    if (final_dot)
        chars--;
    if (chars == 0)
        return "the host is missing";
    if (chars > NAME_CHARS)
        return "the host is longer than 253 characters";
    for (size_t i = 0; i < chars; i++)
        out[i] = lower(text[i]);
    out[chars] = '\0';
    const char *fault = name_fault(out);
    if (fault == NULL && ends_in_number(out) && (final_dot || inet_pton(AF_INET, out, &quad) != 1))
        return "a numeric host must be a plain dotted quad, as in 192.0.2.1";
    return fault;
}

/* The same for what stands between brackets. The text of an address is written
 * anew, so that one address has one spelling. */
static const char *read_ipv6(const char *text, size_t chars, char out[POLICY_HOST_BYTES])
{
    char            copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (chars >= sizeof copy)
        return "the host in brackets is not an IPv6 address";
    memcpy(copy, text, chars);
    copy[chars] = '\0';
    if (inet_pton(AF_INET6, copy, &address) != 1)           /* knows no zones ("%eth0") */
        return "the host in brackets is not an IPv6 address";
    inet_ntop(AF_INET6, &address, out, POLICY_HOST_BYTES);
    return NULL;
}

/* Reads a host of either kind at *at and moves *at behind it. */
static const char *read_host(const char **at, const char *end, char out[POLICY_HOST_BYTES])
{
    const char *start = *at;

    if (start < end && *start == '[') {
        const char *close = memchr(start, ']', (size_t)(end - start));
        if (close == NULL)
            return "the host has no closing bracket";
        *at = close + 1;
        return read_ipv6(start + 1, (size_t)(close - start - 1), out);
    }
    const char *colon = memchr(start, ':', (size_t)(end - start));
    *at = colon ? colon : end;
    return read_name(start, (size_t)(*at - start), out);
}

/* 1 to 65535, up to five digits, no leading zero; 0 for anything else. */
static uint16_t read_port(const char *text, const char *end)
{
    unsigned long port = 0;

    if (end - text > 5 || text == end || *text == '0')
        return 0;
    for (; text < end; text++) {
        if (!is_digit(*text))
            return 0;
        port = port * 10 + (unsigned long)(*text - '0');
    }
    return port <= 65535 ? (uint16_t)port : 0;
}

/* ---- URLs -------------------------------------------------------------------- */

struct scheme { const char *name; uint16_t port; };

static const struct scheme schemes[] = { { "http", 80 }, { "https", 443 } };

static uint16_t default_port(const char *scheme)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (strcmp(scheme, schemes[i].name) == 0)
            return schemes[i].port;
    return 0;
}

/* Behind "://" of a scheme that is ours; NULL for anything else. */
static const char *read_scheme(const char *url, const struct scheme **out)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t chars = strlen(schemes[i].name);
        if (strncasecmp(url, schemes[i].name, chars) == 0 &&
            strncmp(url + chars, "://", 3) == 0) {
            *out = &schemes[i];
            return url + chars + 3;
        }
    }
    return NULL;
}

/* What is refused wherever it stands in a URL. */
static const char *text_fault(const char *url)
{
    if (strnlen(url, URL_CHARS + 1) > URL_CHARS)
        return "the URL is longer than 8192 bytes";
    for (; *url != '\0'; url++) {
        unsigned char c = (unsigned char)*url;
        if (c <= ' ' || c == 0x7f)
            return "the URL has blanks or control characters";
        if (c == '\\')
            return "the URL has a backslash";
    }
    return NULL;
}

static const char *read_authority(const char *at, const char *end, const struct scheme *scheme,
                                  struct policy_url *out)
{
    if (memchr(at, '@', (size_t)(end - at)) != NULL)
        return "the URL must not carry a user name or password";
    const char *fault = read_host(&at, end, out->host);
    if (fault != NULL)
        return fault;
    out->port = scheme->port;
    if (at == end)
        return NULL;
    if (*at != ':')
        return "the host is followed by something other than a port";
    if (at + 1 == end)                      /* "http://host:/" is the default, RFC 3986 3.2.3 */
        return NULL;
    out->port = read_port(at + 1, end);
    return out->port == 0 ? "the port is not a number from 1 to 65535" : NULL;
}

enum mh_err policy_url_parse(const char *url, struct policy_url *out, const char **why)
{
    struct policy_url    parts = { .port = 0 };
    const struct scheme *scheme = NULL;
    const char          *at = read_scheme(url, &scheme);
    const char          *fault = text_fault(url);

    if (fault == NULL && at == NULL)
        fault = "the URL must start with http:// or https://";
    if (fault == NULL)
        fault = read_authority(at, at + strcspn(at, "/?#"), scheme, &parts);
    if (fault != NULL) {
        *why = fault;
        return MH_INVALID;
    }
    memcpy(parts.scheme, scheme->name, strlen(scheme->name) + 1);
    *out = parts;
    return MH_OK;
}

/* ---- Permissions ------------------------------------------------------------- */

struct pattern {
    bool     any, below;                    /* "*", "*.example.com" */
    char     host[POLICY_HOST_BYTES];       /* "example.com"; nothing for any */
    uint16_t port;                          /* 0: the scheme's default */
};

/* Whether `host` is an IPv4 or IPv6 address: those have no subdomains. */
static bool is_address(const char *host)
{
    return strchr(host, ':') != NULL || ends_in_number(host);
}

static bool read_pattern(const char *text, struct pattern *out)
{
    const char *end = text + strlen(text), *at = text;

    *out = (struct pattern){ .port = 0 };
    if (at[0] == '*' && (at[1] == '\0' || at[1] == ':')) {
        out->any = true;
        at++;
    } else {
        out->below = at[0] == '*' && at[1] == '.';
        at += out->below ? 2 : 0;
        if (read_host(&at, end, out->host) != NULL || (out->below && is_address(out->host)))
            return false;
    }
    if (at == end)
        return true;
    out->port = *at == ':' ? read_port(at + 1, end) : 0;
    return out->port != 0;
}

static bool is_below(const char *host, const char *domain)
{
    size_t host_chars = strlen(host), domain_chars = strlen(domain);

    return host_chars > domain_chars + 1 && host[host_chars - domain_chars - 1] == '.' &&
           strcmp(host + host_chars - domain_chars, domain) == 0;
}

bool policy_pattern_valid(const char *pattern)
{
    struct pattern p;
    return read_pattern(pattern, &p);
}

bool policy_host_allowed(const char *pattern, const struct policy_url *url)
{
    struct pattern p;

    if (!read_pattern(pattern, &p))
        return false;
    if (url->port != (p.port ? p.port : default_port(url->scheme)))
        return false;
    if (p.any)
        return true;
    return p.below ? is_below(url->host, p.host) : strcmp(url->host, p.host) == 0;
}

/* ---- Addresses --------------------------------------------------------------- */

/* All addresses are 16 bytes; IPv4 is in its mapped form. */
typedef unsigned char address16[16];

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

#define V4(a, b, c, d, bits) \
    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, MAPPED_BITS + (bits) }

/* IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890 and later),
 * multicast, and what was never given out. */
static const struct policy_range special[] = {
    V4(0, 0, 0, 0, 8),                      /* this network */
    V4(10, 0, 0, 0, 8),                     /* private */
    V4(100, 64, 0, 0, 10),                  /* carrier-grade NAT */
    V4(127, 0, 0, 0, 8),                    /* loopback */
    V4(169, 254, 0, 0, 16),                 /* link-local; clouds' metadata services */
    V4(172, 16, 0, 0, 12),                  /* private */
    V4(192, 0, 0, 0, 24),                   /* IETF protocol assignments */
    V4(192, 0, 2, 0, 24),                   /* documentation */
    V4(192, 88, 99, 0, 24),                 /* 6to4 relays, deprecated */
    V4(192, 168, 0, 0, 16),                 /* private */
    V4(198, 18, 0, 0, 15),                  /* benchmarks */
    V4(198, 51, 100, 0, 24),                /* documentation */
    V4(203, 0, 113, 0, 24),                 /* documentation */
    V4(224, 0, 0, 0, 4),                    /* multicast */
    V4(240, 0, 0, 0, 4),                    /* reserved, and broadcast */

    /* Outside 2000::/3 nothing is global unicast: unspecified, loopback, local
     * NAT64 (64:ff9b:1::/48), discard (100::/64), segment routing (5f00::/16),
     * unique local (fc00::/7), link-local (fe80::/10), site-local (fec0::/10),
     * multicast (ff00::/8). */
    { { 0x00 }, 3 },
    { { 0x40 }, 2 },
    { { 0x80 }, 1 },
    { { 0x20, 0x01, 0x00 }, 23 },           /* IETF assignments: Teredo, ORCHID, benchmarks */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },     /* documentation */
    { { 0x3f, 0xff, 0x00 }, 20 },           /* documentation */
};

/* Forms of IPv6 addresses that carry an IPv4 address. */
static const struct { struct policy_range range; unsigned at; } carriers[] = {
    { { { 0 }, 96 }, 12 },                                       /* IPv4-compatible, ::a.b.c.d */
    { { { 0x00, 0x64, 0xff, 0x9b }, 96 }, 12 },                  /* NAT64, RFC 6052 */
    { { { 0x20, 0x02 }, 16 }, 2 },                               /* 6to4, RFC 3056 */
};

static bool is_mapped(const address16 a) { return memcmp(a, mapped, sizeof mapped) == 0; }

static bool covers(const struct policy_range *range, const address16 a)
{
    unsigned whole = range->prefix_bits / 8, rest = range->prefix_bits % 8;

    if (range->prefix_bits < MAPPED_BITS && is_mapped(a))
        return false;                       /* "::/0" speaks of IPv6, not of IPv4 */
    if (memcmp(range->address, a, whole) != 0)
        return false;
    return rest == 0 || (range->address[whole] ^ a[whole]) >> (8 - rest) == 0;
}

static bool any_covers(const struct policy_range *ranges, size_t count, const address16 a)
{
    for (size_t i = 0; i < count; i++)
        if (covers(&ranges[i], a))
            return true;
    return false;
}

static void map_ipv4(const unsigned char quad[4], address16 out)
{
    memcpy(out, mapped, sizeof mapped);
    memcpy(out + sizeof mapped, quad, 4);
}

/* The address that `a` stands for; `a` itself in most cases. "::" and "::1" look
 * IPv4-compatible and are not. */
static void unwrap(const address16 a, address16 out)
{
    static const unsigned char zeroes[15];

    memcpy(out, a, sizeof(address16));
    if (memcmp(a, zeroes, sizeof zeroes) == 0 && a[15] <= 1)
        return;
    for (size_t i = 0; i < ARRAY_LEN(carriers); i++)
        if (covers(&carriers[i].range, a))
            map_ipv4(a + carriers[i].at, out);
}

static bool read_sockaddr(const struct sockaddr *address, address16 out)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        map_ipv4((const unsigned char *)&in.sin_addr, out);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        memcpy(out, (const char *)address + offsetof(struct sockaddr_in6, sin6_addr),
               sizeof(address16));
        return true;
    }
    return false;
}

/* ISATAP (RFC 5214): an IPv4 address behind an interface identifier that says so, below any
 * prefix. It stands beside that prefix, so it may only make an address worse. */
static bool read_isatap(const address16 a, address16 out)
{
    static const unsigned char identifier[4] = { 0x00, 0x00, 0x5e, 0xfe };

    if ((a[8] & ~0x02) != identifier[0] || memcmp(a + 9, identifier + 1, 3) != 0)
        return false;
    map_ipv4(a + 12, out);
    return true;
}

static bool is_special(const address16 a)
{
    address16 inner;

    return any_covers(special, ARRAY_LEN(special), a) ||
           (read_isatap(a, inner) && any_covers(special, ARRAY_LEN(special), inner));
}

bool policy_address_allowed(const struct policy_ranges *allowed, const struct sockaddr *address)
{
    address16 dialled, meant;

    if (!read_sockaddr(address, dialled))
        return false;
    unwrap(dialled, meant);
    if (!is_special(meant))
        return true;
    return any_covers(allowed->item, allowed->count, meant) ||
           any_covers(allowed->item, allowed->count, dialled);
}

/* ---- An operator's ranges ------------------------------------------------------ */

static bool read_address(const char *text, address16 out, unsigned *family_bits)
{
    unsigned char quad[4];

    *family_bits = 128;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    *family_bits = 32;
    if (inet_pton(AF_INET, text, quad) != 1)
        return false;
    map_ipv4(quad, out);
    return true;
}

/* A prefix length up to `max`, without leading zeros; false for anything else. */
static bool read_prefix(const char *text, unsigned max, unsigned *out)
{
    size_t chars = strspn(text, digits);

    if (chars == 0 || chars > 3 || text[chars] != '\0' || (chars > 1 && *text == '0'))
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out <= max;
}

/* "10.0.0.1/8" may be meant as a host or as a network, so it is refused. */
static bool has_host_bits(const struct policy_range *range)
{
    for (unsigned bit = range->prefix_bits; bit < 128; bit++)
        if ((range->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return true;
    return false;
}

enum mh_err policy_ranges_add(struct policy_ranges *ranges, const char *cidr)
{
    char                text[INET6_ADDRSTRLEN];
    struct policy_range range;
    size_t              chars = strcspn(cidr, "/");
    unsigned            family_bits, bits;

    if (chars >= sizeof text)
        return MH_INVALID;
    memcpy(text, cidr, chars);
    text[chars] = '\0';
    if (!read_address(text, range.address, &family_bits))
        return MH_INVALID;
    bits = family_bits;
    if (cidr[chars] == '/' && !read_prefix(cidr + chars + 1, family_bits, &bits))
        return MH_INVALID;
    range.prefix_bits = 128 - family_bits + bits;
    if (has_host_bits(&range))
        return MH_INVALID;
    if (ranges->count == POLICY_MAX_RANGES)
        return MH_TOO_LARGE;
    ranges->item[ranges->count++] = range;
    return MH_OK;
}
