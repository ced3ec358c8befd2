/* policy.h - what may be reached: hosts that a plugin asks for, addresses that
 * are dialled. Pure: no DNS, no clock, no globals. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { POLICY_HOST_BYTES = 256, POLICY_MAX_RANGES = 64 };

/* The parts of an http or https URL that a decision needs. */
struct policy_url {
    char     scheme[8];                     /* "http" or "https" */
    char     host[POLICY_HOST_BYTES];       /* lower case, no brackets, no final dot; IPv6
                                             * as inet_ntop() writes it */
    uint16_t port;                          /* the scheme's default where none is written */
};

/* Reads a URL as libcurl would dial it, and refuses whatever two readers could
 * read differently: userinfo, control characters, blanks, backslashes, a scheme
 * other than http and https, an empty host, percent escapes in the host, port 0,
 * a host in a numeric spelling other than dotted decimal ("127.1", "0x7f.1",
 * "2130706433", "0177.0.0.1"), non-ASCII hosts (punycode is taken), zones of
 * IPv6 addresses, more than 8192 bytes. MH_INVALID, with a sentence in *why
 * (static); *out is then untouched. */
MH_MUST_USE enum mh_err policy_url_parse(const char *url, struct policy_url *out,
                                         const char **why);

/* One permission "http:HOST[:PORT]" without its "http:" against a URL. HOST may
 * be "*.example.com" (any depth below, not example.com itself) or "*". Without
 * PORT only the scheme's default port matches, 443 for https, 80 for http. An
 * IPv6 address stands in brackets. A pattern that is not valid allows nothing. */
bool policy_pattern_valid(const char *pattern);
bool policy_host_allowed(const char *pattern, const struct policy_url *url);

struct policy_range { unsigned char address[16]; unsigned prefix_bits; };  /* IPv6 form */
struct policy_ranges { struct policy_range item[POLICY_MAX_RANGES]; unsigned count; };

/* Adds "10.0.0.0/8", "::1/128" or a single address. A range in IPv4 form covers
 * IPv4 in all its IPv6 forms as well; one in IPv6 form shorter than /96 never
 * covers IPv4. MH_INVALID, also when bits behind the prefix are set
 * ("10.0.0.1/8"); MH_TOO_LARGE past POLICY_MAX_RANGES. */
MH_MUST_USE enum mh_err policy_ranges_add(struct policy_ranges *ranges, const char *cidr);

/* May this address be dialled? Global unicast may. Everything else (private,
 * loopback, link-local, CGNAT, metadata, multicast, documentation, unspecified,
 * and IPv4-mapped, NAT64, 6to4 and ISATAP forms of those) only if `allowed` covers it.
 * The ranges refused are the ones of RFC 6890 and IANA's special-purpose registries. */
bool policy_address_allowed(const struct policy_ranges *allowed, const struct sockaddr *address);
